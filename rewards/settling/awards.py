"""Awards as rows: made from what evaluation grants, or read back to be copied."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple, Self

from rewards.models import Award
from rewards.program.evaluation import Granted
from rewards.reports import VALIDATED, PurchaseReport

Key = tuple[str, int]
"""A rule's key and the id of its unit: what limits belong to."""


class Awarded(NamedTuple):
    """One award, in the order of its columns; amounts in the unit's smallest step."""

    rule: str
    unit_id: int
    wanted: int
    granted: int
    why: str
    held_until: datetime | None = None
    expires_after_days: int | None = None

    @classmethod
    def of(
        cls, granted: Granted, *, units: Mapping[str, int], report: PurchaseReport
    ) -> Self:
        """The row for what a rule grants to this state."""
        return cls(
            granted.rule,
            units[granted.unit],
            granted.wanted,
            granted.granted,
            granted.why,
            held_until(report, days=granted.hold_days),
            granted.expires_after_days,
        )

    @property
    def key(self) -> Key:
        return self.rule, self.unit_id

    def held(self, *, at: datetime) -> bool:
        """Whether it is pending still, although the purchase is final."""
        return self.held_until is not None and self.held_until > at


def held_until(report: PurchaseReport, *, days: int) -> datetime | None:
    """When an award so long held becomes available; None where nothing holds it.

    Days are of 24 hours, from when the store made the order final.
    """
    if not days or report.status != VALIDATED:
        return None
    return (report.validated_at or report.modified_at) + timedelta(days=days)


def stored(settlement_ids: Collection[int]) -> dict[int, list[Awarded]]:
    """The awards of each of these settlements, in rule order."""
    found: dict[int, list[Awarded]] = defaultdict(list)
    if any(settlement_ids):
        rows = Award.objects.filter(settlement__id__among=settlement_ids)
        columns = rows.order_by("id").values_list("settlement_id", *Awarded._fields)
        for settlement_id, *award in columns:
            found[settlement_id].append(Awarded(*award))
    return found


def next_due(awards: Iterable[Awarded], *, at: datetime) -> datetime | None:
    """When the first of these is held no longer; None where none is held."""
    return min((a.held_until for a in awards if a.held(at=at)), default=None)  # type: ignore[type-var]
