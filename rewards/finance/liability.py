"""What members hold, in units and in money: day by day, and on any date."""

from collections.abc import Iterator
from datetime import date, datetime
from fractions import Fraction
from math import floor
from typing import NamedTuple

from rewards.closing.days import last_close
from rewards.closing.unit_worths import Worths, worths
from rewards.ledger.statements import Held, liability
from rewards.models import Close, Unit


class Holding(NamedTuple):
    """What all members hold of one unit, in its smallest step.

    ``owed`` is what they can spend, now or later, less what they owe; ``money`` what
    it is worth in minor units of ``currency``, rounded down, None where nobody has
    said what the unit is worth.
    """

    unit: Unit
    held: Held
    currency: str
    money: int | None

    @property
    def owed(self) -> int:
        held = self.held
        return held.pending + held.available + held.reserved - held.debt


def on(*, as_of: datetime, known_on: datetime | None = None) -> list[Holding]:
    """What members held at that time, as it was known on another."""
    units = Unit.objects.in_bulk()
    found = liability(as_of=as_of, known_on=known_on)
    worth = worths(until=known_on or as_of)
    return [_holding(units[id], held, worth) for id, held in sorted(found.items())]


def by_day(*, since: date | None = None) -> Iterator[tuple[date, list[Holding]]]:
    """What members held at the end of each closed day, the oldest first.

    In money by what units were worth at the end of the last of them.
    """
    last = last_close()
    if last is None:
        return
    worth = worths(until=last.until)
    closes = Close.objects.order_by("day")
    if since:
        closes = closes.filter(day__gte=since)
    units = {unit.code: unit for unit in Unit.objects.all()}
    for day, figures in closes.values_list("day", "figures").iterator():
        held = figures["held"].items()
        yield day, [_holding(units[c], Held(**kinds), worth) for c, kinds in held]


def _holding(unit: Unit, held: Held, worth: Worths) -> Holding:
    currency, value = worth.get(unit.pk, ("", Fraction()))
    holding = Holding(unit, held, currency, None)
    return holding._replace(money=floor(holding.owed * value)) if currency else holding
