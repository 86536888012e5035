"""What was drawn from lots before, and by what: read once for a batch."""

from collections import defaultdict
from datetime import datetime
from typing import Any

from django.db.models import F, Max, Q, Sum
from django.db.models.expressions import Combinable

from rewards.ledger.postings import Pot
from rewards.models import Account, Draw, Lot, Transfer

_KIND = Account.Kind


Origin = tuple[int | None, int | None]
"""A purchase or an adjustment, by id."""


def held_by_redemption(ids: set[int | None]) -> dict[int, dict[int, int]]:
    """What each redemption holds in reserve, by lot."""
    return _moved("transfer__redemption_id", ids, _KIND.RESERVED)


def taken_by_adjustment(ids: set[int | None]) -> dict[int, dict[int, int]]:
    """What each adjustment took, by lot, less what it gave back."""
    return _moved("transfer__adjustment_id", ids, _KIND.ADJUSTED)


def expired_by_lot(origins: set[Origin]) -> dict[int, tuple[int, datetime]]:
    """How much of these origins' lots has expired, and when it last did."""
    if not origins:
        return {}
    own = Q(lot__purchase__in={id for id, _ in origins if id})
    own |= Q(lot__adjustment__in={id for _, id in origins if id})
    into = Q(transfer__to_account__kind=_KIND.EXPIRED)
    rows = (
        Draw.objects.filter(own, into | Q(transfer__source=Transfer.Source.REVIVAL))
        .order_by()
        .values_list("lot_id")
        .annotate(net=_net(_KIND.EXPIRED))
        .annotate(since=Max("transfer__effective_at", filter=into))
    )
    return {id: (net, since) for id, net, since in rows if net}


def _moved(
    origin: str, ids: set[int | None], kind: Account.Kind
) -> dict[int, dict[int, int]]:
    """What stands in the program's or the members' accounts of a kind, by lot."""
    found: dict[int, dict[int, int]] = defaultdict(dict)
    if not ids - {None}:
        return found
    rows = Draw.objects.filter(**{f"{origin}__in": ids}).order_by()
    for id, lot_id, net in rows.values_list(origin, "lot_id").annotate(net=_net(kind)):
        found[id][lot_id] = net
    return found


def _net(kind: Account.Kind) -> Combinable:
    """What went into accounts of a kind, less what came out of them."""
    came = Sum("amount", filter=Q(transfer__to_account__kind=kind), default=0)
    went = Sum("amount", filter=Q(transfer__from_account__kind=kind), default=0)
    return came - went


def given_by_purchase(
    purchases: set[int | None],
) -> dict[int, dict[Pot, dict[int | None, int]]]:
    """What purchases have given so far, by days to live, less what they took back."""
    found: dict[int, Any] = defaultdict(lambda: defaultdict(lambda: defaultdict(int)))
    if not purchases - {None}:
        return found
    lots = Lot.objects.filter(purchase__in=purchases).order_by()
    columns = ("purchase_id", "account__member_id", "account__unit_id", "days")
    for id, member_id, unit_id, days, amount in lots.values_list(*columns).annotate(
        sum=Sum("amount")
    ):
        found[id][Pot(member_id, unit_id, _KIND.AVAILABLE.value)][days] += amount
    back = Draw.objects.filter(
        lot__purchase__in=purchases,
        transfer__purchase=F("lot__purchase"),
        transfer__to_account__kind__in=(_KIND.ISSUED, _KIND.PENDING),
    ).order_by()
    for id, member_id, unit_id, days, amount in back.values_list(
        *(f"lot__{column}" for column in columns)
    ).annotate(sum=Sum("amount")):
        found[id][Pot(member_id, unit_id, _KIND.AVAILABLE.value)][days] -= amount
    return found
