"""What purchases were found to be worth, each time that was worked out."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Sum

from rewards.models import Award, Purchase, Settlement, Unit
from rewards.money import unit_amount


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One working out: of which report, and how much of each unit it gave.

    Of a final order, something is available from ``first`` on and all of it from
    ``last`` on; None: at once.
    """

    settlement_id: int
    report_id: int
    settled_at: datetime
    grants: Mapping[int, int]
    first: datetime | None = None
    last: datetime | None = None

    def releases_since(self, before: datetime | None) -> bool:
        """Whether a hold ended between that earlier working out and this one."""
        ends = [end for end in (self.first, self.last) if end]
        return any(before and before < end <= self.settled_at for end in ends)


def evaluations(purchases: Iterable[Purchase]) -> dict[int, list[Evaluation]]:
    """By purchase, oldest first: those made for the member who has it now."""
    members = {purchase.pk: purchase.member_id for purchase in purchases}
    grants, holds = _granted(members)
    found: dict[int, list[Evaluation]] = {id: [] for id in members}
    settlements = Settlement.objects.filter(
        purchase__in=members, report__isnull=False, edition__isnull=False
    ).order_by("id")
    for settlement in settlements:
        if settlement.member_id == members[settlement.purchase_id]:
            found[settlement.purchase_id].append(
                Evaluation(
                    settlement_id=settlement.pk,
                    report_id=settlement.report_id or 0,
                    settled_at=settlement.settled_at,
                    grants=grants[settlement.pk],
                    first=_earliest(holds[settlement.pk]),
                    last=max(filter(None, holds[settlement.pk]), default=None),
                )
            )
    return found


def current(purchase: Purchase, known: Sequence[Evaluation]) -> Evaluation | None:
    """The one whose awards count."""
    return next((e for e in known if e.settlement_id == purchase.settlement_id), None)


def before_change(purchase: Purchase, known: Sequence[Evaluation]) -> Evaluation | None:
    """The last one that gave something else, for an older report; None: no change."""
    now = current(purchase, known)
    if now is None:
        return None
    for earlier in reversed(known):
        if (
            earlier.settlement_id < now.settlement_id
            and earlier.report_id != now.report_id
            and earlier.grants != now.grants
        ):
            return earlier
    return None


def amounts(grants: Mapping[int, int], units: Mapping[int, Unit]) -> list[str]:
    """In words: ``600 points``, ``$3.02``."""
    return [unit_amount(grants[id], unit=units[id]) for id in sorted(grants)]


Holds = list[datetime | None]


def _granted(
    purchase_ids: Iterable[int],
) -> tuple[defaultdict[int, dict[int, int]], defaultdict[int, Holds]]:
    """By settlement: how much of each unit, and until when each part of it is held."""
    grants: defaultdict[int, dict[int, int]] = defaultdict(dict)
    holds: defaultdict[int, Holds] = defaultdict(list)
    awards: Any = Award.objects.filter(
        settlement__purchase__in=purchase_ids, granted__gt=0
    )
    sums = awards.order_by().values_list("settlement_id", "unit_id", "held_until")
    for settlement_id, unit_id, until, amount in sums.annotate(sum=Sum("granted")):
        units = grants[settlement_id]
        units[unit_id] = units.get(unit_id, 0) + int(amount)
        holds[settlement_id].append(until)
    return grants, holds


def _earliest(holds: Holds) -> datetime | None:
    return None if None in holds else min(filter(None, holds), default=None)
