"""Accounts while a batch is posted: found, made where missing, locked in order."""

from collections.abc import Iterable, Sequence

from rewards import bulk
from rewards.ledger.postings import Pot
from rewards.models import Account


def lock(pots: Iterable[Pot]) -> tuple[dict[Pot, int], dict[Pot, int]]:
    """Ids of all these members' accounts and of the program's, and members' balances.

    Made where missing; members' are locked in order.
    """
    wanted = sorted(set(pots))
    found, held = _find(wanted)
    if missing := [pot for pot in wanted if pot not in found]:
        _insert(missing)
        again, balances = _find(missing)
        found |= again
        held |= balances
    return found, held


def make(pots: Sequence[Pot]) -> dict[Pot, int]:
    """Accounts that turn out to be needed; their members' others are locked."""
    _insert(pots)
    return _find(pots)[0]


def _insert(pots: Sequence[Pot]) -> None:
    bulk.insert_missing(
        Account,
        ("member_id", "unit_id", "kind", "balance"),
        [(pot.member_id or None, pot.unit_id, pot.kind, _opening(pot)) for pot in pots],
    )


def _opening(pot: Pot) -> int | None:
    """What a new account starts with; the program's have no balance to keep."""
    return 0 if pot.member_id else None


def _find(pots: Sequence[Pot]) -> tuple[dict[Pot, int], dict[Pot, int]]:
    columns = ("member_id", "unit_id", "kind", "pk", "balance")
    members = {pot.member_id for pot in pots if pot.member_id}
    # The program's accounts have no balance, so nobody has to wait for them.
    owned = (
        Account.objects.filter(member__id__among=members)
        .order_by("pk")
        .select_for_update(no_key=True)
    )
    shared = Account.objects.filter(member=None)
    rows = [*owned.values_list(*columns), *shared.values_list(*columns)]
    ids = {Pot(member or 0, unit, kind): pk for member, unit, kind, pk, _ in rows}
    held = {
        Pot(member, unit, kind): balance
        for member, unit, kind, _, balance in rows
        if member
    }
    return ids, held
