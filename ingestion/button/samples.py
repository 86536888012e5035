"""Made-up webhooks in Button's documented format, for trying things out.

The same order id always gives the same store, goods and transaction, so that an order
can be reported again: changed, validated or declined.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from random import Random
from secrets import token_hex
from typing import Any

from rewards.demo import Store

COMMISSION_PERCENT = 8
CURRENCY = "USD"


@dataclass(frozen=True, slots=True)
class Goods:
    """One line of a made-up order, in minor units."""

    description: str
    category: str
    total: int


@dataclass(frozen=True, slots=True)
class SampleOrder:
    """An order as a shopper made it."""

    order_id: str
    merchant: str
    customer_id: str
    ordered_at: datetime
    goods: Sequence[Goods]

    @property
    def total(self) -> int:
        return sum(line.total for line in self.goods)


def new_order_id() -> str:
    return f"btnorder-{token_hex(8)}"


def sample_order(
    order_id: str,
    *,
    stores: Sequence[Store],
    customer_id: str,
    ordered_at: datetime,
    total: int | None = None,
) -> SampleOrder:
    """The order of this id; a ``total`` of yours takes goods away, or adds to one."""
    chance = Random(order_id)
    store = chance.choice(stores)
    picked = chance.sample(sorted(store.goods), k=chance.randint(1, 3))
    goods = [Goods(name, store.category_of(name), store.goods[name]) for name in picked]
    if total is not None:
        goods = _adding_up_to(total, goods)
    return SampleOrder(order_id, store.external_id, customer_id, ordered_at, goods)


def body(order: SampleOrder, *, status: str, at: datetime) -> bytes:
    """One webhook's body: the order's whole state at that instant."""
    envelope = {
        "id": f"hook-{token_hex(8)}",
        "request_id": f"attempt-{token_hex(8)}",
        "event_type": f"tx-{status}",
        "data": _transaction(order, status=status, at=at),
    }
    return json.dumps(envelope, separators=(",", ":")).encode()


def _transaction(order: SampleOrder, *, status: str, at: datetime) -> dict[str, Any]:
    tail = order.order_id.removeprefix("btnorder-")
    return {
        "id": f"tx-{tail}",
        "status": status,
        "category": "existing-user-order",
        "amount": _commission(order.total),
        "currency": CURRENCY,
        "order_total": order.total,
        "order_currency": CURRENCY,
        "order_line_items": list(_line_items(order.goods)),
        "button_order_id": order.order_id,
        "customer_order_id": f"{Random(order.order_id).randrange(10**7):07d}",
        "order_id": None,
        "publisher_customer_id": order.customer_id,
        "pub_ref": None,
        "commerce_organization": order.merchant,
        "account_id": "acc-00000000000000de",
        "created_date": _milliseconds(order.ordered_at),
        "modified_date": _milliseconds(at),
        "attribution_date": _seconds(order.ordered_at),
        "event_date": _seconds(at),
        "order_purchase_date": _seconds(order.ordered_at),
        "validated_date": _seconds(at) if status == "validated" else None,
        "order_click_channel": "webview",
    }


def _line_items(goods: Iterable[Goods]) -> Iterable[dict[str, Any]]:
    so_far = 0
    for number, line in enumerate(goods, start=1):
        before, so_far = so_far, so_far + line.total
        yield {
            "identifier": str(number),
            "description": line.description,
            "category": line.category,
            "quantity": 1,
            "amount": line.total,
            "total": line.total,
            # Of the running sum, so that the lines add up to the whole.
            "publisher_commission": _commission(so_far) - _commission(before),
        }


def _commission(total: int) -> int:
    return total * COMMISSION_PERCENT // 100


def _adding_up_to(total: int, goods: Sequence[Goods]) -> list[Goods]:
    kept, left = [], total
    for line in goods:
        if left <= 0:
            break
        kept.append(Goods(line.description, line.category, min(line.total, left)))
        left -= kept[-1].total
    if left > 0:
        last = kept.pop()
        kept.append(Goods(last.description, last.category, last.total + left))
    return kept


def _seconds(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


def _milliseconds(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"
