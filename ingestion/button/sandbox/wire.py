"""The same facts in Button's two decorations: an API row, and a webhook's data."""

import json
from datetime import UTC, datetime
from typing import Any

from ingestion.button.sandbox.catalogue import BRANDS
from ingestion.button.sandbox.orders import APP_INSTALL, Line, Transaction

compact = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode
PUBLISHER = "Our Club"


def to_ms(at: datetime) -> int:
    return int(at.timestamp()) * 1000 + at.microsecond // 1000


def from_ms(at: int) -> datetime:
    seconds, rest = divmod(at, 1000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest * 1000)


def seconds(at: datetime | None) -> str | None:
    return f"{at.isoformat()[:19]}Z" if at else None


def milliseconds(at: datetime) -> str:
    return f"{at.isoformat(timespec='milliseconds')[:23]}Z"


def api_row(t: Transaction, *, organization: str) -> dict[str, Any]:
    """A row of the Transactions API: whole seconds, names beside ids."""
    brand = BRANDS.get(t.store)
    return {
        **_shared(t, organization=organization),
        "commerce_organization_name": brand.name if brand else None,
        "publisher_organization_name": PUBLISHER,
        "country": t.country,
        "created_date": seconds(t.created_at),
        "modified_date": seconds(t.modified_at),
        "order_purchased_date": None if _is_install(t) else seconds(t.purchased_at),
    }


def transaction_of(
    row: str, *, created: int, modified: int, purchased: int, order_number: str | None
) -> Transaction:
    """An API row as facts again, with what it leaves out."""
    given = json.loads(row)
    validated = given["validated_date"]
    return Transaction(
        id=given["id"],
        order_id=given["button_order_id"] or "",
        account=given["account_id"],
        currency=given["currency"],
        store=given["commerce_organization"],
        customer=given["publisher_customer_id"],
        status=given["status"],
        category=given["category"],
        lines=tuple(_line_of(line) for line in given["order_line_items"] or ()),
        order_total=given["order_total"] or 0,
        commission=given["amount"],
        created_at=from_ms(created),
        modified_at=from_ms(modified),
        purchased_at=from_ms(purchased),
        validated_at=datetime.fromisoformat(validated) if validated else None,
        pub_ref=given["pub_ref"],
        token=given["btn_ref"],
        country=given["country"],
        order_number=order_number,
    )


def webhook_data(t: Transaction, *, organization: str) -> dict[str, Any]:
    """A webhook's data: milliseconds, dates and campaign that the API leaves out."""
    return {
        **_shared(t, organization=organization),
        "customer_order_id": t.order_number,
        "campaign_id": f"camp-{t.store[-16:]}",
        "rate_card_id": f"ratecard-{t.store[-16:]}",
        "posting_rule_id": None,
        "created_date": milliseconds(t.created_at),
        "modified_date": milliseconds(t.modified_at),
        "event_date": seconds(t.modified_at),
        "order_purchase_date": None if _is_install(t) else seconds(t.purchased_at),
    }


def _shared(t: Transaction, *, organization: str) -> dict[str, Any]:
    install = _is_install(t)
    return {
        "id": t.id,
        "status": t.status,
        "category": t.category,
        "amount": t.commission,
        "currency": t.currency,
        "order_total": None if install else t.order_total,
        "order_currency": None if install else t.currency,
        "order_line_items": None if install else [_line(line) for line in t.lines],
        "button_order_id": t.order_id or None,
        "order_id": None,
        "publisher_customer_id": t.customer,
        "pub_ref": t.pub_ref,
        "btn_ref": t.token,
        "commerce_organization": t.store,
        "publisher_organization": organization,
        "account_id": t.account,
        "button_id": "static",
        "order_click_channel": None if install else t.channel,
        "advertising_id": None,
        "validated_date": seconds(t.validated_at),
        "attribution_date": seconds(t.purchased_at),
    }


def _line(line: Line) -> dict[str, Any]:
    return {
        "identifier": line.identifier,
        "sku": None,
        "gtin": None,
        "category": line.category,
        "subcategory1": None,
        "subcategory2": None,
        "description": line.description,
        "quantity": line.quantity,
        "amount": line.price,
        "total": line.total,
        "publisher_commission": line.commission,
        "attributes": {},
    }


def _line_of(given: dict[str, Any]) -> Line:
    return Line(
        given["identifier"],
        given["description"],
        given["category"],
        given["quantity"],
        given["amount"],
        given["publisher_commission"],
    )


def _is_install(t: Transaction) -> bool:
    return t.category == APP_INSTALL
