"""What was drawn from lots before, and by what: read once for a batch."""

from collections import defaultdict
from typing import Any

from django.db.models import F, Q, Sum
from django.db.models.functions import Coalesce

from rewards.ledger.postings import Pot
from rewards.models import Account, Draw, Lot

_KIND = Account.Kind


def held_by_redemption(ids: set[int | None]) -> dict[int, dict[int, int]]:
    """What each redemption holds in reserve, by lot."""
    return _net(
        "transfer__redemption",
        ids,
        came=Q(transfer__to_account__kind=_KIND.RESERVED),
        went=Q(transfer__from_account__kind=_KIND.RESERVED),
    )


def taken_by_adjustment(ids: set[int | None]) -> dict[int, dict[int, int]]:
    """What each adjustment took, by lot, less what it gave back."""
    return _net(
        "transfer__adjustment",
        ids,
        came=Q(transfer__to_account__kind=_KIND.ADJUSTED),
        went=Q(transfer__from_account__kind=_KIND.ADJUSTED),
    )


def _net(
    origin: str, ids: set[int | None], *, came: Q, went: Q
) -> dict[int, dict[int, int]]:
    found: dict[int, dict[int, int]] = defaultdict(dict)
    if not ids - {None}:
        return found
    rows = (
        Draw.objects.filter(**{f"{origin}_id__in": ids})
        .order_by()
        .values_list(f"{origin}_id", "lot_id")
        .annotate(
            net=Coalesce(Sum("amount", filter=came), 0)
            - Coalesce(Sum("amount", filter=went), 0)
        )
    )
    for id, lot_id, net in rows:
        found[id][lot_id] = net
    return found


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
