"""What members owe, and for which purchase or adjustment."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from django.db.models import Q, Sum

from rewards.ledger.postings import Pot
from rewards.models import Account, Adjustment, Member, Purchase, Transfer, Unit
from rewards.outbox import writing
from rewards.outbox.writing import Fact

_KIND = Account.Kind
_ORIGIN = ("purchase_id", "adjustment_id")
_MOVED = ("amount", "effective_at")
_Origin = tuple[int, int | None, int | None]


class Opened(NamedTuple):
    """A debt that a transfer has just made, in the unit's smallest step."""

    transfer_id: int
    pot: Pot
    amount: int
    purchase_id: int | None


def tell(opened: Sequence[Opened], *, at: datetime) -> None:
    """Tell host applications of new debts, and which order each is for."""
    if not opened:
        return
    members = Member.objects.in_bulk([debt.pot.member_id for debt in opened])
    units = Unit.objects.in_bulk([debt.pot.unit_id for debt in opened])
    orders = Purchase.objects.only("order_key").in_bulk(
        [debt.purchase_id for debt in opened if debt.purchase_id]
    )
    facts = []
    for debt in opened:
        member, order = members[debt.pot.member_id], orders.get(debt.purchase_id or 0)
        data = {
            "customer_id": member.customer_id,
            "unit": units[debt.pot.unit_id].code,
            "amount": debt.amount,
            "purchase": order and order.order_key,
        }
        facts.append(Fact("debt.opened", str(debt.transfer_id), data, member))
    writing.emit(*facts, at=at)


@dataclass(frozen=True, slots=True)
class Debt:
    """What was taken back for one purchase or adjustment, and what of it is open.

    Amounts are in the unit's smallest step: ``taken`` is all that was taken back,
    ``open`` what of it is still owed.
    """

    unit: Unit
    purchase: Purchase | None
    adjustment: Adjustment | None
    since: datetime
    taken: int
    open: int


def open_debts(member: Member) -> list[Debt]:
    """The member's debts that are not paid, oldest first; they add up to its balance.

    What a purchase brings pays its own debt first, then the oldest.
    """
    open = _open(member)
    if not open:
        return []
    taken = _taken(member)
    units = Unit.objects.in_bulk([origin[0] for origin in open])
    purchases = Purchase.objects.select_related("merchant").in_bulk(
        [id for _, id, _ in open if id]
    )
    adjustments = Adjustment.objects.in_bulk([id for _, _, id in open if id])
    return [
        Debt(
            unit=units[origin[0]],
            purchase=purchases.get(origin[1] or 0),
            adjustment=adjustments.get(origin[2] or 0),
            since=owed.since,
            taken=taken[origin],
            open=owed.open,
        )
        for origin, owed in open.items()
    ]


@dataclass(slots=True)
class _Owed:
    since: datetime
    open: int = 0


def _open(member: Member) -> dict[_Origin, _Owed]:
    """Debts made and paid, one after another; what is left, oldest first."""
    open: dict[_Origin, _Owed] = {}
    accounts = Account.objects.filter(member=member, kind=_KIND.DEBT)
    ids = dict(accounts.values_list("pk", "unit_id"))
    rows = (
        Transfer.objects.filter(Q(from_account__in=ids) | Q(to_account__in=ids))
        .order_by("pk")
        .values_list("from_account_id", "to_account_id", *_ORIGIN, *_MOVED)
    )
    for source, target, purchase_id, adjustment_id, amount, at in rows:
        origin = (ids.get(source) or ids[target], purchase_id, adjustment_id)
        if source in ids:
            open.setdefault(origin, _Owed(at)).open += amount
        else:
            _pay(open, origin, amount)
    return open


def _pay(open: dict[_Origin, _Owed], by: _Origin, amount: int) -> None:
    for origin in sorted(open, key=lambda origin: origin != by):
        if origin[0] == by[0] and amount:
            part = min(open[origin].open, amount)
            amount -= part
            open[origin].open -= part
            if not open[origin].open:
                del open[origin]


def _taken(member: Member) -> dict[_Origin, int]:
    """What was taken back in all, by what it was taken back for."""
    rows = (
        Transfer.objects.filter(
            from_account__member=member,
            from_account__kind__in=(_KIND.AVAILABLE, _KIND.DEBT),
            to_account__kind__in=(_KIND.ISSUED, _KIND.PENDING, _KIND.ADJUSTED),
        )
        .order_by()
        .values_list("from_account__unit_id", *_ORIGIN)
        .annotate(taken=Sum("amount"))
    )
    return {(unit, purchase, adj): n for unit, purchase, adj, n in rows}
