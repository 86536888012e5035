"""Lots while a batch is posted: which are drawn from, which are made, which get back.

Every credit to ``available`` makes lots, every debit names those it used. What is
reserved still belongs to its lots, so that a cancel can give it back to them.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import NamedTuple, Self
from zoneinfo import ZoneInfo

from django.db.models import Q

from rewards import bulk
from rewards.ledger import drawn
from rewards.ledger.drawn import Origin
from rewards.ledger.postings import Lives, Posting, Pot
from rewards.models import Account, Draw, Lot

_NEVER = datetime.max.replace(tzinfo=UTC)
_KIND = Account.Kind


class LotsMissing(Exception):
    """An account holds more than its lots say: the books are wrong already."""


class Part(NamedTuple):
    """Some of a lot, on its way with the transfer of this index in the batch."""

    lot: "Open"
    transfer: int
    amount: int


@dataclass(slots=True, eq=False)
class Open:
    """A lot in memory. Of one made now, ``amount`` is what it began with, and
    ``made_by`` the index of its transfer. ``expired`` of it has gone, last at
    ``expired_at``; that is known where it may be taken back."""

    pot: Pot
    remaining: int
    expires_at: datetime | None
    days: int | None
    origin: Origin
    id: int = 0
    change: int = 0
    amount: int = 0
    made_by: int = 0
    expired: int = 0
    expired_at: datetime = _NEVER

    @property
    def urgency(self) -> tuple[datetime, int]:
        """Sorts by expiry; then the older lot first, and a new one last."""
        return self.expires_at or _NEVER, self.id or 2**63

    def take(self, amount: int) -> None:
        self.remaining -= amount
        self.change -= amount


@dataclass(slots=True)
class Lots:
    """The lots that a batch of postings may touch; all their accounts are locked."""

    open: dict[Pot, list[Open]] = field(default_factory=lambda: defaultdict(list))
    by_id: dict[int, Open] = field(default_factory=dict)
    reserved: dict[int, dict[int, int]] = field(default_factory=dict)
    adjusted: dict[int, dict[int, int]] = field(default_factory=dict)
    given: dict[int, dict[Pot, dict[int | None, int]]] = field(default_factory=dict)
    parts: list[Part] = field(default_factory=list)
    made: list[Open] = field(default_factory=list)

    @classmethod
    def load(cls, postings: Sequence[Posting], accounts: Mapping[Pot, int]) -> Self:
        """Read what these postings need, and nothing where they only give."""
        lots = cls()
        lots.reserved = drawn.held_by_redemption(
            {p.redemption_id for p in postings if _spends(p)}
        )
        lots.adjusted = drawn.taken_by_adjustment(
            {p.adjustment_id for p in postings if _gain(p)}
        )
        lots.given = drawn.given_by_purchase(
            {p.purchase_id for p in postings if _tops_up(p)}
        )
        losing = {pot for p in postings for pot in _losses(p)}
        expired = drawn.expired_by_lot(
            {p.origin for p in postings if any(p.origin) and any(_losses(p))}
        )
        named = {id for held in lots.reserved.values() for id in held}
        named |= {id for held in lots.adjusted.values() for id in held}
        named |= {id for p in postings for id in p.spends}
        named |= expired.keys()
        lots._read({accounts[pot] for pot in losing}, named)
        for id, (amount, since) in expired.items():
            lots.by_id[id].expired, lots.by_id[id].expired_at = amount, since
        return lots

    def draw(self, pot: Pot, amount: int, posting: Posting, transfer: int) -> None:
        """Take so much out of a member's lots. Raises LotsMissing."""
        for lot, most in self._to_draw(pot, posting):
            part = min(lot.remaining, most, amount)
            if part > 0:
                lot.take(part)
                self.parts.append(Part(lot, transfer, part))
                amount -= part
            if not amount:
                return
        raise LotsMissing(f"{amount} of {pot} are in no lot")

    def carry(self, posting: Posting, amount: int, transfer: int) -> list[Part]:
        """What lots a redemption's reserve is of, as it moves. Raises LotsMissing."""
        held = self.reserved.get(posting.redemption_id or 0, {})
        moved = self._pass_on(held, amount, transfer)
        if sum(part.amount for part in moved) != amount:
            raise LotsMissing(f"redemption {posting.redemption_id} holds too little")
        return moved

    def give_back(self, posting: Posting, amount: int, transfer: int) -> int:
        """Give back to the lots that an adjustment drew from; how much that was."""
        held = self.adjusted.get(posting.adjustment_id or 0, {})
        moved = self._pass_on(held, amount, transfer)
        for part in moved:
            part.lot.take(-part.amount)
        return sum(part.amount for part in moved)

    def expired_of(
        self, pot: Pot, amount: int, posting: Posting
    ) -> list[tuple[Open, int]]:
        """What has expired of so much of the posting's own, and of which lots."""
        own = [lot for lot in self.open[pot] if lot.origin == posting.origin]
        missing = amount - sum(lot.remaining for lot in own)
        found = []
        for lot in sorted(own, key=lambda lot: lot.urgency):
            part = min(lot.expired, missing)
            if any(posting.origin) and part > 0:
                missing -= part
                found.append((lot, part))
        return found

    def revive(self, lot: Open, amount: int, transfer: int) -> None:
        """Put back into a lot what had expired of it."""
        lot.take(-amount)
        lot.expired -= amount
        self.parts.append(Part(lot, transfer, amount))

    def make(
        self, pot: Pot, amount: int, posting: Posting, transfer: int, *, at: datetime
    ) -> None:
        """Make the lots of a credit, each with its own expiry."""
        given = self.given.get(posting.purchase_id or 0, {}).get(pot, {})
        for days, part in _portions(amount, posting.lives.get(pot, {}), given):
            expires_at = expiry(at, days=days, zone=posting.zone)
            lot = Open(pot, part, expires_at, days, posting.origin)
            lot.amount, lot.made_by = part, transfer
            self.open[pot].append(lot)
            self.made.append(lot)

    def write(
        self, accounts: Mapping[Pot, int], transfers: Sequence[int], *, at: datetime
    ) -> None:
        """Write lots that were made, what was drawn, and what remains of the others."""
        ids = bulk.reserve_ids(Lot, len(self.made)) if self.made else []
        for lot, id in zip(self.made, ids, strict=True):
            lot.id = id
        bulk.insert(Lot, _LOT, [_row(t, accounts, transfers, at) for t in self.made])
        bulk.insert(
            Draw,
            ("lot_id", "transfer_id", "amount"),
            [(p.lot.id, transfers[p.transfer], p.amount) for p in self.parts],
        )
        changes = [(lot.id, lot.change) for lot in self.by_id.values() if lot.change]
        bulk.increase(Lot, "remaining", sorted(changes))

    def _to_draw(self, pot: Pot, posting: Posting) -> Iterator[tuple[Open, int]]:
        """Lots in the order in which they are used, and how much of each may be."""
        if posting.spends:
            for id, most in sorted(posting.spends.items()):
                yield self.by_id[id], most
            return
        own = posting.origin
        mine = any(own)
        for lot in sorted(
            self.open[pot],
            key=lambda lot: (not (mine and lot.origin == own), lot.urgency),
        ):
            yield lot, lot.remaining

    def _pass_on(self, held: dict[int, int], amount: int, transfer: int) -> list[Part]:
        moved = []
        lots = sorted((self.by_id[id] for id in held), key=lambda lot: lot.urgency)
        for lot in lots:
            part = min(held[lot.id], amount)
            if part > 0:
                held[lot.id] -= part
                amount -= part
                moved.append(Part(lot, transfer, part))
        self.parts += moved
        return moved

    def _read(self, accounts: Collection[int], named: Collection[int]) -> None:
        if not accounts and not named:
            return
        open_lots = Q(account__id__among=accounts, remaining__gt=0)
        rows = Lot.objects.filter(open_lots | Q(pk__among=named)).values_list(
            *("account__member_id", "account__unit_id", "account__kind", "remaining"),
            *("expires_at", "days", "purchase_id", "adjustment_id", "id"),
        )
        for *pot, remaining, expires_at, days, purchase_id, adjustment_id, id in rows:
            origin = purchase_id, adjustment_id
            lot = Open(Pot(*pot), remaining, expires_at, days, origin, id)
            self.by_id[id] = lot
            self.open[lot.pot].append(lot)


def expiry(at: datetime, *, days: int | None, zone: str) -> datetime | None:
    """When what becomes available now expires: at the end of a day of that zone.

    Usable through the whole day that is so many days after today.
    """
    if days is None:
        return None
    local = ZoneInfo(zone)
    end = at.astimezone(local).date() + timedelta(days=days + 1)
    return datetime.combine(end, time.min, tzinfo=local).astimezone(UTC)


_LOT = (
    *("id", "account_id", "transfer_id", "purchase_id", "adjustment_id"),
    *("amount", "remaining", "days", "expires_at", "since"),
)


def _row(
    lot: Open, accounts: Mapping[Pot, int], transfers: Sequence[int], at: datetime
) -> tuple[object, ...]:
    """A new lot, in the order of its columns."""
    return (
        *(lot.id, accounts[lot.pot], transfers[lot.made_by], *lot.origin),
        *(lot.amount, lot.remaining, lot.days, lot.expires_at, at),
    )


def _losses(posting: Posting) -> Iterator[Pot]:
    """The pots that something is drawn from."""
    for pot, change in posting.changes.items():
        if pot.kind == _KIND.AVAILABLE and change < 0:
            yield pot


def _gain(posting: Posting) -> int:
    """How much becomes available, in all."""
    return sum(
        max(change, 0)
        for pot, change in posting.changes.items()
        if pot.kind == _KIND.AVAILABLE
    )


def _spends(posting: Posting) -> bool:
    """Whether something leaves ``reserved``."""
    return any(
        pot.kind == _KIND.RESERVED and change < 0
        for pot, change in posting.changes.items()
    )


def _tops_up(posting: Posting) -> bool:
    """Whether a purchase gives more where it has given something before."""
    wanted = sum(sum(lives.values()) for lives in posting.lives.values())
    return bool(posting.purchase_id and (gain := _gain(posting)) and gain != wanted)


def _portions(
    amount: int, wanted: Lives, given: Mapping[int | None, int]
) -> Iterator[tuple[int | None, int]]:
    """How a credit is cut by days to live: what lives longest is filled up first."""
    longest = sorted(wanted, key=lambda days: (days is not None, -(days or 0)))
    for days in longest:
        part = min(max(wanted[days] - given.get(days, 0), 0), amount)
        if part:
            yield days, part
            amount -= part
    if amount:
        yield (longest[0] if longest else None), amount
