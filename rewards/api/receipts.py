"""The receipt of one purchase, as JSON."""

from datetime import datetime
from fractions import Fraction
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from rewards.api.base import Document
from rewards.api.documents import Minor, OrderKey, Status, Steps, UnitCode
from rewards.program import facts
from rewards.program.receipts import Receipt
from rewards.program.trials import Tried


def _written(amount: Fraction | None) -> str:
    return "" if amount is None else str(amount)


Exact = Annotated[
    str,
    BeforeValidator(_written),
    Field(
        description="Before rounding, in the unit's smallest step: an integer or a"
        " fraction in lowest terms. Empty: it never came to that.",
        examples=["9199/100"],
    ),
]


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


class MemberFacts(Document):
    """What was known of the member as the purchase was first settled."""

    customer_id: str = Field(examples=["alice-1"])
    segments: list[str] = Field(examples=[["vip"]])
    joined_at: datetime | None
    first: list[Literal["ever", "merchant"]] = Field(
        description="`ever`: no earlier order of the member counted against it;"
        " `merchant`: none at this store."
    )


class ClickFacts(Document):
    """The visit through one of our links that led to the order."""

    at: datetime
    reference: str


class Facts(Document):
    """Everything about the purchase that rules could look at. Empty: not given.

    A country or channel that only an earlier report told is here too.
    """

    transaction_id: str
    account: str
    status: Status
    category: str = Field(examples=["new-user-order"])
    merchant: str
    merchant_categories: list[str] = Field(examples=[["HOME"]])
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
    member: MemberFacts
    click: ClickFacts | None

    @classmethod
    def of(cls, known: facts.Facts) -> "Facts":
        report, about = known.report, known.about
        click = None
        if about.click_at:
            click = ClickFacts(at=about.click_at, reference=about.click_reference)
        own = {name: getattr(report, name, None) for name in cls.model_fields}
        added = {
            "country": known.country,
            "channel": known.channel,
            "merchant_categories": list(about.merchant_categories),
            "member": MemberFacts.model_validate(about),
            "click": click,
        }
        return cls.model_validate({**own, **added})


class FailedCondition(Document):
    """The first condition that did not hold."""

    condition: str = Field(
        description="Its name in the program file.", examples=["currencies"]
    )
    wanted: str = Field(description="What the rule asks for.", examples=["USD"])
    found: str = Field(description="What the purchase has.", examples=["EUR"])


class AskedCondition(FailedCondition):
    """One condition of a rule, and what became of it."""

    held: bool


class UsedLimit(Document):
    """One limit of a rule, as it stood when the purchase was settled."""

    limit: Literal["per_order", "per_member", "per_member_count", "budget"]
    cap: int = Field(
        description="In the unit's smallest step; `per_member_count`: in purchases.",
        examples=[5000],
    )
    used: int = Field(description="By other purchases.", examples=[4700])
    held: int = Field(
        description="By this purchase already; no limit takes that back.", examples=[0]
    )
    room: int | None = Field(
        description="The most that the rule could grant; null: as much as it wants.",
        examples=[300],
    )


class TriedRule(Document):
    """One rule of the edition, and what became of it."""

    rule: str = Field(description="The rule's key.", examples=["base-usd"])
    label: str | dict[str, str] = Field(
        description="For people: text, or a text per language.",
        examples=["1 point per dollar"],
    )
    group: Literal["override", "base", "bonus"]
    unit: UnitCode
    outcome: Literal[
        "applied", "not_matched", "no_items", "stood_back", "nothing", "failed"
    ] = Field(
        description="`not_matched`: see `failed`. `no_items`: no line of the order"
        " counts for it. `stood_back`: the rule `stood_before` came first. `nothing`:"
        " it matched, and gives nothing here. `failed`: its expression could not be"
        " worked out, so the purchase waits for staff."
    )
    conditions: list[AskedCondition] = Field(
        description="Everything that the rule asks; all must hold."
    )
    failed: FailedCondition | None
    stood_before: str | None = Field(
        description="The key of the rule that counts instead.", examples=["base-usd"]
    )
    lines: list[int] | None = Field(
        description="Which of `facts.lines` count, from 0; null: the whole order does.",
        examples=[[0, 2]],
    )
    why: str = Field(
        description="The arithmetic in words.", examples=["1 per 1.00 of 91.99 USD"]
    )
    exact: Exact = Field(description="Before rounding and before the rule's limits.")
    given: Exact = Field(description="What the rule's limits leave of it.")
    running: Exact = Field(description="The unit's sum up to this rule.")
    wanted: Steps
    granted: Steps
    limits: list[UsedLimit]
    hold_days: int | None = Field(
        description="Days that a validated award still stays pending."
    )
    held_until: datetime | None = Field(description="The end of that hold, if known.")
    expires_after_days: int | None

    @classmethod
    def of(cls, tried: Tried, *, held_until: datetime | None) -> "TriedRule":
        spec, before = tried.spec, tried.stood_before
        own = {name: getattr(tried, name, None) for name in cls.model_fields}
        added = {
            "group": spec.group,
            "stood_before": before.key if before else None,
            "hold_days": spec.hold_days,
            "held_until": held_until,
            "expires_after_days": spec.expires_after_days,
        }
        return cls.model_validate({**own, **added})


class UnitRounding(Document):
    """How one unit's exact sum became what was granted."""

    unit: UnitCode
    mode: Literal["floor", "ceil", "half_up", "half_even"]
    exact: Exact
    rounded: Steps
    remainder: Exact = Field(
        description="What rounding left off; below zero where it rounded up."
    )


class ReceiptDocument(Document):
    """Why a purchase earns what it does."""

    reference: OrderKey
    edition: int | None
    pinned: bool = Field(
        description="Whether a re-run chose the edition, and not the order's time."
    )
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
    rounding: list[UnitRounding]

    @classmethod
    def of(cls, receipt: Receipt, *, reference: str) -> "ReceiptDocument":
        held = receipt.held_until
        return cls(
            reference=reference,
            edition=receipt.edition.number if receipt.edition else None,
            pinned=receipt.pinned,
            settled_at=receipt.settled_at,
            note=receipt.note or None,
            reproduced=receipt.reproduced,
            facts=Facts.of(receipt.facts) if receipt.facts else None,
            rules=[
                TriedRule.of(tried, held_until=held.get(tried.rule))
                for tried in receipt.rules
            ],
            rounding=[UnitRounding.model_validate(unit) for unit in receipt.units],
        )
