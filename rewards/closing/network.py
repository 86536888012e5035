"""A day's commission against what the network itself says: equal, or listed.

Compared are the orders that the network created on that day, as they stood at the cut.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from django.db import connection

from rewards.closing.days import Cut

Place = tuple[str, str]
"""A network account's external id, and a currency of commission."""

LATER = "settled after the day"

_ORDERS = """
    SELECT a.external_id, p.order_key,
           p.currency, CASE WHEN p.status = 'declined' THEN 0 ELSE p.commission END,
           CASE WHEN p.status = 'declined' THEN 0 ELSE 1 END,
           s.currency, CASE WHEN s.status = 'declined' THEN 0 ELSE s.commission END,
           CASE WHEN s.status = 'declined' THEN 0 ELSE 1 END
    FROM rewards_purchase p
    JOIN rewards_networkaccount a ON a.id = p.account_id
    LEFT JOIN rewards_settlement s ON s.id = (
        SELECT MAX(n.id) FROM rewards_settlement n
        WHERE n.purchase_id = p.id AND n.id <= %(settlement)s
            AND n.settled_at < %(until)s)
    WHERE COALESCE(p.created_at, p.attributed_at) >= %(start)s
        AND COALESCE(p.created_at, p.attributed_at) < %(until)s
    ORDER BY p.id
"""


class Sum(NamedTuple):
    """Commission in minor units of so many orders that were not declined."""

    commission: int = 0
    purchases: int = 0


class Listed(NamedTuple):
    """One order that explains ``amount`` minor units of a difference: theirs less
    ours."""

    order: str
    amount: int
    why: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What the network says of a day: of ``accounts``, by account and currency.

    ``listed`` are the orders that it and we know differently.
    """

    accounts: frozenset[str]
    sums: Mapping[Place, Sum]
    listed: Mapping[Place, Sequence[Listed]] = field(default_factory=dict)


def differences(answer: Answer, *, start: datetime, cut: Cut) -> list[dict[str, Any]]:
    """Where the network's sums of the day differ from ours, with the orders.

    Amounts are minor units. ``unexplained`` is what no order explains.
    """
    ours, later = _ours(start, cut)
    found = []
    for place in sorted({*ours, *answer.sums, *later, *answer.listed}):
        if place[0] not in answer.accounts:
            continue
        own, theirs = ours.get(place, Sum()), answer.sums.get(place, Sum())
        listed = [*answer.listed.get(place, ()), *later.get(place, ())]
        if own != theirs or listed:
            found.append(_difference(place, own, theirs, listed))
    return found


def _difference(
    place: Place, ours: Sum, theirs: Sum, listed: Iterable[Listed]
) -> dict[str, Any]:
    difference = theirs.commission - ours.commission
    listed = sorted(listed)
    return {
        "account": place[0],
        "currency": place[1],
        "ours": ours.commission,
        "theirs": theirs.commission,
        "our_purchases": ours.purchases,
        "their_purchases": theirs.purchases,
        "difference": difference,
        "orders": [list(one) for one in listed],
        "unexplained": difference - sum(one.amount for one in listed),
    }


def _ours(start: datetime, cut: Cut) -> tuple[dict[Place, Sum], dict[Place, Any]]:
    """Our sums of the day's orders at the cut, and what orders became since."""
    sums: dict[Place, Sum] = defaultdict(Sum)
    later: dict[Place, list[Listed]] = defaultdict(list)
    for account, order, *states in _orders(start, cut):
        (currency, now, counts_now), (known, then, counted) = states[:3], states[3:]
        if known is not None:
            before = sums[account, known]
            sums[account, known] = Sum(
                before.commission + then, before.purchases + counted
            )
        if (currency, now, counts_now) != (known, then, counted):
            if known is not None and then:
                later[account, known].append(Listed(order, -then, LATER))
            if now:
                later[account, currency].append(Listed(order, now, LATER))
    return sums, {place: list(_net(found)) for place, found in later.items()}


def _net(listed: Sequence[Listed]) -> Iterator[Listed]:
    """One line an order: what went and what came in its place, together."""
    amounts: dict[str, int] = defaultdict(int)
    for one in listed:
        amounts[one.order] += one.amount
    return (Listed(order, amount, LATER) for order, amount in amounts.items() if amount)


def _orders(start: datetime, cut: Cut) -> list[Any]:
    adapt = connection.ops.adapt_datetimefield_value
    with connection.cursor() as cursor:
        cursor.execute(
            _ORDERS,
            {
                "start": adapt(start),
                "until": adapt(cut.until),
                "settlement": cut.settlement,
            },
        )
        return cursor.fetchall()
