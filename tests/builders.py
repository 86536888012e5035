"""Short words for what tests need. Each has a default for everything."""

import json
from base64 import b64encode
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from ingestion.button.signature import sign
from merchants import clicks
from merchants.models import Click, Merchant
from rewards import apikeys, vault
from rewards.members import put_member
from rewards.models import Account, Edition, Endpoint, Member, Purchase
from rewards.program import draft, editions, vocabulary
from rewards.reports import Arrival, Outcome, PurchaseReport
from rewards.settling.settlement import settle

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
ORDERED = NOW - timedelta(days=10)
SECRET = "tests-webhook-secret"
MERCHANT = "org-71d0be5529aa4f03"

POINTS = {
    "code": "points",
    "name": "point",
    "name_plural": "points",
    "decimals": 0,
    "rounding": "floor",
}
DOLLARS = {
    "code": "USD",
    "name": "US dollar cash back",
    "name_plural": "US dollars cash back",
    "decimals": 2,
    "rounding": "floor",
}


def make_member(customer_id: str = "alice", **changes: Any) -> Member:
    return put_member(customer_id, at=NOW, **changes)[0]


def make_merchant(name: str = "Lumen & Oak", **changes: Any) -> Merchant:
    """A store that members see, at lumenoak.example."""
    values = {
        "external_id": MERCHANT,
        "homepage_url": "https://lumenoak.example/",
        "hosts": ["lumenoak.example"],
        "live": True,
    }
    return Merchant.objects.create(name=name, **{**values, **changes})


def make_click(
    merchant: Merchant | None = None, *, customer_id: str = "alice", **changes: Any
) -> Click:
    """A click of ours, signed, as if that customer had left for that store."""
    values = {
        "reference": clicks.new_reference(),
        "customer_id": customer_id,
        "merchant": merchant or make_merchant(),
        "clicked_at": ORDERED,
        "destination": "https://lumenoak.example/",
    }
    return Click.objects.create(**{**values, **changes})


def make_api_key(name: str = "host app") -> str:
    """The key as its owner sees it."""
    return apikeys.create(name)


def make_endpoint(name: str = "host app", **changes: Any) -> Endpoint:
    """Somewhere to send events: all of them."""
    values = {
        "url": "https://host.example/events",
        "sealed": vault.seal("whsec_" + b64encode(b"x" * 32).decode()),
        "created_at": NOW,
    }
    return Endpoint.objects.create(name=name, **{**values, **changes})


def rule(key: str = "base", **changes: Any) -> dict[str, Any]:
    """One point a major unit of the order total, for every order."""
    return {
        "key": key,
        "label": key.title(),
        "group": "base",
        "unit": "points",
        "reward": per_amount("1"),
        **changes,
    }


def per_amount(points: str, per: str = "1.00", **changes: Any) -> dict[str, Any]:
    of = changes.pop("of", "order_total")
    return {"kind": "per_amount", "points": points, "per": per, "of": of, **changes}


def fixed(points: str) -> dict[str, Any]:
    return {"kind": "fixed", "points": points}


def share(percent: str, of: str = "commission") -> dict[str, Any]:
    return {"kind": "share", "percent": percent, "of": of}


def program(*rules: dict[str, Any], units: Any = (POINTS, DOLLARS)) -> dict[str, Any]:
    """A program file's data."""
    return {"format": 1, "units": list(units), "rules": list(rules) or [rule()]}


def publish_program(*rules: dict[str, Any], **kwargs: Any) -> Edition:
    """Make these rules the draft and freeze it, as an edition for all times."""
    draft.replace(vocabulary.parse(program(*rules)))
    return editions.publish(now=kwargs.pop("now", NOW), **kwargs)


def report(**changes: Any) -> PurchaseReport:
    """A pending order of 91.00 USD by alice, reported as Button would."""
    values: dict[str, Any] = {
        "network": "button",
        "account": "acc-1",
        "transaction_id": "tx-1",
        "order_id": "btnorder-1",
        "status": "pending",
        "category": "new-user-order",
        "modified_at": ORDERED,
        "attributed_at": ORDERED,
        "merchant": MERCHANT,
        "merchant_name": "Lumen & Oak",
        "customer_id": "alice",
        "currency": "USD",
        "commission": 455,
        "order_currency": "USD",
        "order_total": 9100,
    }
    return PurchaseReport(**{**values, **changes})


def settle_reports(
    *reports: PurchaseReport, source: str = "webhook", at: datetime = NOW
) -> list[Outcome]:
    """Settle these in one batch."""
    return settle([Arrival(r, source, at) for r in reports], at=at)


def purchase(order_key: str = "btnorder-1") -> Purchase:
    return Purchase.objects.get(order_key=order_key)


def balances(customer_id: str = "alice") -> dict[tuple[str, str], int]:
    """What a member has, by unit and kind, zeros left out."""
    accounts = Account.objects.filter(member__customer_id=customer_id)
    rows = accounts.values_list("unit__code", "kind", "balance")
    return {(unit, kind): balance for unit, kind, balance in rows if balance}


def transaction(**changes: Any) -> dict[str, Any]:
    """A transaction object in Button's documented format, complete."""
    return {
        "id": "tx-6c18f2ab90d3e745",
        "status": "pending",
        "category": "new-user-order",
        "amount": 1240,
        "currency": "USD",
        "order_total": 15500,
        "order_currency": "USD",
        "button_order_id": "btnorder-ab37190cde5f2468",
        "order_id": None,
        "customer_order_id": "WEB-88120",
        "publisher_customer_id": "alice",
        "pub_ref": None,
        "btn_ref": "srctok-77c0de19ab4f2385",
        "commerce_organization": MERCHANT,
        "publisher_organization": "org-02f4c8e96b1d7a50",
        "account_id": "acc-5b20e7d4918cfa63",
        "button_id": "static",
        "campaign_id": "camp-18d3a5f0729ceb46",
        "rate_card_id": "ratecard-e0917bd2c6483fa5",
        "posting_rule_id": None,
        "created_date": "2026-11-04T18:40:07.512Z",
        "modified_date": "2026-11-04T18:40:07.512Z",
        "validated_date": None,
        "attribution_date": "2026-11-04T02:11:30Z",
        "order_purchase_date": "2026-11-04T02:11:30Z",
        "event_date": "2026-11-04T18:40:01Z",
        "order_click_channel": "webview",
        "advertising_id": None,
        "order_line_items": [
            {
                "identifier": "L1",
                "sku": "LAMP-9",
                "gtin": "00012345678905",
                "category": "HOME",
                "subcategory1": "LIGHTING",
                "description": "Desk lamp",
                "quantity": 2,
                "amount": 8500,
                "total": 17000,
                "publisher_commission": 1360,
                "attributes": {"colour": "sand"},
            },
            {
                "identifier": "promo",
                "description": "Welcome code",
                "quantity": 1,
                "amount": -1500,
                "total": -1500,
                "publisher_commission": -120,
                "attributes": {},
            },
        ],
        **changes,
    }


def envelope(
    data: object = None, *, event_type: str | None = None, **changes: Any
) -> dict[str, Any]:
    """A webhook's envelope; the type follows the status."""
    data = transaction() if data is None else data
    status = data.get("status") if isinstance(data, Mapping) else "pending"
    return {
        "id": "hook-9e2b70d15ac84f36",
        "request_id": "attempt-04cf8a6be1d2937a",
        "event_type": event_type or f"tx-{status}",
        "data": data,
        **changes,
    }


def webhook_body(data: object = None, **changes: Any) -> bytes:
    return json.dumps(envelope(data, **changes)).encode()


def post_webhook(client: Any, body: bytes, **headers: str) -> Any:
    """Post a body as Button does: signed, to the real URL."""
    headers.setdefault("X-Button-Signature", sign(body, secret=SECRET))
    return client.post(
        "/webhooks/button/", body, content_type="application/json", headers=headers
    )
