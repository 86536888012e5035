"""From Button's words to ours: one stored event to one PurchaseReport.

Anything that Button has not defined is refused with a reason, never guessed: a guess
here would be points that nobody owes, or a decline that nobody meant.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from ingestion.button.envelope import NETWORK, Unreadable, read_json
from ingestion.button.payloads import Labels, Line, Transaction
from merchants.clicks import is_ours
from merchants.currencies import EXPONENTS
from rewards.reports import (
    APP_INSTALL,
    REWARDED_CATEGORIES,
    LineItem,
    PurchaseReport,
)

STATUS_OF_EVENT = {
    "tx-pending": "pending",
    "tx-validated": "validated",
    "tx-declined": "declined",
}
CATEGORIES = (*REWARDED_CATEGORIES, APP_INSTALL)
# An early signal without amount or order, and the dashboard's test delivery.
INFORMATION = {
    "order-checkout": "A checkout signal carries no order; its transaction follows.",
    "ping": "A test delivery.",
}
WANTED = {
    "missing": "is missing",
    "int_type": "is no whole number",
    "int_from_float": "is no whole number",
    "less_than_equal": "is beyond all reason",
    "greater_than_equal": "is beyond all reason",
    "string_type": "is no text",
    "string_too_short": "is empty",
    "string_pattern_mismatch": "has characters that no id has",
    "string_unicode": "has characters that no text has",
    "list_type": "is no list",
    "dict_type": "is no object",
    "model_type": "is no object",
}
EARLIEST = datetime(2010, 1, 1, tzinfo=UTC)
MOST_SKEW = timedelta(hours=24)


class NotUnderstood(Exception):
    """The event can't become a report; the message tells staff why."""


class NothingToSettle(Exception):
    """The event is understood, and no purchase follows from it."""


def report_of_webhook(body: bytes, *, received_at: datetime) -> PurchaseReport:
    """Read one webhook's body.

    Raises NotUnderstood or NothingToSettle.
    """
    try:
        envelope = read_json(body)
    except Unreadable as error:
        raise NotUnderstood(str(error)) from None
    if not isinstance(envelope, dict):
        raise NotUnderstood("The body is no JSON object.")
    event_type = envelope.get("event_type")
    if not isinstance(event_type, str):
        raise NotUnderstood("The body has no event_type.")
    if event_type in INFORMATION:
        raise NothingToSettle(INFORMATION[event_type])
    if event_type not in STATUS_OF_EVENT:
        raise NotUnderstood(f"The event type {_quoted(event_type)} is unknown.")
    transaction = _transaction(envelope.get("data"))
    if transaction.status != STATUS_OF_EVENT[event_type]:
        raise NotUnderstood(
            f"The event type says {_quoted(event_type)},"
            f" and the status says {_quoted(transaction.status)}."
        )
    return _report(transaction, received_at=received_at)


def report_of_row(
    row: bytes, *, received_at: datetime, account: str = "", confirmed: int = 0
) -> PurchaseReport:
    """Read one row of the Transactions API. Raises NotUnderstood.

    A row that leaves its account out belongs to the one whose list it stood in.
    """
    try:
        data = read_json(row)
    except Unreadable as error:
        raise NotUnderstood(str(error)) from None
    transaction = _transaction(data)
    if transaction.status not in STATUS_OF_EVENT.values():
        raise NotUnderstood(f"The status {_quoted(transaction.status)} is unknown.")
    report = _report(transaction, received_at=received_at)
    if confirmed or not report.account:
        account = report.account or account
        return replace(report, account=account, confirmed=confirmed)
    return report


def _transaction(data: Any) -> Transaction:
    if not isinstance(data, dict):
        raise NotUnderstood("The event has no transaction in its data.")
    try:
        return Transaction.model_validate(data)
    except ValidationError as error:
        lines = [_line(e) for e in error.errors()]
        raise NotUnderstood("\n".join(lines[:20])) from None


def _line(error: ErrorDetails) -> str:
    """One mistake, for staff: which field, and what it should have been."""
    field = ".".join(map(str, error["loc"]))
    wanted = WANTED.get(error["type"], error["msg"])
    if error["type"] == "string_pattern_mismatch" and field.endswith("_date"):
        wanted = "is no time such as 2026-11-04T18:40:07Z"
    return f"{field}: {wanted}"


def _report(t: Transaction, *, received_at: datetime) -> PurchaseReport:
    modified_at = _instant("modified_date", t.modified_date)
    if modified_at > received_at + MOST_SKEW:
        # It would outrank every later state for years.
        raise NotUnderstood("modified_date: is in the future.")
    _refuse_foreign(t)
    return PurchaseReport(
        network=NETWORK,
        account=t.account_id or "",
        transaction_id=t.id,
        order_id=t.button_order_id or "",
        status=t.status,
        category=_category(t.category),
        modified_at=modified_at,
        attributed_at=_attributed_at(t),
        merchant=t.commerce_organization or "",
        merchant_name=(t.commerce_organization_name or "")[:200],
        customer_id=t.publisher_customer_id or "",
        click_reference=_click(t.pub_ref or ""),
        order_number=(t.customer_order_id or t.order_id or "")[:255],
        currency=_currency("currency", t.currency, t.amount),
        commission=t.amount,
        order_currency=_currency("order_currency", t.order_currency, t.order_total),
        order_total=t.order_total,
        lines=tuple(_line_item(line) for line in t.order_line_items or ()),
        country=_country(t.country or ""),
        channel=(t.order_click_channel or "")[:32],
        created_at=_second(_instant("created_date", t.created_date)),
        purchased_at=_second(_instant("order_purchase_date", t.purchased)),
        validated_at=_second(_instant("validated_date", t.validated_date)),
    )


def _click(reference: str) -> str:
    """A click of ours. What others refer to by it is nothing to us, and a report is
    kept for ever: it could name the customer."""
    return reference if is_ours(reference) else ""


def _category(name: str) -> str:
    if name not in CATEGORIES:
        raise NotUnderstood(f"The category {_quoted(name)} is unknown.")
    return name


def _refuse_foreign(t: Transaction) -> None:
    ours, theirs = settings.BUTTON_ORGANIZATION_ID, t.publisher_organization
    if ours and theirs and theirs != ours:
        raise NotUnderstood(
            f"It belongs to the organization {_quoted(theirs)}, which is not ours."
        )


def _currency(field: str, code: str | None, amount: int | None) -> str:
    """The currency's code; an amount without one can't be read."""
    code = code or ""
    code = code.upper() if code.isascii() else code
    if code and code not in EXPONENTS:
        raise NotUnderstood(f"{field}: {_quoted(code)} is no ISO 4217 currency.")
    if amount and not code:
        raise NotUnderstood(f"{field}: is missing, so its amount can't be read.")
    return code


def _instant(field: str, text: str | None) -> Any:
    """RFC 3339 text as UTC; None stays None."""
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise NotUnderstood(f"{field}: {text} is no time that exists.") from None
    if at < EARLIEST:
        raise NotUnderstood(f"{field}: {text} is before 2010.")
    return at


def _second(at: datetime | None) -> datetime | None:
    """Whole seconds: one route tells fractions that the other leaves out."""
    return at.replace(microsecond=0) if at else None


def _country(code: str) -> str:
    """ISO 3166 alpha-2 in capitals; anything longer is no country to a rule."""
    return code.upper() if len(code) == 2 and code.isascii() else ""


def _attributed_at(t: Transaction) -> datetime:
    """The time that rules go by, in whole seconds.

    Button's guide calls it the shopper's own time of the order; rows without it fall
    back to the purchase, then to the row's creation.
    """
    at = (
        _instant("attribution_date", t.attribution_date)
        or _instant("order_purchase_date", t.purchased)
        or _instant("created_date", t.created_date)
    )
    if at is None:
        raise NotUnderstood("It says neither when it was attributed nor created.")
    return at.replace(microsecond=0)


def _line_item(line: Line) -> LineItem:
    quantity, amount = line.quantity or 0, line.amount or 0
    total = line.total
    return LineItem(
        identifier=line.identifier or "",
        sku=line.sku or "",
        gtin=line.gtin or "",
        categories=_labels(line.category),
        subcategories=_labels(line.subcategory1) + _labels(line.subcategory2),
        description=line.description or "",
        quantity=quantity,
        amount=amount,
        total=amount * quantity if total is None else total,
        commission=line.commission or 0,
        attributes=_attributes(line.attributes) if line.attributes else (),
    )


def _labels(value: Labels) -> tuple[str, ...]:
    """A string, or an array of them, as a tuple."""
    if not value:
        return ()
    return (value,) if isinstance(value, str) else tuple(value)


def _attributes(values: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """Attributes as text; a value that is no scalar says nothing to a rule."""
    return tuple(
        (key, str(value))
        for key, value in sorted(values.items())
        if isinstance(value, str | int | float)
    )


def _quoted(text: str) -> str:
    return f"“{text[:80]}”"
