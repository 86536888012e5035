"""What staff are told beside the field for expressions: every fact, and examples."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from django.utils.translation import gettext as _

from rewards.program.expressions import FACTS


class Fact(NamedTuple):
    name: str
    kind: str
    meaning: str


class Group(NamedTuple):
    """``name`` as it is written: ``items`` is a list, of which an item is a fact."""

    name: str
    facts: Sequence[Fact]


class Example(NamedTuple):
    text: str
    meaning: str


def facts() -> list[Group]:
    """Every fact that an expression may use, and what it means."""
    meanings = _meanings()
    return [
        Group(
            _("items, each one item") if name == "item" else name,
            [
                Fact(f"{name}.{field}", _kind(kind), meanings[name][field])
                for field, kind in fields.items()
            ],
        )
        for name, fields in FACTS.items()
    ]


def examples() -> list[Example]:
    """Expressions to begin from; each one is valid."""
    return [
        Example("purchase.order_total >= 5000", _("50.00 or more, in minor units")),
        Example(
            'items.exists(item, item.category == "LIGHTING" && item.quantity >= 2)',
            _("two or more of one item in LIGHTING"),
        ),
        Example(
            'items.filter(item, item.category == "LIGHTING").size() >= 3',
            _("three or more lines in LIGHTING"),
        ),
        Example('"gold" in member.segments', _("a member in the segment gold")),
        Example("has(click.at)", _("the order followed one of our own clicks")),
        Example(
            'purchase.attributed_at.getHours("America/New_York") < 12',
            _("ordered before noon in New York"),
        ),
        Example(
            'purchase.attributed_at - member.joined_at < duration("720h")',
            _("within 30 days of joining"),
        ),
    ]


def _kind(kind: Any) -> str:
    purchase, item = FACTS["purchase"], FACTS["item"]
    if kind == item["attributes"]:
        return _("texts by name")
    if isinstance(kind, list):
        return _("list of texts")
    known = {
        purchase["merchant"]: _("text"),
        purchase["order_total"]: _("whole number"),
        purchase["attributed_at"]: _("time"),
    }
    return known[kind]


def _meanings() -> dict[str, dict[str, str]]:
    return {
        "purchase": {
            "merchant": _("the store's id at the network"),
            "account": _("our account that it was reported in"),
            "status": _("pending, validated or declined"),
            "category": _("new-user-order or existing-user-order"),
            "currency": _("currency of the commission"),
            "order_currency": _("currency of the order"),
            "order_total": _("what was paid, in minor units: 9100 is 91.00 USD"),
            "commission": _("what we get, in minor units"),
            "country": _("code of two letters, or empty"),
            "channel": _("app, webview or empty"),
            "attributed_at": _("when it was ordered"),
        },
        "item": {
            "identifier": _("the line's own name in the order"),
            "sku": _("the store's article number"),
            "gtin": _("the barcode's number"),
            "category": _("its first category"),
            "categories": _("all its categories"),
            "subcategory": _("its first subcategory"),
            "subcategories": _("all its subcategories"),
            "quantity": _("how many"),
            "amount": _("the price of one, in minor units"),
            "total": _("the price of the line, in minor units; discounts are negative"),
            "commission": _("our commission on the line, in minor units"),
            "attributes": _("whatever else the store says of it"),
        },
        "member": {
            "customer_id": _("the host application's id"),
            "segments": _("the segments they were in at their order"),
            "joined_at": _("when they joined"),
        },
        "click": {
            "at": _("when they left for the store; absent without a click"),
            "reference": _("the reference of our click"),
        },
    }
