"""Lots: every credit has its expiry, every debit names what it used."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import IntegrityError, transaction

from rewards import ledger
from rewards.ledger.lots import expiry
from rewards.ledger.postings import NotEnough, Posting, Pot
from rewards.models import (
    Account,
    Draw,
    Lot,
    Member,
    Message,
    Rule,
    Terms,
    Transfer,
    Unit,
)
from rewards.settling.due import settle_due
from rewards.verification import checks
from tests.builders import (
    NOW,
    ORDERED,
    balances,
    make_endpoint,
    make_member,
    publish_program,
    purchase,
    report,
    rule,
    settle_reports,
)
from tests.rewards.spending import LATER, earn, take_back

pytestmark = pytest.mark.django_db


def spend(amount: int, *, name: str = "spent", at: datetime = NOW) -> None:
    member = Member.objects.get(customer_id="alice")
    unit = Unit.objects.get(code="points")
    pot = Pot(member.pk, unit.pk, "available")
    posting = Posting(
        {pot: -amount},
        Transfer.Source.ERASURE,
        name,
        counter=Account.Kind.WRITTEN_OFF,
        may_owe=False,
    )
    with transaction.atomic():
        ledger.post([posting], at=at)


def lots() -> list[tuple[int, int, int | None]]:
    """What each lot began with, what remains of it, and its days to live."""
    rows = Lot.objects.order_by("pk").values_list("amount", "remaining", "days")
    return list(rows)


@pytest.fixture(autouse=True)
def adds_up():
    yield
    assert not [check for check in checks() if check.violations]


def test_a_credit_to_available_is_a_lot_and_a_pending_one_is_none() -> None:
    publish_program(rule(expires_after_days=30))
    settle_reports(report())
    assert not Lot.objects.exists()
    earn()
    lot = Lot.objects.get()
    assert (lot.amount, lot.remaining, lot.days) == (91, 91, 30)
    assert lot.purchase == purchase()
    assert lot.transfer == Transfer.objects.get(to_account__kind="available")


def test_what_expires_first_is_used_first_and_every_debit_names_it() -> None:
    publish_program(
        rule(
            expires_after_days=300,
            when={"max_order_total": "50", "currencies": ["USD"]},
        ),
        rule("short", expires_after_days=10),
    )
    earn("1", 5000)
    earn("2", 6000)
    spend(70)
    assert lots() == [(50, 40, 300), (60, 0, 10)]
    drawn = Draw.objects.order_by("lot_id").values_list("lot__days", "amount")
    assert list(drawn) == [(300, 10), (10, 60)]


def test_one_order_whose_rules_expire_differently_makes_two_lots() -> None:
    publish_program(
        rule(expires_after_days=10),
        rule("extra", group="bonus", reward={"kind": "fixed", "points": "9"}),
    )
    earn()
    assert sorted(lots(), key=str) == [(9, 9, None), (91, 91, 10)]
    assert Transfer.objects.filter(to_account__kind="available").count() == 1


def test_a_held_part_that_comes_later_has_the_days_of_its_own_rule() -> None:
    publish_program(
        rule(expires_after_days=10),
        rule(
            "extra",
            group="bonus",
            reward={"kind": "fixed", "points": "9"},
            hold_days=20,
            expires_after_days=500,
        ),
    )
    earn(validated_at=ORDERED)
    assert lots() == [(91, 91, 10)]
    settle_due(at=ORDERED + timedelta(days=21))
    assert lots() == [(91, 91, 10), (9, 9, 500)]


def test_an_expiry_setting_changed_later_touches_no_lot_that_exists() -> None:
    publish_program(rule(expires_after_days=30))
    earn()
    before = list(Lot.objects.values())
    Rule.objects.update(expires_after_days=1)
    publish_program(rule(expires_after_days=1))
    assert list(Lot.objects.values()) == before


@pytest.mark.once
@pytest.mark.parametrize(
    ("at", "days", "zone", "expected"),
    [
        ("2026-11-20T12:00", 0, "UTC", "2026-11-21T00:00"),
        ("2026-11-20T12:00", 30, "UTC", "2026-12-21T00:00"),
        # In New York it is still the day before; there, that day ends at 5 o'clock.
        ("2026-11-20T03:00", 1, "America/New_York", "2026-11-21T05:00"),
        # Clocks go forward in between: the day still ends at local midnight.
        ("2027-03-13T12:00", 1, "America/New_York", "2027-03-15T04:00"),
        # No midnight on the day on which clocks go forward at midnight.
        ("2026-09-05T12:00", 0, "America/Santiago", "2026-09-06T04:00"),
    ],
)
def test_a_lot_lives_until_the_end_of_a_day_in_the_programs_time_zone(
    at: str, days: int, zone: str, expected: str
) -> None:
    now = datetime.fromisoformat(at).replace(tzinfo=UTC)
    wanted = datetime.fromisoformat(expected).replace(tzinfo=UTC)
    assert expiry(now, days=days, zone=zone) == wanted
    assert expiry(now, days=None, zone=zone) is None


def test_taking_back_uses_the_orders_own_lot_first() -> None:
    publish_program(rule(expires_after_days=30))
    earn("1", 3000)
    earn("2", 4000)
    take_back("2")
    assert lots() == [(30, 30, 30), (40, 0, 30)]
    assert balances() == {("points", "available"): 30}


def test_what_is_gone_is_taken_of_other_lots_and_then_becomes_a_debt() -> None:
    publish_program()
    earn("1", 3000)
    spend(30)
    earn("2", 1000)
    take_back("1")
    assert lots() == [(30, 0, None), (10, 0, None)]
    assert balances() == {("points", "debt"): 20}


def test_a_debt_is_paid_by_what_becomes_available_and_never_stands_beside_it() -> None:
    publish_program()
    earn("1", 3000)
    spend(30)
    take_back("1")
    assert balances() == {("points", "debt"): 30}
    earn("2", 1000)
    assert balances() == {("points", "debt"): 20}
    earn("3", 5000)
    assert balances() == {("points", "available"): 30}
    paid = Transfer.objects.filter(to_account__kind="debt")
    assert list(paid.order_by("pk").values_list("amount", flat=True)) == [10, 20]
    assert {draw.lot.purchase for draw in Draw.objects.filter(transfer__in=paid)} == {
        purchase("btnorder-2"),
        purchase("btnorder-3"),
    }


def test_the_host_application_is_told_of_a_debt_and_of_its_order() -> None:
    make_endpoint()
    publish_program()
    earn("1", 3000)
    spend(20)
    take_back("1")
    [message] = Message.objects.filter(type="debt.opened")
    assert message.payload["data"] == {
        "customer_id": "alice",
        "unit": "points",
        "amount": 20,
        "purchase": "btnorder-1",
    }


def test_pending_points_pay_no_debt() -> None:
    publish_program()
    earn("1", 3000)
    spend(30)
    take_back("1")
    settle_reports(report(order_id="btnorder-2", transaction_id="tx-2"))
    assert balances() == {("points", "debt"): 30, ("points", "pending"): 91}


def test_an_order_that_paid_a_debt_and_is_taken_back_makes_it_again() -> None:
    publish_program()
    earn("1", 3000)
    spend(30)
    take_back("1")
    earn("2", 1000)
    take_back("2", at=LATER + timedelta(days=1))
    assert balances() == {("points", "debt"): 30}


def test_a_small_debt_is_forgiven_at_once_and_a_larger_one_is_not() -> None:
    publish_program()
    unit = Unit.objects.get(code="points")
    Terms.objects.create(unit=unit, forgive_below=20)
    earn("1", 3000)
    spend(30)
    earn("2", 1000)
    take_back("1")
    assert balances() == {}
    forgiven = Transfer.objects.get(source="forgiveness")
    assert (forgiven.amount, forgiven.from_account.kind) == (20, "written_off")
    earn("3", 5000)
    spend(50, name="more")
    take_back("3", at=LATER + timedelta(days=1))
    assert balances() == {("points", "debt"): 50}


def test_nobody_spends_more_than_there_is_and_nothing_is_written() -> None:
    publish_program()
    earn()
    before = Transfer.objects.count(), lots()
    with pytest.raises(NotEnough):
        spend(92)
    assert (Transfer.objects.count(), lots()) == before


def test_a_lot_never_holds_less_than_nothing_or_more_than_it_had() -> None:
    publish_program()
    earn()
    for remaining in (-1, 92):
        with pytest.raises(IntegrityError), transaction.atomic():
            Lot.objects.update(remaining=remaining)


def test_a_transfer_says_when_it_happened_and_when_we_knew() -> None:
    publish_program()
    make_member()
    told = ORDERED + timedelta(days=3)
    settle_reports(report(modified_at=told), at=NOW)
    one = Transfer.objects.get()
    assert (one.effective_at, one.recorded_at) == (told, NOW)
    earn(modified_at=told + timedelta(days=1), at=LATER)
    two = Transfer.objects.latest("pk")
    assert (two.effective_at, two.recorded_at) == (told + timedelta(days=1), LATER)
    take_back(at=LATER + timedelta(days=2))
    last = Transfer.objects.latest("pk")
    assert last.effective_at == last.recorded_at == LATER + timedelta(days=2)
