"""The JSON that the API answers. Amounts are integers, times RFC 3339 in UTC."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Literal

from django.utils import timezone
from pydantic import ConfigDict, Field

from rewards.api.base import Document
from rewards.api.paging import Page
from rewards.models import Account, Award, Member, Purchase, Report, Transfer, Unit
from rewards.promises import expected_at

Steps = Annotated[
    int,
    Field(description="In the unit's smallest step: 302 is 3.02 USD, or 302 points."),
]
Minor = Annotated[
    int, Field(description="In the currency's smallest unit: 9100 is 91.00 USD.")
]
UnitCode = Annotated[
    str,
    Field(description="What is counted: `points`, or a currency.", examples=["points"]),
]
Status = Annotated[
    Literal["pending", "validated", "declined"],
    Field(description="`validated` and `declined` are final."),
]
OrderKey = Annotated[
    str,
    Field(
        description="The order's id; the transaction's where it has none.",
        examples=["btnorder-5d1f0a3b2c4e6f78"],
    ),
]
MerchantId = Annotated[
    str | None,
    Field(
        description="The store's id at the network.", examples=["org-71d0be5529aa4f03"]
    ),
]


class Balance(Document):
    """What a member holds of one unit."""

    unit: UnitCode
    pending: Steps
    available: Steps
    reserved: Steps
    debt: Steps


class MemberDocument(Document):
    """A member and what it holds."""

    customer_id: str = Field(examples=["alice-1"])
    status: Literal["active", "held", "blocked"]
    email: str
    locale: str
    segments: list[str]
    joined_at: datetime
    balances: list[Balance]

    @classmethod
    def of(cls, member: Member) -> "MemberDocument":
        return cls(
            customer_id=member.customer_id,
            status=member.status_at(timezone.now()),  # type: ignore[arg-type]
            email=member.email,
            locale=member.locale,
            segments=member.segments,
            joined_at=member.joined_at,
            balances=_balances(member),
        )


class AwardDocument(Document):
    """What one rule grants one purchase. A limit can make granted less than wanted."""

    rule: str = Field(description="The rule's key.", examples=["base-usd"])
    unit: UnitCode
    wanted: Steps
    granted: Steps

    @classmethod
    def all_of(cls, purchase: Purchase) -> list["AwardDocument"]:
        """The awards that are current."""
        awards: Iterable[Award] = ()
        if purchase.settlement:
            awards = purchase.settlement.awards.all()
        return [
            cls(rule=a.rule, unit=a.unit.code, wanted=a.wanted, granted=a.granted)
            for a in awards
        ]


class HistoryEntry(Document):
    """One report of a purchase, as the network sent it."""

    status: Status
    order_total: Minor
    commission: Minor
    modified_at: datetime = Field(description="When the network says it changed.")
    received_at: datetime
    source: Literal["webhook", "poll", "staff"]

    @classmethod
    def all_of(cls, reports: list[Report]) -> list["HistoryEntry"]:
        """One entry for what was said, however many routes said it.

        A webhook and a poll tell the same state with different trimmings.
        """
        distinct: dict[tuple[object, ...], Report] = {}
        for report in reports:
            second = int(report.modified_at.timestamp())
            said = (report.status, report.order_total, report.commission, second)
            names = (report.transaction_id, report.customer_id)
            distinct.setdefault((*said, *names), report)
        return [cls.model_validate(report) for report in distinct.values()]


class PurchaseDocument(Document):
    """The newest known state of one order, and what it earns."""

    reference: OrderKey
    transactions: list[str] = Field(
        description="Every transaction id ever reported for it.",
        examples=[["tx-0e8a5c1d2b3f4a69"]],
    )
    status: Status
    customer_id: str | None = Field(description="Whose it is; null: nobody's known.")
    merchant: MerchantId
    account: str = Field(description="The network account that reported it.")
    currency: str = Field(description="Of the commission.", examples=["USD"])
    order_currency: str = Field(description="Of the order total.", examples=["USD"])
    order_total: Minor
    commission: Minor
    attributed_at: datetime = Field(description="Decides which edition holds.")
    edition: int | None = Field(
        description="Number of the edition applied; null: none yet."
    )
    review: str | None = Field(
        description="Why staff must look; until then nothing moves."
    )
    awards: list[AwardDocument]
    history: list[HistoryEntry] = Field(
        description="Each distinct report, superseded ones too, oldest first."
    )

    @classmethod
    def of(cls, purchase: Purchase, reports: list[Report]) -> "PurchaseDocument":
        settlement, merchant = purchase.settlement, purchase.merchant
        edition = settlement.edition if settlement else None
        return cls(
            reference=purchase.order_key,
            transactions=list(dict.fromkeys(r.transaction_id for r in reports)),
            status=purchase.status,  # type: ignore[arg-type]
            customer_id=_customer_id(purchase),
            merchant=merchant.external_id if merchant else None,
            account=purchase.account.external_id,
            currency=purchase.currency,
            order_currency=purchase.order_currency,
            order_total=purchase.order_total,
            commission=purchase.commission,
            attributed_at=purchase.attributed_at,
            edition=edition.number if edition else None,
            review=purchase.review or None,
            awards=AwardDocument.all_of(purchase),
            history=HistoryEntry.all_of(reports),
        )


class ActivityEntry(Document):
    """One purchase as its member sees it."""

    reference: OrderKey
    status: Status
    merchant: MerchantId
    merchant_name: str
    order_total: Minor
    order_currency: str = Field(examples=["USD"])
    attributed_at: datetime
    expected_at: datetime | None = Field(
        description="When it should become final; null: not known, or final already."
    )
    awards: list[AwardDocument]

    @classmethod
    def of(cls, purchase: Purchase) -> "ActivityEntry":
        merchant = purchase.merchant
        return cls(
            reference=purchase.order_key,
            status=purchase.status,  # type: ignore[arg-type]
            merchant=merchant.external_id if merchant else None,
            merchant_name=(merchant.own_name or merchant.name) if merchant else "",
            order_total=purchase.order_total,
            order_currency=purchase.order_currency,
            attributed_at=purchase.attributed_at,
            expected_at=expected_at(purchase),
            awards=AwardDocument.all_of(purchase),
        )


class ActivityPage(Page):
    """A member's purchases, newest order first."""

    results: list[ActivityEntry]


class TransferEntry(Document):
    """One row of the ledger: a positive amount, from one account to another."""

    # `from` is a keyword in Python.
    model_config = ConfigDict(populate_by_name=True)

    id: int
    unit: UnitCode
    taken_from: str = Field(
        serialization_alias="from",
        description="pending, available, reserved and debt are the member's own.",
        examples=["issued"],
    )
    given_to: str = Field(serialization_alias="to", examples=["pending"])
    amount: Steps
    source: str = Field(description="What moved it.", examples=["purchase"])
    reference: str = Field(description="With source, unique: safe to deduplicate by.")
    purchase: OrderKey | None
    recorded_at: datetime

    @classmethod
    def of(cls, transfer: Transfer) -> "TransferEntry":
        return cls(
            id=transfer.pk,
            unit=transfer.from_account.unit.code,
            taken_from=transfer.from_account.kind,
            given_to=transfer.to_account.kind,
            amount=transfer.amount,
            source=transfer.source,
            reference=transfer.reference,
            purchase=transfer.purchase.order_key if transfer.purchase else None,
            recorded_at=transfer.recorded_at,
        )


class TransferPage(Page):
    """A member's ledger, newest first."""

    results: list[TransferEntry]


def _balances(member: Member) -> list[Balance]:
    """One balance for each unit that the draft has or the member holds."""
    held: dict[int, dict[str, int]] = {}
    for unit_id, kind, balance in member.accounts.values_list(
        "unit_id", "kind", "balance"
    ):
        held.setdefault(unit_id, {})[kind] = balance or 0
    return [
        Balance(
            unit=unit.code,
            **{
                kind: held.get(unit.pk, {}).get(kind, 0)
                for kind in Account.MEMBER_KINDS
            },
        )
        for unit in Unit.objects.order_by("pk")
        if unit.in_draft or unit.pk in held
    ]


def _customer_id(purchase: Purchase) -> str | None:
    """The member's, or the one that was reported while it is no member yet."""
    if purchase.member:
        return purchase.member.customer_id
    return purchase.customer_id or None
