"""A member's statement: every movement of a period, and what was available then."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from rewards.ledger.movements import Movement, movement
from rewards.ledger.statements import Line, Place, balances, statement
from rewards.models import Member, Unit
from rewards.money import unit_amount
from rewards.pages.activity import PAGE_SIZE, Cursor
from rewards.pages.balances import Balance
from rewards.pages.views import members_only

MONTHS = 12
YEARS = 4


@dataclass(frozen=True, slots=True)
class Period:
    """A month or a year by the server's clocks; ``code`` is what addresses say."""

    code: str
    name: str
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Entry:
    """One line in words. ``amount`` has its sign where it is of what is available."""

    at: datetime
    movement: Movement
    amount: str
    counts: bool
    available: str


def periods(*, at: datetime) -> list[Period]:
    """Months and years to choose from, newest first."""
    now = timezone.localtime(at)
    months = [_month(now.year * 12 + now.month - 1 - back) for back in range(MONTHS)]
    years = [_year(now.year - back) for back in range(YEARS)]
    return [*months, *years]


def _month(number: int) -> Period:
    start, end = _first_of(number), _first_of(number + 1)
    return Period(f"{start:%Y-%m}", date_format(start, "F Y"), start, end)


def _year(year: int) -> Period:
    start, end = _first_of(12 * year), _first_of(12 * (year + 1))
    return Period(f"{year:04}", _("All of %d") % year, start, end)


def _first_of(number: int) -> datetime:
    """The beginning of a month, counted from the year 0."""
    year, month = divmod(number, 12)
    zone = timezone.get_current_timezone()
    return datetime(year, month + 1, 1, tzinfo=zone)


@members_only
def statement_page(request: HttpRequest, member: Member) -> HttpResponse:
    units = _units(member)
    unit = next((u for u in units if u.code == request.GET.get("unit")), None)
    offered = periods(at=timezone.now())
    period = next((p for p in offered if p.code == request.GET.get("period")), None)
    if not units:
        return render(request, "rewards/statement.html", {"units": units})
    unit, period = unit or units[0], period or offered[0]
    told = statement(member, unit=unit, start=period.start, end=period.end)
    cursor = Cursor.parse(request.GET.get("before", ""))
    before = Place(cursor.at, cursor.id) if cursor else None
    lines, following = told.page(before=before, size=PAGE_SIZE)
    context = {
        "units": units,
        "unit": unit,
        "periods": offered,
        "period": period,
        "entries": [entry(line, unit) for line in lines],
        "opening": Balance(unit, told.opening),
        "closing": Balance(unit, told.closing),
        "following": Cursor(following.effective_at, following.id)
        if following
        else None,
        "newest": cursor is None,
    }
    return render(request, "rewards/statement.html", context)


def entry(line: Line, unit: Unit) -> Entry:
    """The line in words."""
    change = line.changes.get("available", 0)
    amount = unit_amount(line.transfer.amount, unit=unit)
    sign = ("", "+", "\u2212")[(change > 0) - (change < 0)]
    return Entry(
        at=line.transfer.effective_at,
        movement=movement(line.transfer),
        amount=f"{sign}{amount}",
        counts=bool(change),
        available=unit_amount(line.available, unit=unit),
    )


def _units(member: Member) -> Sequence[Unit]:
    """Those of the program, and every other one the member has had."""
    held = balances(member)
    return [u for u in Unit.objects.order_by("pk") if u.in_draft or u.pk in held]
