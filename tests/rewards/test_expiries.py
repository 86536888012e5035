"""Expiry: once, of what is left, at the end of its day; and a warning ahead."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError

from rewards import adjustments
from rewards.ledger import expiries
from rewards.models import (
    Account,
    Draw,
    Endpoint,
    Freeze,
    Lot,
    Member,
    Message,
    Terms,
    Transfer,
    Unit,
)
from rewards.redemptions.fulfilment import cancel
from rewards.verification import checks
from tests.builders import (
    NOW,
    balances,
    make_endpoint,
    make_member,
    publish_program,
    rule,
)
from tests.rewards.redeemers import ask, make_reward
from tests.rewards.spending import change_final, earn, take_back
from tests.rewards.test_lots import spend

pytestmark = pytest.mark.django_db

ENDS = NOW.replace(hour=0) + timedelta(days=31)


@pytest.fixture(autouse=True)
def earned() -> None:
    publish_program(rule(expires_after_days=30))
    earn()


@pytest.fixture
def endpoint() -> Endpoint:
    return make_endpoint()


def test_a_lot_lives_through_its_last_day_and_then_goes_to_the_program() -> None:
    assert expiries.expire(at=ENDS - timedelta(seconds=1)) == 0
    assert balances() == {("points", "available"): 91}
    assert expiries.expire(at=ENDS) == 1
    assert balances() == {}
    gone = Transfer.objects.get(source="expiry")
    assert (gone.amount, gone.to_account.kind) == (91, "expired")
    assert gone.draws.get().lot == Lot.objects.get()


def test_expiring_again_does_nothing() -> None:
    expiries.expire(at=ENDS)
    before = Transfer.objects.count()
    assert expiries.expire(at=ENDS + timedelta(days=9)) == 0
    assert Transfer.objects.count() == before


def test_only_what_is_left_expires() -> None:
    spend(60)
    expiries.expire(at=ENDS)
    assert Transfer.objects.get(source="expiry").amount == 31
    assert not [check for check in checks() if check.violations]


def test_it_happened_when_its_day_ended_however_late_we_look() -> None:
    expiries.expire(at=ENDS + timedelta(days=2))
    gone = Transfer.objects.get(source="expiry")
    assert (gone.effective_at, gone.recorded_at) == (ENDS, ENDS + timedelta(days=2))


def test_so_it_did_where_some_of_it_was_spent_before() -> None:
    spend(60)
    expiries.expire(at=ENDS + timedelta(days=2))
    assert Transfer.objects.get(source="expiry").effective_at == ENDS


def test_what_a_cancel_gives_back_too_late_expires_then_and_is_told(endpoint) -> None:
    redemption = ask(make_reward(minimum=50), 50)
    expiries.expire(at=ENDS)
    later = ENDS + timedelta(days=3)
    cancel(redemption, reason="", at=later)
    assert expiries.expire(at=later + timedelta(hours=1)) == 1
    gone = Transfer.objects.filter(source="expiry").order_by("pk")
    assert list(gone.values_list("amount", "effective_at")) == [(41, ENDS), (50, later)]
    told = Message.objects.filter(type="points.expired").order_by("pk")
    assert [one.payload["data"]["amount"] for one in told] == [41, 50]


class TestTakenBackAfterItExpired:
    LATER = ENDS + timedelta(days=1)

    def moved(self) -> list[tuple[str, int]]:
        last = Transfer.objects.filter(recorded_at__gte=ENDS).order_by("pk")
        return list(last.values_list("source", "amount"))

    def test_nobody_loses_the_same_points_twice(self) -> None:
        expiries.expire(at=ENDS)
        take_back(at=self.LATER)
        assert balances() == {}
        moves = [("expiry", 91), ("revival", 91), ("purchase", 91)]
        assert self.moved() == moves
        assert not [check for check in checks() if check.violations]

    def test_what_was_spent_before_is_owed(self) -> None:
        spend(60)
        expiries.expire(at=ENDS)
        take_back(at=self.LATER)
        assert balances() == {("points", "debt"): 60}
        assert not [check for check in checks() if check.violations]

    def test_what_other_orders_gave_stays(self) -> None:
        earn("2", 5000, at=NOW + timedelta(days=5))
        expiries.expire(at=ENDS)
        take_back(at=self.LATER)
        assert balances() == {("points", "available"): 50}

    def test_bit_by_bit_it_is_never_more_than_expired(self) -> None:
        expiries.expire(at=ENDS)
        for days, total in enumerate((7000, 6000, 0)):
            at = self.LATER + timedelta(days=days)
            change_final(order_total=total, at=at)
        assert balances() == {}
        revived = Transfer.objects.filter(source="revival").order_by("pk")
        assert list(revived.values_list("amount", flat=True)) == [21, 10, 60]
        assert not [check for check in checks() if check.violations]

    def test_it_comes_back_when_it_is_taken_and_not_before(self) -> None:
        expiries.expire(at=ENDS)
        take_back(at=self.LATER)
        last = Transfer.objects.filter(recorded_at__gte=ENDS).order_by("pk")
        times = list(last.values_list("effective_at", flat=True))
        assert times == [ENDS, self.LATER, self.LATER]

    def test_an_adjustment_undone_after_it_expired_owes_nothing(self) -> None:
        author = User.objects.create_superuser("author")
        given = adjustments.adjust(
            Member.objects.get(customer_id="alice"),
            unit=Unit.objects.get(code="points"),
            amount=40,
            reason="goodwill",
            note="Because.",
            expires_after_days=30,
            by=author,
            at=NOW,
        )
        expiries.expire(at=ENDS)
        adjustments.undo(given, reason="A mistake.", by=author, at=self.LATER)
        assert balances() == {}
        assert not [check for check in checks() if check.violations]


def test_work_is_bounded_and_goes_on_where_it_stopped(monkeypatch) -> None:
    monkeypatch.setattr(expiries, "BATCH", 1)
    earn("2", 1000)
    earn("3", 1000)
    calls = iter([False, True])
    assert expiries.expire(at=ENDS, expired=lambda: next(calls)) == 1
    assert expiries.expire(at=ENDS) == 2
    assert balances() == {}


def test_one_lot_that_fails_stops_no_other() -> None:
    earn("2", 1000, customer_id="bob")
    Account.objects.filter(member__customer_id="alice").update(balance=5)
    assert expiries.expire(at=ENDS) == 1
    assert balances() == {("points", "available"): 5}
    assert balances("bob") == {}


def test_the_databases_own_trouble_is_not_a_lots(monkeypatch) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise OperationalError

    monkeypatch.setattr(expiries.ledger, "post", fail)
    with pytest.raises(OperationalError):
        expiries.expire(at=ENDS)


def test_a_frozen_members_points_wait() -> None:
    member = Member.objects.get()
    freeze = Freeze.objects.create(member=member, check_name="x", frozen_at=NOW)
    assert expiries.expire(at=ENDS) == 0
    freeze.lifted_at = ENDS
    freeze.save()
    assert expiries.expire(at=ENDS) == 1


def test_what_expires_when_is_told_by_unit_and_day() -> None:
    earn("2", 1000)
    earn("3", 2000, at=NOW + timedelta(days=1))
    earn("4", 500, customer_id="bob")
    told = expiries.expiring(Member.objects.get(customer_id="alice"))
    assert [(e.unit.code, e.amount, e.expires_at) for e in told] == [
        ("points", 101, ENDS),
        ("points", 20, ENDS + timedelta(days=1)),
    ]
    assert expiries.expiring(make_member("carol")) == []


def test_members_are_warned_once_so_many_days_ahead(endpoint) -> None:
    Terms.objects.create(unit=Unit.objects.get(code="points"), warn_days=5)
    assert expiries.warn(at=ENDS - timedelta(days=6)) == 0
    assert expiries.warn(at=ENDS - timedelta(days=5)) == 1
    assert expiries.warn(at=ENDS - timedelta(days=4)) == 0
    message = Message.objects.get(type="points.expiring")
    assert message.payload["data"] == {
        "customer_id": "alice",
        "unit": "points",
        "amount": 91,
        "expires_at": ENDS.isoformat(),
    }


def test_no_warning_where_the_terms_say_so(endpoint) -> None:
    Terms.objects.create(unit=Unit.objects.get(code="points"), warn_days=0)
    assert expiries.warn(at=ENDS - timedelta(days=1)) == 0
    assert not Message.objects.exists()


def test_the_host_application_is_told_what_expired(endpoint) -> None:
    expiries.expire(at=ENDS)
    [message] = Message.objects.filter(type="points.expired")
    assert message.payload["data"]["amount"] == 91
    assert Draw.objects.count() == 1
