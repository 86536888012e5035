"""The only writer of transfers, lots and balances."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, Self

from django.db import DEFAULT_DB_ALIAS

from rewards import bulk
from rewards.ledger import accounts, debts
from rewards.ledger.lots import Lots
from rewards.ledger.postings import NotEnough, Posted, Posting, Pot, Vector
from rewards.models import Account, Terms, Transfer

_KIND = Account.Kind
_SOURCE = Transfer.Source
_TRANSFER = (
    *("id", "from_account_id", "to_account_id", "amount"),
    *("settlement_id", "purchase_id", "redemption_id", "adjustment_id"),
    *("source", "reference", "effective_at", "recorded_at"),
)


class Move(NamedTuple):
    """One transfer to be: a positive amount between two pots."""

    taken_from: Pot
    given_to: Pot
    amount: int


def post(postings: Sequence[Posting], *, at: datetime) -> None:
    """Write the transfers of all postings, one after another, with lots and balances.

    Inside the caller's transaction. What a member gains comes from their other pots
    first (pending turning available is one transfer), else from the posting's counter
    account. Whoever is in debt and gains something available pays it back at once. All
    or nothing: raises NotEnough.
    """
    if not postings:
        return
    book = _Book.open(postings, at=at)
    for posting in postings:
        book.enter(posting)
    book.write()


def posted(
    purchase_ids: Sequence[int], *, using: str = DEFAULT_DB_ALIAS
) -> dict[int, Posted]:
    """What stands in members' pots because of each purchase."""
    vectors: dict[int, dict[Pot, int]] = defaultdict(lambda: defaultdict(int))
    latest: dict[int, datetime] = {}
    for sign, side in ((1, "to_account"), (-1, "from_account")):
        rows = (
            Transfer.objects.using(using)
            .filter(purchase_id__in=purchase_ids, **{f"{side}__member__isnull": False})
            .values_list(
                "purchase_id",
                f"{side}__member_id",
                f"{side}__unit_id",
                f"{side}__kind",
                "amount",
                "effective_at",
            )
        )
        for purchase_id, member_id, unit_id, kind, amount, effective_at in rows:
            counted = _KIND.AVAILABLE.value if kind == _KIND.DEBT else kind
            vectors[purchase_id][Pot(member_id, unit_id, counted)] += sign * amount
            latest[purchase_id] = max(
                effective_at, latest.get(purchase_id, effective_at)
            )
    return {
        id: Posted({pot: a for pot, a in vector.items() if a}, latest[id])
        for id, vector in vectors.items()
    }


def difference(target: Vector, current: Vector) -> dict[Pot, int]:
    """What has to change for ``current`` to become ``target``."""
    if not current:
        return {pot: amount for pot, amount in target.items() if amount}
    changes = {
        pot: target.get(pot, 0) - current.get(pot, 0) for pot in {*target, *current}
    }
    return {pot: change for pot, change in changes.items() if change}


class _Entry(NamedTuple):
    """A move with what it is part of; ``reference`` is the transfer's own."""

    move: Move
    posting: Posting
    reference: str


@dataclass(slots=True)
class _Book:
    """Balances and lots of the members concerned, locked, while postings change them.

    ``held`` are the balances of members' pots as they now stand.
    """

    at: datetime
    accounts: dict[Pot, int]
    held: dict[Pot, int]
    lots: Lots
    before: dict[Pot, int] = field(init=False)
    entries: list[_Entry] = field(default_factory=list)
    forgiven: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.before = dict(self.held)

    @classmethod
    def open(cls, postings: Sequence[Posting], *, at: datetime) -> Self:
        """Lock every account of the members concerned, then read their lots."""
        pots = {pot for posting in postings for pot in posting.changes}
        pots |= {
            _counter(pot, posting) for posting in postings for pot in posting.changes
        }
        ids, held = accounts.lock(pots)
        return cls(at, ids, held, Lots.load(postings, ids))

    def enter(self, posting: Posting) -> None:
        """Make one posting's transfers. Raises NotEnough."""
        first = len(self.entries)
        for move in _moves(posting):
            self._revive(move, posting, first)
            for possible in self._possible(move, posting):
                self._transfer(possible, posting, first)
        for owner in sorted({pot[:2] for pot in posting.changes}):
            self._settle_debt(Pot(*owner, _KIND.AVAILABLE.value), posting, first)

    def write(self) -> None:
        """Write everything that was entered."""
        ids = bulk.reserve_ids(Transfer, len(self.entries))
        rows = [self._row(id, e) for id, e in zip(ids, self.entries, strict=True)]
        bulk.insert(Transfer, _TRANSFER, rows)
        self.lots.write(self.accounts, ids, at=self.at)
        changes = [
            (self.accounts[pot], change)
            for pot, balance in self.held.items()
            if (change := balance - self.before.get(pot, 0))
        ]
        bulk.increase(Account, "balance", sorted(changes))
        debts.tell([*self._opened(ids)], at=self.at)

    def _opened(self, ids: Sequence[int]) -> Iterator[debts.Opened]:
        """The debts that are made here and stand."""
        for id, entry in zip(ids, self.entries, strict=True):
            pot = entry.move.taken_from
            if pot.kind == _KIND.DEBT and self.held[pot]:
                purchase_id = entry.posting.purchase_id
                yield debts.Opened(id, pot, entry.move.amount, purchase_id)

    def _revive(self, move: Move, posting: Posting, first: int) -> None:
        """Undo the expiry of what is taken back now: nobody loses it twice."""
        available = move.taken_from
        if available.kind != _KIND.AVAILABLE:
            return
        expired = available.of_program(_KIND.EXPIRED)
        for lot, amount in self.lots.expired_of(available, move.amount, posting):
            self.lots.revive(lot, amount, len(self.entries))
            undone = Move(expired, available, amount)
            since = max(lot.expired_at, posting.effective_at or self.at)
            self._aside(undone, _SOURCE.REVIVAL, posting, first, effective_at=since)

    def _possible(self, move: Move, posting: Posting) -> Iterator[Move]:
        """The move; what is not there to be taken becomes the member's debt."""
        source = move.taken_from
        if source.kind != _KIND.AVAILABLE:
            yield move
            return
        there = min(move.amount, self.held.get(source, 0))
        if there:
            yield move._replace(amount=there)
        if missing := move.amount - there:
            if not posting.may_owe:
                raise NotEnough(source, missing=missing)
            debt = source.of_kind(_KIND.DEBT)
            yield move._replace(taken_from=debt, amount=missing)

    def _settle_debt(self, available: Pot, posting: Posting, first: int) -> None:
        """Pay a debt from what is available; forgive what is left, if it is little."""
        debt = available.of_kind(_KIND.DEBT)
        owed = self.held.get(debt, 0)
        if amount := min(owed, self.held.get(available, 0)):
            self._transfer(Move(available, debt, amount), posting, first)
        left = owed - amount
        if left and left <= self._forgives(debt.unit_id):
            forgiven = Move(debt.of_program(_KIND.WRITTEN_OFF), debt, left)
            self._aside(forgiven, _SOURCE.FORGIVENESS, posting, first)

    def _forgives(self, unit_id: int) -> int:
        if unit_id not in self.forgiven:
            self.forgiven[unit_id] = Terms.of(unit_id).forgive_below
        return self.forgiven[unit_id]

    def _aside(
        self,
        move: Move,
        source: Transfer.Source,
        posting: Posting,
        first: int,
        *,
        effective_at: datetime | None = None,
    ) -> None:
        """Enter what happens in the course of a posting, and is none of its own."""
        reference = f"{posting.source}-{posting.reference}.{len(self.entries) - first}"
        aside = Posting({}, source, reference, effective_at=effective_at)
        self._enter(_Entry(move, aside, reference))

    def _transfer(self, move: Move, posting: Posting, first: int) -> None:
        index = len(self.entries)
        reference = f"{posting.reference}.{index - first}"
        self._enter(_Entry(move, posting, reference))
        source, target, amount = move
        if source.kind == _KIND.AVAILABLE:
            self.lots.draw(source, amount, posting, index)
        elif source.kind == _KIND.RESERVED:
            parts = self.lots.carry(posting, amount, index)
            if target.kind == _KIND.AVAILABLE:
                for part in parts:
                    part.lot.take(-part.amount)
        elif target.kind == _KIND.AVAILABLE:
            back = self.lots.give_back(posting, amount, index)
            if amount > back:
                self.lots.make(target, amount - back, posting, index, at=self.at)

    def _enter(self, entry: _Entry) -> None:
        self.entries.append(entry)
        source, target, amount = entry.move
        for pot, change in ((source, -amount), (target, amount)):
            if pot not in self.accounts:
                self.accounts |= accounts.make([pot])
            if pot.member_id:
                # A debt is what went out of its account and has not come back.
                signed = -change if pot.kind == _KIND.DEBT else change
                self.held[pot] = self.held.get(pot, 0) + signed

    def _row(self, id: int, entry: _Entry) -> tuple[Any, ...]:
        posting, (source, target, amount) = entry.posting, entry.move
        happened = min(posting.effective_at or self.at, self.at)
        return (
            *(id, self.accounts[source], self.accounts[target], amount),
            *(posting.settlement_id, posting.purchase_id),
            *(posting.redemption_id, posting.adjustment_id),
            *(posting.source.value, entry.reference, happened, self.at),
        )


def _moves(posting: Posting) -> Iterator[Move]:
    """Pair losses with gains of the same member and unit; the rest is the program's."""
    changes = posting.changes
    owners = sorted({(pot.member_id, pot.unit_id) for pot in changes})
    for owner in owners:
        own = sorted(pot for pot in changes if (pot.member_id, pot.unit_id) == owner)
        losses = {pot: -changes[pot] for pot in own if changes[pot] < 0}
        for pot in own:
            gain = max(changes[pot], 0)
            for loser, left in losses.items():
                if amount := min(gain, left):
                    yield Move(loser, pot, amount)
                    gain -= amount
                    losses[loser] -= amount
            if gain:
                yield Move(_counter(pot, posting), pot, gain)
        for loser, left in losses.items():
            if left:
                yield Move(loser, _counter(loser, posting), left)


def _counter(pot: Pot, posting: Posting) -> Pot:
    return pot.of_program(posting.counter)
