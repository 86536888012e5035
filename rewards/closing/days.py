"""Days of the program: when they begin and end, and what is counted at their end."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple

from django.db.models import Max

from rewards.models import Close, Settlement, Transfer
from rewards.program.editions import zone

DAY = timedelta(days=1)
SETTLES = timedelta(minutes=15)
"""How long after its end a day is left alone."""


class Cut(NamedTuple):
    """What is counted: rows of a clock before ``until``, that there were by then.

    ``transfer`` and ``settlement`` are the newest ids when the close was drawn up.
    """

    until: datetime
    transfer: int
    settlement: int

    @classmethod
    def of(cls, close: Close) -> "Cut":
        return cls(close.until, close.newest_transfer, close.newest_settlement)

    @classmethod
    def now(cls, *, until: datetime) -> "Cut":
        """What there is now of before that time."""
        transfer = Transfer.objects.aggregate(id=Max("id"))["id"]
        settlement = Settlement.objects.aggregate(id=Max("id"))["id"]
        return cls(until, transfer or 0, settlement or 0)


def begins(day: date, *, at: datetime) -> datetime:
    """When the day begins by the clocks of the program, as of ``at``; in UTC."""
    return datetime.combine(day, time.min, tzinfo=zone(at)).astimezone(UTC)


def local_day(instant: datetime, *, at: datetime) -> date:
    """The day that this instant is on by the clocks of the program."""
    return instant.astimezone(zone(at)).date()


def last_close() -> Close | None:
    """The close of the newest day that has one."""
    return Close.objects.order_by("-day").first()


def before(close: Close) -> Close | None:
    """The close of the day before."""
    return Close.objects.filter(day__lt=close.day).order_by("-day").first()


def next_day(*, at: datetime) -> date | None:
    """The first day without a close; None while nothing was ever posted."""
    if last := last_close():
        return last.day + DAY
    first = Transfer.objects.order_by("recorded_at").first()
    return local_day(first.recorded_at, at=at) if first else None


def closable(*, at: datetime) -> Iterator[date]:
    """Every day without a close that is over by now, in their order."""
    day = next_day(at=at)
    while day is not None and begins(day + DAY, at=at) + SETTLES <= at:
        yield day
        day += DAY
