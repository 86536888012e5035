"""What a rule's limits leave it to grant. Pure: who used how much is told."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

PER_ORDER, PER_MEMBER, PER_MEMBER_COUNT, BUDGET = (
    "per_order",
    "per_member",
    "per_member_count",
    "budget",
)


class Use(NamedTuple):
    """How far one limit is used up, as this purchase is settled.

    In the unit's smallest step; for ``per_member_count`` in purchases. ``used`` is by
    others, ``held`` by this purchase already: a limit never takes back what it has
    granted, and room that others give back is there again.
    """

    limit: str
    cap: int
    used: int = 0
    held: int = 0

    @property
    def room(self) -> int | None:
        """The most the rule may grant, or None where this limit sets no bound."""
        if self.limit == PER_MEMBER_COUNT:
            return None if self.held or self.used < self.cap else 0
        return max(self.held, self.cap - self.used)


def room(uses: Iterable[Sequence[object]]) -> int | None:
    """The least of what these limits leave; None where none sets a bound."""
    rooms = [Use(*use).room for use in uses]  # type: ignore[arg-type]
    return min((most for most in rooms if most is not None), default=None)
