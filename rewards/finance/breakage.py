"""What became of what was given in each month: redeemed, expired, still there."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Sum
from django.db.models.functions import TruncMonth

from rewards.models import Account, Draw, Lot, Unit

_KIND = Account.Kind


@dataclass(frozen=True, slots=True)
class Cohort:
    """What became available in one month, and where it is; smallest steps.

    ``other`` was taken back, adjusted away, paid a debt or was written off.
    """

    month: date
    unit: Unit
    issued: int
    redeemed: int
    expired: int
    reserved: int
    remaining: int

    @property
    def other(self) -> int:
        known = self.redeemed + self.expired + self.reserved + self.remaining
        return self.issued - known

    @property
    def breakage(self) -> int:
        """How many per cent of it expired, rounded down."""
        return 100 * self.expired // self.issued


def cohorts(*, zone: ZoneInfo) -> list[Cohort]:
    """Every month's, the newest first; months are of that time zone."""
    units = Unit.objects.in_bulk()
    month = TruncMonth("since", tzinfo=zone)
    lots = Lot.objects.order_by().annotate(month=month)
    rows = lots.values_list("month", "account__unit_id").annotate(
        issued=Sum("amount"), left=Sum("remaining")
    )
    drawn = _drawn(zone)
    return [
        _cohort(at.date(), units[unit], issued, left, drawn[at.date(), unit])
        for at, unit, issued, left in sorted(rows, key=_newest_first)
    ]


def _newest_first(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return -row[0].toordinal(), row[1]


def _cohort(
    month: date, unit: Unit, issued: int, left: int, drawn: Mapping[str, int]
) -> Cohort:
    redeemed, expired, reserved = (
        drawn.get(kind.value, 0)
        for kind in (_KIND.REDEEMED, _KIND.EXPIRED, _KIND.RESERVED)
    )
    return Cohort(month, unit, issued, redeemed, expired, reserved, left)


def _drawn(zone: ZoneInfo) -> dict[tuple[date, int], dict[str, int]]:
    """Where what left each month's lots is now, by kind of account."""
    month = TruncMonth("lot__since", tzinfo=zone)
    rows = (
        Draw.objects.order_by()
        .annotate(month=month)
        .values_list(
            *("month", "lot__account__unit_id"),
            *("transfer__from_account__kind", "transfer__to_account__kind"),
        )
        .annotate(sum=Sum("amount"))
    )
    found: dict[Any, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for at, unit, taken_from, given_to, amount in rows:
        found[at.date(), unit][taken_from] -= amount
        found[at.date(), unit][given_to] += amount
    return found
