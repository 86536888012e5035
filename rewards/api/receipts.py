"""The receipt of one purchase, as JSON."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from rewards.api.base import Document
from rewards.api.documents import Minor, OrderKey, Status, Steps, UnitCode
from rewards.program.receipts import Receipt


class LineFacts(Document):
    """One line of the order."""

    identifier: str
    sku: str
    gtin: str
    categories: list[str]
    subcategories: list[str]
    description: str
    quantity: int
    amount: Minor
    total: Minor
    commission: Minor
    attributes: list[tuple[str, str]]


class Facts(Document):
    """Everything about the purchase that rules could look at. Empty: not given."""

    transaction_id: str
    account: str
    status: Status
    category: str = Field(examples=["new-user-order"])
    merchant: str
    customer_id: str
    order_total: Minor | None
    order_currency: str
    commission: Minor | None
    currency: str
    country: str
    channel: str
    attributed_at: datetime
    modified_at: datetime
    validated_at: datetime | None
    lines: list[LineFacts]


class FailedCondition(Document):
    """The first condition that did not hold."""

    condition: str = Field(
        description="Its name in the program file.", examples=["currencies"]
    )
    wanted: str = Field(description="What the rule asks for.", examples=["USD"])
    found: str = Field(description="What the purchase has.", examples=["EUR"])


class TriedRule(Document):
    """One rule of the edition, and what became of it."""

    rule: str = Field(description="The rule's key.", examples=["base-usd"])
    label: str | dict[str, str] = Field(
        description="For people: text, or a text per language.",
        examples=["1 point per dollar"],
    )
    unit: UnitCode
    outcome: Literal["applied", "not_matched", "stood_back", "nothing"] = Field(
        description="`not_matched`: see `failed`. `stood_back`: another rule of its"
        " group came first. `nothing`: it matched, and gives nothing here."
    )
    failed: FailedCondition | None
    why: str = Field(
        description="The arithmetic in words.", examples=["1 per 1.00 of 91.00 USD"]
    )
    exact: str = Field(
        description="The amount before rounding, in the unit's smallest step.",
        examples=["183/2"],
    )
    wanted: Steps
    granted: Steps


class ReceiptDocument(Document):
    """Why a purchase earns what it does."""

    reference: OrderKey
    edition: int | None
    settled_at: datetime | None
    note: str | None = Field(
        description="Why no rule was tried, where none was.",
        examples=["The store declined the order, so it is worth nothing."],
    )
    reproduced: bool = Field(
        description="Whether evaluating again gives the awards that are stored."
    )
    facts: Facts | None
    rules: list[TriedRule]

    @classmethod
    def of(cls, receipt: Receipt, *, reference: str) -> "ReceiptDocument":
        return cls(
            reference=reference,
            edition=receipt.edition,
            settled_at=receipt.settled_at,
            note=receipt.note or None,
            reproduced=receipt.reproduced,
            facts=Facts.model_validate(receipt.report) if receipt.report else None,
            rules=[TriedRule.model_validate(tried) for tried in receipt.rules],
        )
