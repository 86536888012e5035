"""What a member has in each unit, what of it expires, and what is owed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from rewards.ledger.debts import Debt, open_debts
from rewards.ledger.expiries import Expiring, expiring
from rewards.ledger.statements import Held
from rewards.ledger.statements import balances as held_by
from rewards.models import Member, Purchase, Unit
from rewards.money import unit_amount, unit_name, unit_number
from rewards.program import editions

SOON = 3


@dataclass(frozen=True, slots=True)
class Expiry:
    """So much can be used through this day."""

    amount: str
    day: date


@dataclass(frozen=True, slots=True)
class Balance:
    """One unit's figures, in words."""

    unit: Unit
    held: Held
    expiring: list[Expiry] = field(default_factory=list)

    @property
    def available_amount(self) -> str:
        return unit_amount(self.held.available, unit=self.unit)

    @property
    def figure(self) -> str:
        return unit_number(self.held.available, unit=self.unit)

    @property
    def name(self) -> str:
        return unit_name(self.held.available, unit=self.unit)

    @property
    def pending_amount(self) -> str:
        return unit_amount(self.held.pending, unit=self.unit)

    @property
    def reserved_amount(self) -> str:
        """Empty where nothing is on its way."""
        if not self.held.reserved:
            return ""
        return unit_amount(self.held.reserved, unit=self.unit)

    @property
    def debt_amount(self) -> str:
        """Empty where nothing is owed."""
        return unit_amount(self.held.debt, unit=self.unit) if self.held.debt else ""

    @property
    def soon(self) -> list[Expiry]:
        return self.expiring[:SOON]

    @property
    def later(self) -> list[Expiry]:
        return self.expiring[SOON:]


def balances(
    member: Member, units: Mapping[int, Unit], *, at: datetime
) -> list[Balance]:
    """Every unit of the program, and every other one the member has had."""
    held = held_by(member)
    expiries: dict[int, list[Expiring]] = {}
    for found in expiring(member):
        expiries.setdefault(found.unit.pk, []).append(found)
    zone = editions.zone(at)
    return [
        Balance(
            unit,
            held.get(id, Held()),
            [_expiry(found, zone=zone) for found in expiries.get(id, [])],
        )
        for id, unit in sorted(units.items())
        if unit.in_draft or id in held
    ]


def debts(member: Member, purchase: Purchase | None = None) -> list[str]:
    """What the member owes, or owes of one purchase: a sentence for each."""
    owed = open_debts(member)
    return [said(debt) for debt in owed if purchase in (None, debt.purchase)]


def said(debt: Debt) -> str:
    """What was taken back, why, and what of it is still open."""
    amounts = {
        "taken": unit_amount(debt.taken, unit=debt.unit),
        "open": unit_amount(debt.open, unit=debt.unit),
    }
    if debt.purchase is None:
        return (
            _(
                "We took back %(taken)s; %(open)s of it is still open and comes off"
                " what you earn next."
            )
            % amounts
        )
    return _(
        "Your order of %(date)s at %(store)s was returned, so %(taken)s was taken"
        " back; %(open)s of it is still open and comes off what you earn next."
    ) % {
        "date": date_format(localtime(debt.purchase.attributed_at)),
        "store": debt.purchase.merchant or _("an unknown store"),
        **amounts,
    }


def last_day(expires_at: datetime, *, zone: ZoneInfo) -> date:
    """The last day on which something can be used, by the program's clocks."""
    return (expires_at - timedelta(microseconds=1)).astimezone(zone).date()


def _expiry(found: Expiring, *, zone: ZoneInfo) -> Expiry:
    amount = unit_amount(found.amount, unit=found.unit)
    return Expiry(amount, last_day(found.expires_at, zone=zone))
