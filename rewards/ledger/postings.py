"""What is to be posted: changes of members' pots, and why they happen."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from rewards.models import Account, Transfer


class Pot(NamedTuple):
    """An account by its meaning: whose, of what, which kind. Sorts; locks follow it.

    ``member_id`` 0 stands for the program.
    """

    member_id: int
    unit_id: int
    kind: str

    def of_kind(self, kind: Account.Kind) -> "Pot":
        """The same owner's pot of another kind."""
        return Pot(self.member_id, self.unit_id, kind.value)

    def of_program(self, kind: Account.Kind) -> "Pot":
        """The program's pot of that kind in the same unit."""
        return Pot(0, self.unit_id, kind.value)


Vector = Mapping[Pot, int]
"""Amounts in the unit's smallest step, by member's pot."""

Lives = Mapping[int | None, int]
"""How much has how many days to live once it is available; None is for ever."""


@dataclass(frozen=True, slots=True)
class Posting:
    """Changes that belong together, and why they happen.

    A change of ``available`` is of what the member can spend less what it owes: where
    too little is left to take, the rest becomes debt, unless it may not (``may_owe``).
    What members gain or lose in all, the program's ``counter`` account gives or takes.
    ``lives`` is how all that is available of a purchase (or adjustment) should expire,
    in days of ``zone``; what has no entry lives for ever. ``spends`` names the lots to
    draw from, by id; where empty, they are the origin's own, then what expires first.
    """

    changes: Vector
    source: Transfer.Source
    reference: str
    counter: Account.Kind = Account.Kind.ISSUED
    settlement_id: int | None = None
    purchase_id: int | None = None
    redemption_id: int | None = None
    adjustment_id: int | None = None
    effective_at: datetime | None = None
    may_owe: bool = True
    lives: Mapping[Pot, Lives] = field(default_factory=dict)
    zone: str = "UTC"
    spends: Mapping[int, int] = field(default_factory=dict)

    @property
    def origin(self) -> tuple[int | None, int | None]:
        """The purchase or the adjustment that lots of it belong to."""
        return self.purchase_id, self.adjustment_id


class Posted(NamedTuple):
    """What stands in members' pots because of one purchase, zeros left out.

    What went to ``debt`` counts as ``available``. ``effective_at`` is the latest.
    """

    vector: Vector
    effective_at: datetime | None


NOTHING_POSTED = Posted({}, None)


class NotEnough(Exception):
    """The member has too little available for this; nothing is posted."""

    def __init__(self, pot: Pot, *, missing: int) -> None:
        super().__init__(f"{missing} too little is available.")
        self.pot, self.missing = pot, missing
