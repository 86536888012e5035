"""The only writer of transfers and balances."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from rewards import bulk
from rewards.models import Account, Transfer


class Pot(NamedTuple):
    """An account by its meaning: whose, of what, which kind. Sorts; locks follow it.

    ``member_id`` 0 stands for the program.
    """

    member_id: int
    unit_id: int
    kind: str


Vector = Mapping[Pot, int]
"""Amounts in the unit's smallest step, by member's pot."""


@dataclass(frozen=True, slots=True)
class Posting:
    """Changes of members' pots that belong together, and why they happen."""

    changes: Vector
    source: str
    reference: str
    settlement_id: int | None = None
    purchase_id: int | None = None


class Move(NamedTuple):
    """One transfer to be: a positive amount between two pots."""

    taken_from: Pot
    given_to: Pot
    amount: int


def post(postings: Sequence[Posting], *, at: datetime) -> None:
    """Write the transfers of all postings, then every balance by one UPDATE.

    Inside the caller's transaction. What a member gains comes from their other pots
    first (pending turning available is one transfer), else from the program.
    """
    if not postings:
        return
    moves = [(posting, list(_moves(posting.changes))) for posting in postings]
    accounts = _lock_accounts(
        {pot for _, made in moves for m in made for pot in (m.taken_from, m.given_to)}
    )
    bulk.insert(
        Transfer,
        (
            "from_account_id",
            "to_account_id",
            "amount",
            "settlement_id",
            "purchase_id",
            "source",
            "reference",
            "recorded_at",
        ),
        [
            (
                accounts[move.taken_from],
                accounts[move.given_to],
                move.amount,
                posting.settlement_id,
                posting.purchase_id,
                posting.source,
                f"{posting.reference}.{index}",
                at,
            )
            for posting, made in moves
            for index, move in enumerate(made)
        ],
    )
    totals: defaultdict[int, int] = defaultdict(int)
    for posting in postings:
        for pot, change in posting.changes.items():
            totals[accounts[pot]] += change
    bulk.increase(Account, "balance", sorted(totals.items()))


def posted(purchase_ids: Sequence[int]) -> dict[int, dict[Pot, int]]:
    """What stands in members' pots because of each purchase, zeros left out."""
    vectors: dict[int, dict[Pot, int]] = defaultdict(lambda: defaultdict(int))
    for sign, side in ((1, "to_account"), (-1, "from_account")):
        rows = Transfer.objects.filter(
            purchase_id__in=purchase_ids, **{f"{side}__member__isnull": False}
        ).values_list(
            "purchase_id",
            f"{side}__member_id",
            f"{side}__unit_id",
            f"{side}__kind",
            "amount",
        )
        for purchase_id, member_id, unit_id, kind, amount in rows:
            vectors[purchase_id][Pot(member_id, unit_id, kind)] += sign * amount
    return {
        id: {pot: amount for pot, amount in vector.items() if amount}
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


def _moves(changes: Vector) -> Iterator[Move]:
    """Pair losses with gains of the same member and unit; the rest is the program's."""
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
                yield Move(_issued(pot), pot, gain)
        for loser, left in losses.items():
            if left:
                yield Move(loser, _issued(loser), left)


def _issued(pot: Pot) -> Pot:
    return Pot(0, pot.unit_id, Account.Kind.ISSUED)


def _lock_accounts(pots: Iterable[Pot]) -> dict[Pot, int]:
    """The id of each pot's account, made where missing; members' locked in order."""
    wanted = sorted(set(pots))
    found = _accounts(wanted)
    if missing := [pot for pot in wanted if pot not in found]:
        bulk.insert_missing(
            Account,
            ("member_id", "unit_id", "kind", "balance"),
            [
                (pot.member_id or None, pot.unit_id, pot.kind, _opening(pot))
                for pot in missing
            ],
        )
        found |= _accounts(missing)
    return found


def _opening(pot: Pot) -> int | None:
    """What a new account starts with; the program's have no balance to keep."""
    return 0 if pot.member_id else None


def _accounts(pots: Sequence[Pot]) -> dict[Pot, int]:
    columns = ("member_id", "unit_id", "kind", "pk")
    members = {pot.member_id for pot in pots if pot.member_id}
    # The program's accounts have no balance, so nobody has to wait for them.
    owned = (
        Account.objects.filter(member__id__among=members)
        .order_by("pk")
        .select_for_update(no_key=True)
    )
    shared = Account.objects.filter(member=None)
    rows = [*owned.values_list(*columns), *shared.values_list(*columns)]
    return {Pot(member or 0, unit, kind): pk for member, unit, kind, pk in rows}
