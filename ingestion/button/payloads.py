"""Button's transaction object, field by field, in both of its spellings.

Strict where money or identity hangs on it, lenient about everything else: Button adds
fields at any time, and some captured payloads lack half of the documented ones. All
checks here run inside pydantic's core; the adapter does what needs Python.
"""

from typing import Annotated, Any

from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

MOST_MINOR_UNITS = 10**12
MOST_LINES = 1_000

# Identity must be exact: no control characters, and none that stand for lost ones.
_EXACT = r"^[^\x00-\x1f\x7f\ufffd]*$"
_RFC_3339 = r"^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$"

Id = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=_EXACT)]
OptionalId = Annotated[str, StringConstraints(max_length=255, pattern=_EXACT)] | None
LongId = Annotated[str, StringConstraints(max_length=512, pattern=_EXACT)] | None
Instant = Annotated[str, StringConstraints(pattern=_RFC_3339)]
Minor = Annotated[int, Field(ge=-MOST_MINOR_UNITS, le=MOST_MINOR_UNITS)]
Text = str | None
Labels = str | list[str] | None


class _Lenient(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)

    @model_validator(mode="before")
    @classmethod
    def _null_is_absent(cls, data: Any) -> Any:
        """A null under one spelling must not hide the value under the other."""
        if not isinstance(data, dict):
            return data
        return {key: value for key, value in data.items() if value is not None}


class Line(_Lenient):
    """One line item. ``amount`` is the price of one, in minor units."""

    identifier: Text = None
    sku: Text = None
    gtin: Annotated[Text, Field(validation_alias=AliasChoices("gtin", "upc"))] = None
    category: Labels = None
    subcategory1: Labels = None
    subcategory2: Labels = None
    description: Text = None
    quantity: Minor | None = None
    amount: Minor | None = None
    total: Minor | None = None
    # Button's own samples misspell it.
    commission: Annotated[
        Minor | None,
        Field(
            validation_alias=AliasChoices("publisher_commission", "publisher_comission")
        ),
    ] = None
    attributes: dict[str, Any] | None = None


class Transaction(_Lenient):
    """The state of one transaction, as a webhook's ``data`` or a polled row."""

    id: Id
    status: Id
    category: Id
    modified_date: Instant
    created_date: Instant | None = None
    attribution_date: Instant | None = None
    purchased: Annotated[
        Instant | None,
        Field(
            validation_alias=AliasChoices("order_purchase_date", "order_purchased_date")
        ),
    ] = None
    validated_date: Instant | None = None
    amount: Minor | None = None
    currency: OptionalId = None
    order_total: Minor | None = None
    order_currency: OptionalId = None
    order_line_items: Annotated[list[Line], Field(max_length=MOST_LINES)] | None = None
    button_order_id: OptionalId = None
    order_id: Text = None
    customer_order_id: Text = None
    publisher_customer_id: LongId = None
    pub_ref: LongId = None
    commerce_organization: OptionalId = None
    commerce_organization_name: Text = None
    publisher_organization: OptionalId = None
    account_id: OptionalId = None
    order_click_channel: Text = None
    country: Text = None
