"""What is stored of one purchase's past, read in a few queries, of each the newest."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from django.contrib.auth.models import User
from django.db.models import Q, Sum

from rewards.models import (
    Award,
    Decision,
    Purchase,
    Report,
    Settlement,
    Transfer,
    Unit,
)
from rewards.money import unit_amount

MOST = 100


class Heard(NamedTuple):
    """One message from the network: when and by which route it came, and its page.

    ``handled_at`` is None while it waits. ``again`` tells of the same content by other
    routes. ``url`` is empty for who may not see it.
    """

    at: datetime
    handled_at: datetime | None
    source: str
    became: str
    name: str
    url: str = ""
    again: Sequence[str] = ()


Hearing = Callable[[Purchase, User], Iterable[Heard]]
_hearings: list[Hearing] = []


def register(hearing: Hearing) -> None:
    """Have another app tell how it heard of a purchase, for who looks at it."""
    if hearing not in _hearings:
        _hearings.append(hearing)


@dataclass(slots=True)
class Past:
    """Rows of one purchase, oldest first, and what each evaluation changed.

    Reports and transfers are by the id of their settlement.
    """

    settlements: Sequence[Settlement]
    reports: Mapping[int, Sequence[Report]]
    transfers: Mapping[int | None, Sequence[Transfer]]
    decisions: Sequence[Decision]
    heard: Sequence[Heard]
    units: Mapping[int, Unit]
    changes: Mapping[int, str] = field(init=False)

    def __post_init__(self) -> None:
        self.changes = _changes(self.settlements, self.units)

    @property
    def all_reports(self) -> list[Report]:
        return [report for own in self.reports.values() for report in own]

    @property
    def cut(self) -> bool:
        """Whether there may be more than was read."""
        parts = (self.settlements, self.decisions, self.heard, self.all_reports)
        return any(len(part) >= MOST for part in parts)


def past_of(purchase: Purchase, *, by: User) -> Past:
    """What happened to a purchase, as far as this person may see it."""
    return Past(
        _settlements(purchase),
        _grouped(_reports(purchase), "settlement_id"),
        _grouped(_transfers(purchase), "settlement_id"),
        _decisions(purchase),
        [heard for hearing in _hearings for heard in hearing(purchase, by)],
        {unit.pk: unit for unit in Unit.objects.all()},
    )


def _changes(
    settlements: Sequence[Settlement], units: Mapping[int, Unit]
) -> dict[int, str]:
    """How each evaluation changed the awards: ``600 points → 400 points``."""
    sums: defaultdict[int, dict[int, int]] = defaultdict(dict)
    rows: Any = Award.objects.filter(settlement__in=settlements).order_by()
    for id, unit, granted in rows.values_list("settlement_id", "unit_id").annotate(
        sum=Sum("granted")
    ):
        sums[id][unit] = int(granted)
    found: dict[int, str] = {}
    before: Mapping[int, int] | None = None
    for settlement in settlements:
        if settlement.report_id:
            now = sums[settlement.pk]
            found[settlement.pk] = _change(before, now, units)
            before = now
    return found


def _change(
    before: Mapping[int, int] | None, now: Mapping[int, int], units: Mapping[int, Unit]
) -> str:
    said = []
    for id in sorted({*(before or ()), *now}):
        told = unit_amount(now.get(id, 0), unit=units[id])
        was = before.get(id, 0) if before is not None else now[id]
        if was != now.get(id, 0):
            told = f"{unit_amount(was, unit=units[id])} → {told}"
        said.append(told)
    return ", ".join(said)


def _grouped(rows: Iterable[Any], name: str) -> dict[Any, list[Any]]:
    found: dict[Any, list[Any]] = defaultdict(list)
    for row in rows:
        found[getattr(row, name)].append(row)
    return found


def _newest(rows: Any) -> list[Any]:
    """The newest of them, oldest first."""
    return list(rows.order_by("-pk")[:MOST])[::-1]


def _settlements(purchase: Purchase) -> list[Settlement]:
    own = Settlement.objects.filter(purchase=purchase).defer("edition__content")
    related = ("edition", "member", "decision__decided_by", "decision__member")
    more = ("decision__report", "decision__account", "decision__rerun")
    return _newest(own.select_related(*related, *more))


def _reports(purchase: Purchase) -> list[Report]:
    return _newest(Report.objects.filter(purchase=purchase).defer("digest"))


def _transfers(purchase: Purchase) -> list[Transfer]:
    related = ("from_account__unit", "from_account__member", "to_account__member")
    return _newest(Transfer.objects.filter(purchase=purchase).select_related(*related))


def _decisions(purchase: Purchase) -> list[Decision]:
    concerned = Q(purchase=purchase) | Q(settlements__purchase=purchase)
    related = ("decided_by", "member", "report", "account", "rerun")
    found = Decision.objects.filter(concerned).select_related(*related)
    return _newest(found.distinct())
