"""Bodies that a stranger, a bug or a bad day may send. All of them come signed."""

import gzip
import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from tests.builders import envelope, transaction

ODD_VALUES: dict[str, Any] = {
    "a text": "abc",
    "an empty text": "",
    "a number as text": "600",
    "a float": 600.5,
    "a whole float": 600.0,
    "true": True,
    "minus": -600,
    "more than a bigint": 2**63,
    "a googol": 10**100,
    "an array": [600],
    "an object": {"x": 600},
    "a NUL": "a\0b",
    "a lone surrogate": "a\ud800b",
    "600 letters": "x" * 600,
    "markup": "<script>alert(1)</script>",
}
ODD_FIELDS = (
    "id",
    "status",
    "category",
    "amount",
    "currency",
    "order_total",
    "order_currency",
    "button_order_id",
    "publisher_customer_id",
    "pub_ref",
    "commerce_organization",
    "account_id",
    "modified_date",
    "attribution_date",
    "order_line_items",
    "customer_order_id",
)
DATES = (
    "2026-02-30T00:00:00Z",
    "2026-11-04",
    "2026-11-04T10:00:00",
    "9999-12-31T23:59:59Z",
    "0001-01-01T00:00:00+14:00",
    "1999-12-31T23:59:59Z",
    "2026-11-04T24:00:01Z",
    "2026-06-30T23:59:60Z",
    "1700000000",
    "2026-11-04T10:00:00+99:99",
    "२०२६-११-०४T10:00:00Z",
)


def bodies() -> Iterator[tuple[str, bytes]]:
    """Every hostile body, named."""
    yield from _not_json()
    yield from _not_an_event()
    yield from _numbers()
    for field in ODD_FIELDS:
        for name, value in ODD_VALUES.items():
            yield f"{field} is {name}", _encode({**transaction(), field: value})
        yield f"{field} is missing", _encode(_without(field))
        yield f"{field} is null", _encode({**transaction(), field: None})
    for date in DATES:
        yield f"modified {date}", _encode(transaction(modified_date=date))
        yield f"attributed {date}", _encode(transaction(attribution_date=date))
    yield from _lines()


def _not_json() -> Iterator[tuple[str, bytes]]:
    good = _encode(transaction())
    yield "nothing", b""
    yield "one byte", b"{"
    yield "cut in half", good[: len(good) // 2]
    yield "followed by more", good + good
    yield "gzip", gzip.compress(good)
    yield "UTF-16", good.decode().encode("utf-16")
    yield "a byte order mark", b"\xef\xbb\xbf" + good
    yield "invalid UTF-8", good.replace(b"Desk", b"D\xff\xfek")
    yield "zero bytes", b"\0" * 1000
    yield "every byte", bytes(range(256))
    yield "100 levels of arrays", b"[" * 100 + b"]" * 100
    yield "100 levels in a field", _nested(100)
    yield "100,000 levels", b'{"a":' * 100_000
    yield "a key twice", good.replace(b'"amount"', b'"order_total": 1, "amount"', 1)
    yield "a long number", b'{"data": ' + b"9" * 5000 + b"}"
    yield "single quotes", b"{'event_type': 'tx-pending'}"
    yield "XML", b"<?xml version='1.0'?><event/>"
    yield "a form", b"event_type=tx-pending&id=1"
    yield "8 MB of spaces", b" " * (8 * 1024 * 1024 - 2) + b"{}"


def _not_an_event() -> Iterator[tuple[str, bytes]]:
    for value in (None, True, 1, "x", [], {}, [{}], {"data": None}):
        yield f"only {value!r}", json.dumps(value).encode()
    for event in (
        "",
        "ping",
        "order-checkout",
        "tx-adjusted",
        "TX-PENDING",
        None,
        7,
        {},
    ):
        yield f"the type {event!r}", _envelope(event_type=event)
    for data in (None, [], "x", 1, {}, [transaction()]):
        yield f"the data {str(data)[:20]!r}", _envelope(data=data)
    for status in ("pending", "validated", "declined"):
        for event in ("tx-pending", "tx-validated", "tx-declined"):
            body = _envelope(event_type=event, data=transaction(status=status))
            yield f"{event} says {status}", body
    for status in ("cancelled", "finalized", "Pending", "on_hold"):
        yield f"status {status}", _encode(transaction(status=status))
    for category in ("refund", "NEW-USER-ORDER", "app_install"):
        yield f"category {category}", _encode(transaction(category=category))


def _numbers() -> Iterator[tuple[str, bytes]]:
    good = _encode(transaction(amount=4242))
    for number in ("NaN", "Infinity", "-Infinity", "1e400", "1e2", "0x10", "+1", "1_0"):
        yield f"amount {number}", good.replace(b"4242", number.encode())


def _lines() -> Iterator[tuple[str, bytes]]:
    line = {"identifier": "L", "amount": 1, "quantity": 1}
    yield "10,000 lines", _encode(transaction(order_line_items=[line] * 10_000))
    for name, value in ODD_VALUES.items():
        odd = [{**line, "total": value}]
        yield f"a line's total is {name}", _encode(transaction(order_line_items=odd))
    for item in (None, 1, "x", [], {"category": 5}, {"attributes": "x"}):
        yield f"a line is {item!r}", _encode(transaction(order_line_items=[item]))


def _encode(data: Any) -> bytes:
    status = data.get("status")
    known = status in ("pending", "validated", "declined")
    return _envelope(event_type=f"tx-{status if known else 'pending'}", data=data)


def _envelope(**changes: Any) -> bytes:
    return json.dumps({**envelope(), **changes}).encode()


def _without(field: str) -> dict[str, Any]:
    data = deepcopy(transaction())
    data.pop(field)
    return data


def _nested(depth: int) -> bytes:
    deep = b'{"a":' * depth + b"1" + b"}" * depth
    return _encode(transaction(extra="DEEP")).replace(b'"DEEP"', deep)
