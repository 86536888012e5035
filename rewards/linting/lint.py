"""Every check, on one program and the world as it is."""

from collections.abc import Callable, Iterator
from datetime import datetime

from rewards.linting import amounts, dates, meetings, names, orders, zones
from rewards.linting.finding import WARNING, Finding
from rewards.linting.world import World, look
from rewards.program.vocabulary import Program

Check = Callable[[Program, World], Iterator[Finding]]
CHECKS: tuple[Check, ...] = (
    amounts.check,
    meetings.check,
    dates.check,
    zones.check,
    names.check,
    orders.check,
)


def findings(program: Program, *, at: datetime) -> list[Finding]:
    """What to look at before publishing, warnings first, then in rule order."""
    world = look(at)
    places = {rule.key: place for place, rule in enumerate(program.rules)}
    return sorted(
        (finding for check in CHECKS for finding in check(program, world)),
        key=lambda found: (found.severity != WARNING, places.get(found.rule, -1)),
    )
