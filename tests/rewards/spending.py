"""Members who earn, spend and give back, for tests of balances and statements."""

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from rewards import bulk, ledger
from rewards.decisions import resolve
from rewards.ledger.postings import Posting, Pot
from rewards.models import Account, Member, Report, Transfer, Unit
from tests.builders import NOW, ORDERED, purchase, report, settle_reports

LATER = NOW + timedelta(days=1)


def earn(order: str = "1", total: int = 9100, *, at: datetime = NOW, **changes: Any):
    """An order of alice that is final: a point for each unit of its total."""
    values = {"status": "validated", "order_total": total, **changes}
    settle_reports(
        report(order_id=f"btnorder-{order}", transaction_id=f"tx-{order}", **values),
        at=at,
    )


def take_back(order: str = "1", *, at: datetime = LATER) -> None:
    """The store takes a final order back, and staff decide that this holds."""
    change_final(order, at=at, status="declined")


def change_final(order: str = "1", *, at: datetime, **changes: Any) -> None:
    """The store changes what was final, and staff decide that this holds."""
    values = {"status": "validated", "modified_at": at - timedelta(hours=1), **changes}
    again = report(order_id=f"btnorder-{order}", transaction_id=f"tx-{order}", **values)
    settle_reports(again, at=at)
    found = purchase(f"btnorder-{order}")
    chosen = Report.objects.filter(purchase=found).latest("pk")
    resolve(found, report=chosen, reason="It was returned.", by=None, at=at)


def spend(
    amount: int,
    *,
    name: str = "spent",
    customer_id: str = "alice",
    at: datetime = NOW,
) -> None:
    pot = points_of(customer_id)
    posting = Posting(
        {pot: -amount},
        Transfer.Source.REDEMPTION,
        name,
        counter=Account.Kind.REDEEMED,
        may_owe=False,
    )
    with transaction.atomic():
        ledger.post([posting], at=at)


def points_of(customer_id: str) -> Pot:
    """What the member has available."""
    member = Member.objects.get(customer_id=customer_id)
    unit = Unit.objects.get(code="points")
    return Pot(member.pk, unit.pk, Account.Kind.AVAILABLE.value)


def make_transfers(count: int, *, start: int = 0) -> None:
    """So many more credits of one point, with the balance that they add up to.

    They stand in no lot: only for what reads transfers and balances.
    """
    pot = points_of("alice")
    available = Account.objects.get(
        member_id=pot.member_id, unit_id=pot.unit_id, kind=pot.kind
    )
    issued = Account.objects.get(member=None, unit_id=pot.unit_id, kind="issued")
    rows = [
        (issued.pk, available.pk, 1, "purchase", f"many-{n}", at, at)
        for n in range(start, start + count)
        for at in [LATER - timedelta(seconds=n)]
    ]
    columns = ("from_account_id", "to_account_id", "amount", "source", "reference")
    bulk.insert(Transfer, (*columns, "effective_at", "recorded_at"), rows)
    bulk.increase(Account, "balance", [(available.pk, count)])


DAYS = [ORDERED + timedelta(days=n) for n in range(12)]
"""DAYS[3] is three days after the orders of these tests."""
