"""What each store leaves: commission, less rewards, less what was not got back.

A debt that a return made is the store's whose order was returned, until the member has
paid it; what a member pays, pays the oldest first. What was forgiven is lost.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection

from rewards.closing.unit_worths import Worths, worths
from rewards.finance.money import value

Place = tuple[int | None, str]
"""A store's id, and a currency of commission."""

_WITHIN = "p.attributed_at >= %(start)s AND p.attributed_at < %(end)s"

_COMMISSION = f"""
    SELECT p.merchant_id, p.currency, COUNT(*), SUM(p.commission)
    FROM rewards_purchase p
    WHERE p.status <> 'declined' AND {_WITHIN}
    GROUP BY p.merchant_id, p.currency
"""

_AWARDED = f"""
    SELECT p.merchant_id, p.currency, w.unit_id, SUM(w.granted)
    FROM rewards_purchase p
    JOIN rewards_award w ON w.settlement_id = p.settlement_id
    WHERE {_WITHIN}
    GROUP BY p.merchant_id, p.currency, w.unit_id
"""

_PAID = """
    SELECT t.to_account_id AS debt_id, SUM(t.amount) AS amount
    FROM rewards_transfer t
    JOIN rewards_account d ON d.id = t.to_account_id AND d.kind = 'debt'
    JOIN rewards_account f ON f.id = t.from_account_id AND f.kind <> 'written_off'
    GROUP BY t.to_account_id
"""

_MADE = f"""
    SELECT t.purchase_id, d.unit_id, t.amount,
           SUM(t.amount) OVER (PARTITION BY d.id ORDER BY t.id)
               - COALESCE(paid.amount, 0) AS unpaid
    FROM rewards_transfer t
    JOIN rewards_account d ON d.id = t.from_account_id AND d.kind = 'debt'
    LEFT JOIN ({_PAID}) paid ON paid.debt_id = d.id
"""

_LOST = f"""
    SELECT p.merchant_id, p.currency, m.unit_id,
           SUM(CASE WHEN m.unpaid < m.amount THEN m.unpaid ELSE m.amount END)
    FROM ({_MADE}) m JOIN rewards_purchase p ON p.id = m.purchase_id
    WHERE m.unpaid > 0 AND {_WITHIN}
    GROUP BY p.merchant_id, p.currency, m.unit_id
"""


@dataclass(slots=True)
class StoreMargin:
    """One store in one currency, in minor units. ``apart`` are smallest steps by unit
    id, granted and lost, that have no worth in this currency."""

    merchant_id: int | None
    currency: str
    purchases: int = 0
    commission: int = 0
    rewards: int = 0
    lost: int = 0
    apart: dict[int, int] = field(default_factory=dict)

    @property
    def margin(self) -> int:
        return self.commission - self.rewards - self.lost


def margins(*, start: datetime, end: datetime, at: datetime) -> list[StoreMargin]:
    """Of the orders attributed in that time; the largest commission comes first.

    Units count as what they are worth ``at``.
    """
    asked = {"start": start, "end": end}
    worth = worths(until=at)
    found: dict[Place, StoreMargin] = {}

    def store(place: Place) -> StoreMargin:
        return found.setdefault(place, StoreMargin(*place))

    for merchant_id, currency, purchases, commission in _rows(_COMMISSION, asked):
        own = store((merchant_id, currency))
        own.purchases, own.commission = purchases, int(commission)
    for place, amount, apart in _valued(_AWARDED, asked, worth):
        store(place).rewards, store(place).apart = amount, apart
    for place, amount, apart in _valued(_LOST, asked, worth):
        own = store(place)
        own.lost = amount
        for unit, steps in apart.items():
            own.apart[unit] = own.apart.get(unit, 0) + steps
    return sorted(found.values(), key=_largest_first)


def _largest_first(row: StoreMargin) -> tuple[Any, ...]:
    return row.currency, -row.commission, row.merchant_id or 0


def _valued(
    query: str, asked: dict[str, datetime], worth: Worths
) -> Iterator[tuple[Place, int, dict[int, int]]]:
    amounts: dict[Place, list[tuple[int, int]]] = defaultdict(list)
    for merchant_id, currency, unit_id, steps in _rows(query, asked):
        amounts[merchant_id, currency].append((unit_id, int(steps)))
    for place, steps in amounts.items():
        yield place, *value(steps, currency=place[1], worths=worth)


def _rows(query: str, asked: dict[str, datetime]) -> list[Any]:
    adapt = connection.ops.adapt_datetimefield_value
    with connection.cursor() as cursor:
        cursor.execute(query.strip(), {name: adapt(at) for name, at in asked.items()})
        return cursor.fetchall()
