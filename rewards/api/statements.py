"""Calls about what a member held, how it came about, and what expires when."""

from datetime import datetime

from drf_spectacular.utils import OpenApiParameter
from pydantic import Field
from rest_framework.request import Request
from rest_framework.response import Response

from rewards.api.base import ApiView, Document
from rewards.api.documents import Balance, OrderKey, Steps, TransferEntry, UnitCode
from rewards.api.members import find_member
from rewards.api.openapi import CUSTOMER_ID, PAGING, describe
from rewards.api.paging import Page, cut
from rewards.api.problems import Invalid
from rewards.instants import parse_instant
from rewards.ledger import expiries
from rewards.ledger.debts import Debt, open_debts
from rewards.ledger.movements import movement
from rewards.ledger.statements import Held, Line, balances, statement
from rewards.models import Unit

_INSTANT = {"type": "string", "example": "2026-11-01T00:00:00Z"}


def _instant(name: str, said: str, *, required: bool = False) -> OpenApiParameter:
    said += " RFC 3339, or a date, which is its midnight in UTC."
    return OpenApiParameter(name, _INSTANT, description=said, required=required)


AS_OF = _instant("as_of", "Counts what had happened before it; without it, all.")
KNOWN_ON = _instant("known_on", "Counts what was recorded before it; without it, all.")
PERIOD = [
    OpenApiParameter("unit", str, description="What is counted.", required=True),
    _instant("start", "Where the period begins.", required=True),
    _instant("end", "Where it ends; not included.", required=True),
    KNOWN_ON,
]


class BalancesDocument(Document):
    """What a member held, as of a time and as known at a time."""

    as_of: datetime | None
    known_on: datetime | None
    balances: list[Balance]


class LineDocument(TransferEntry):
    """One transfer, and what was available once it had happened."""

    effective_at: datetime = Field(description="When it happened in the world.")
    title: str = Field(examples=["Taken back"])
    about: str = Field(examples=["Order of Nov. 10, 2026 at Lumen & Oak"])
    available: Steps

    @classmethod
    def at(cls, line: Line) -> "LineDocument":
        words = movement(line.transfer)
        return cls(
            **TransferEntry.of(line.transfer).model_dump(),
            effective_at=line.transfer.effective_at,
            title=str(words.title),
            about=words.about,
            available=line.available,
        )


class StatementPage(Page):
    """A member's statement of one unit, newest line first."""

    unit: UnitCode
    start: datetime
    end: datetime
    known_on: datetime | None
    opening: Balance
    closing: Balance
    results: list[LineDocument]


class ExpiringEntry(Document):
    """What expires at one instant."""

    unit: UnitCode
    amount: Steps
    expires_at: datetime


class DebtEntry(Document):
    """What of a purchase or an adjustment was taken back and is still owed."""

    unit: UnitCode
    purchase: OrderKey | None = Field(description="null: it was an adjustment.")
    taken: Steps = Field(description="All that was taken back.")
    open: Steps = Field(description="What of it is still owed.")
    since: datetime

    @classmethod
    def of(cls, debt: Debt) -> "DebtEntry":
        return cls(
            unit=debt.unit.code,
            purchase=debt.purchase.order_key if debt.purchase else None,
            taken=debt.taken,
            open=debt.open,
            since=debt.since,
        )


class ExpiringDocument(Document):
    """What a member loses when, soonest first; what lives for ever is left out."""

    expiring: list[ExpiringEntry]


class DebtsDocument(Document):
    """What a member owes, oldest first. What it earns next pays it."""

    debts: list[DebtEntry]


class BalancesView(ApiView):
    """What one member held at a time."""

    @describe(
        "get_balances_of_members",
        {200: BalancesDocument},
        404,
        422,
        parameters=[CUSTOMER_ID, AS_OF, KNOWN_ON],
    )
    def get(self, request: Request, customer_id: str) -> Response:
        """Get what a member held as of a time, as it was known at a time."""
        member = find_member(customer_id)
        bounds = {name: _asked(request, name) for name in ("as_of", "known_on")}
        held = balances(member, **bounds)
        units = [u for u in Unit.objects.order_by("pk") if u.in_draft or u.pk in held]
        found = [_balance(unit, held.get(unit.pk, Held())) for unit in units]
        return BalancesDocument(**bounds, balances=found).response()


class StatementView(ApiView):
    """One member's statement."""

    @describe(
        "list_statement_of_members",
        {200: StatementPage},
        404,
        422,
        parameters=[CUSTOMER_ID, *PERIOD, *PAGING],
    )
    def get(self, request: Request, customer_id: str) -> Response:
        """List what moved a member's balance in a period, newest first.

        The closing balances of one period are the opening balances of the next.
        """
        member, unit = find_member(customer_id), _unit(request)
        start, end = _needed(request, "start"), _needed(request, "end")
        if start > end:
            raise Invalid.field("end", "is before start")
        known_on = _asked(request, "known_on")
        told = statement(member, unit=unit, start=start, end=end, known_on=known_on)
        found = cut(told.transfers(), by=("effective_at", "id"), request=request)
        return StatementPage(
            next=found.next,
            previous=found.previous,
            unit=unit.code,
            start=start,
            end=end,
            known_on=known_on,
            opening=_balance(unit, told.opening),
            closing=_balance(unit, told.closing),
            results=[LineDocument.at(line) for line in told.lines(found.rows)],
        ).response()


class ExpiringView(ApiView):
    """What of one member's balance expires."""

    @describe(
        "get_expiring_of_members",
        {200: ExpiringDocument},
        404,
        422,
        parameters=[CUSTOMER_ID],
    )
    def get(self, request: Request, customer_id: str) -> Response:
        """Get what expires when, soonest first."""
        found = expiries.expiring(find_member(customer_id))
        return ExpiringDocument(
            expiring=[
                ExpiringEntry(unit=u.code, amount=n, expires_at=at)
                for u, n, at in found
            ]
        ).response()


class DebtsView(ApiView):
    """What one member owes."""

    @describe(
        "get_debts_of_members",
        {200: DebtsDocument},
        404,
        422,
        parameters=[CUSTOMER_ID],
    )
    def get(self, request: Request, customer_id: str) -> Response:
        """Get what a member owes and for which purchases, oldest first."""
        found = open_debts(find_member(customer_id))
        return DebtsDocument(debts=[DebtEntry.of(debt) for debt in found]).response()


def _balance(unit: Unit, held: Held) -> Balance:
    return Balance(unit=unit.code, **held._asdict())


def _unit(request: Request) -> Unit:
    units = {unit.code: unit for unit in Unit.objects.all()}
    unit = units.get(request.query_params.get("unit", ""))
    if unit is None:
        raise Invalid.field("unit", "is no unit of the program")
    return unit


def _asked(request: Request, name: str) -> datetime | None:
    return _needed(request, name) if request.query_params.get(name) else None


def _needed(request: Request, name: str) -> datetime:
    try:
        return parse_instant(request.query_params.get(name, ""))
    except ValueError as error:
        raise Invalid.field(name, str(error)) from None
