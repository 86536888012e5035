"""Adjustments by hand: alone up to a limit, else two people; undone to nothing."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

from rewards import adjustments
from rewards.models import (
    Account,
    Adjustment,
    Endpoint,
    Freeze,
    Lot,
    Member,
    Message,
    Terms,
    Transfer,
    Unit,
)
from rewards.money import plain, typed
from rewards.program import draft, editions, vocabulary
from rewards.refusals import Refused
from rewards.verification import checks
from tests.builders import NOW, balances, make_member, program, rule
from tests.rewards.adjusting import (
    AVAILABLE,
    DEBT,
    adjust,
    clerk,
    make_units,
    program_gave,
)
from tests.staff import make_staff

pytestmark = pytest.mark.django_db
WAITING, POSTED, UNDONE, DROPPED = "waiting", "posted", "undone", "dropped"


@pytest.fixture(autouse=True)
def invariants_hold_afterwards() -> object:
    yield
    broken = [check for check in checks() if check.violations]
    assert not broken


@pytest.fixture
def alice() -> Member:
    make_units()
    return make_member()


@pytest.fixture
def ann() -> User:
    return clerk("ann")


@pytest.fixture
def bea() -> User:
    return clerk("bea")


def test_a_small_one_is_posted_at_once(alice: Member, ann: User) -> None:
    one = adjust(alice, 300, by=ann, member_note="Sorry")
    assert (one.state, one.needs_approval, one.posted_at) == (POSTED, False, NOW)
    assert balances() == {AVAILABLE: 300}
    transfer = Transfer.objects.get()
    assert (transfer.source, transfer.adjustment) == ("adjustment", one)
    assert transfer.reference == f"{one.pk}.0"
    assert transfer.from_account.kind == Account.Kind.ADJUSTED


def test_what_one_gives_and_takes_within_a_day_adds_up(
    alice: Member, ann: User, bea: User
) -> None:
    Terms.objects.create(unit=Unit.objects.get(code="points"), alone_up_to=100)
    assert adjust(alice, 60, by=ann).state == POSTED
    assert adjust(alice, -40, by=ann).state == POSTED
    over = adjust(alice, 1, by=ann)
    assert (over.state, over.needs_approval) == (WAITING, True)
    assert adjust(alice, 100, by=bea).state == POSTED  # everybody has their own
    assert adjust(make_member("bob"), 100, by=ann).state == POSTED
    dollars = Unit.objects.get(code="USD")
    assert adjust(alice, 100, by=ann, unit=dollars).state == POSTED
    later = NOW + timedelta(hours=24)
    assert adjust(alice, 100, by=ann, at=later).state == POSTED
    assert balances() == {AVAILABLE: 220, ("USD", "available"): 100}


def test_undoing_frees_nothing_of_the_limit(alice: Member, ann: User) -> None:
    one = adjust(alice, 2000, by=ann)
    adjustments.undo(one, reason="A mistake", by=ann, at=NOW)
    assert adjust(alice, 1, by=ann).state == WAITING


def test_a_large_one_waits_for_somebody_else(
    alice: Member, ann: User, bea: User
) -> None:
    one = adjust(alice, 2001, by=ann)
    assert (one.state, balances()) == (WAITING, {})
    with pytest.raises(Refused, match="can't approve"):
        adjustments.approve(one, by=ann, at=NOW)
    adjustments.approve(one, by=bea, at=NOW)
    assert (one.state, one.approved_by, one.approved_at) == (POSTED, bea, NOW)
    with pytest.raises(Refused, match="posted"):
        adjustments.approve(one, by=bea, at=NOW)
    assert balances() == {AVAILABLE: 2001}


def test_four_eyes_hold_in_a_shell_and_in_the_database(
    alice: Member, ann: User, bea: User
) -> None:
    one = adjust(alice, 5000, by=ann)
    one.asked_by = bea  # in memory only
    with pytest.raises(Refused, match="can't approve"):
        adjustments.approve(one, by=ann, at=NOW)
    own = Adjustment.objects.filter(pk=one.pk)
    for changes in (
        {"approved_by": ann},
        {"state": POSTED},
        {"state": POSTED, "approved_by": ann},
        {"state": UNDONE},
        {"needs_approval": False},
        {"asked_by": bea},
        {"amount": 50_000},
        {"member": make_member("bob")},
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            own.update(**changes)
    with pytest.raises(IntegrityError), transaction.atomic():
        own.delete()
    assert not Transfer.objects.exists()


def test_nobody_adjusts_their_own_account(alice: Member, ann: User, bea: User) -> None:
    Member.objects.update(user=ann)
    with pytest.raises(Refused, match="your own account"):
        adjust(alice, 1, by=ann)
    one = adjust(alice, 5000, by=bea)
    with pytest.raises(Refused, match="your own account"):
        adjustments.approve(one, by=ann, at=NOW)
    with pytest.raises(Refused, match="your own account"):
        adjustments.drop(one, by=ann, at=NOW)
    taken = adjust(make_member("bob"), 10, by=bea)
    Member.objects.filter(customer_id="alice").update(user=None)
    Member.objects.filter(customer_id="bob").update(user=ann)
    with pytest.raises(Refused, match="your own account"):
        adjustments.undo(taken, reason="Mine", by=ann, at=NOW)
    assert balances("bob") == {AVAILABLE: 10}


@pytest.mark.parametrize(
    "permissions", [["rewards.view_adjustment"], ["rewards.change_adjustment"]]
)
def test_without_the_permission_nothing_is_done(
    alice: Member, ann: User, permissions: list[str]
) -> None:
    one, small = adjust(alice, 5000, by=ann), adjust(alice, 5, by=ann)
    other = clerk("eve", *permissions)
    for step in (
        lambda: adjust(alice, 1, by=other),
        lambda: adjustments.approve(one, by=other, at=NOW),
        lambda: adjustments.drop(one, by=other, at=NOW),
        lambda: adjustments.undo(small, reason="So", by=other, at=NOW),
    ):
        with pytest.raises(Refused, match="You may not"):
            step()
    ann.is_active = False
    ann.save()
    with pytest.raises(Refused, match="You may not"):
        adjust(alice, 1, by=User.objects.get(pk=ann.pk))
    assert balances() == {AVAILABLE: 5}
    assert Adjustment.objects.count() == 2


def test_undoing_what_needed_two_needs_an_approver(alice: Member, bea: User) -> None:
    author = make_staff("rewards.add_adjustment", username="author")
    one = adjust(alice, 5000, by=author)
    adjustments.approve(one, by=bea, at=NOW)
    with pytest.raises(Refused, match="needed an approval"):
        adjustments.undo(one, reason="So", by=author, at=NOW)
    adjustments.undo(one, reason="So", by=bea, at=NOW)
    assert balances() == {}


def test_no_more_is_taken_than_there_is(alice: Member, ann: User, bea: User) -> None:
    adjust(alice, 100, by=ann)
    with pytest.raises(Refused, match=r"alice has 100.points available: 150.points"):
        adjust(alice, -150, by=ann)
    large = adjust(alice, -3000, by=ann)
    with pytest.raises(Refused, match=r"alice has 100.points available"):
        adjustments.approve(large, by=bea, at=NOW)
    large.refresh_from_db()
    assert (large.state, large.approved_by) == (WAITING, None)
    assert Adjustment.objects.count() == 2
    assert balances() == {AVAILABLE: 100}


def test_a_closed_balance_is_not_touched(alice: Member, ann: User, bea: User) -> None:
    small, large = adjust(alice, 10, by=ann), adjust(alice, 5000, by=ann)
    Freeze.objects.create(member=alice, check_name="balances", frozen_at=NOW)
    for step in (
        lambda: adjust(alice, 1, by=ann),
        lambda: adjust(alice, 9000, by=ann),
        lambda: adjustments.approve(large, by=bea, at=NOW),
        lambda: adjustments.undo(small, reason="So", by=ann, at=NOW),
    ):
        with pytest.raises(Refused, match="frozen"):
            step()
    Freeze.objects.update(lifted_at=NOW)
    Member.objects.update(status=Member.Status.ERASED)
    with pytest.raises(Refused, match="erased"):
        adjust(alice, 1, by=ann)
    assert Adjustment.objects.count() == 2
    assert balances() == {AVAILABLE: 10}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"amount": 0}, "nothing"),
        ({"amount": 10**15 + 1}, "nothing, or more"),
        ({"reason": "because"}, "none of the reasons"),
        ({"note": " "}, "Say why"),
        ({"member_note": "x" * 2001}, "at most 2000"),
        ({"amount": -1, "expires_after_days": 5}, "Only what is given"),
        ({"expires_after_days": 0}, "1 to 36500"),
        ({"expires_after_days": 40_000}, "1 to 36500"),
    ],
)
def test_nonsense_is_refused(
    alice: Member, ann: User, changes: dict[str, Any], said: str
) -> None:
    amount = changes.pop("amount", 5)
    with pytest.raises(Refused, match=said):
        adjust(alice, amount, by=ann, **changes)
    assert not Adjustment.objects.exists()


def test_what_is_given_expires_by_the_programs_clock(alice: Member, ann: User) -> None:
    zoned = {**program(rule()), "time_zone": "America/New_York"}
    draft.replace(vocabulary.parse(zoned))
    editions.publish(now=NOW)
    adjust(alice, 100, by=ann, expires_after_days=10)
    lot = Lot.objects.get()
    # Usable through 30 November in New York, five hours behind.
    assert lot.expires_at == datetime(2026, 12, 1, 5, tzinfo=UTC)
    assert (lot.days, lot.adjustment_id) == (10, Adjustment.objects.get().pk)
    adjust(alice, 5, by=ann)
    assert Lot.objects.get(amount=5).expires_at is None


def test_a_form_that_is_sent_twice_is_one_adjustment(alice: Member, ann: User) -> None:
    key = uuid4()
    first, again = (adjust(alice, 100, by=ann, key=key) for _ in range(2))
    assert first == again
    assert balances() == {AVAILABLE: 100}


def test_dropping_moves_nothing(alice: Member, ann: User, bea: User) -> None:
    one, other = adjust(alice, 5000, by=ann), adjust(alice, 5000, by=ann)
    adjustments.drop(one, by=ann, at=NOW)
    adjustments.drop(other, reason="Too much", by=bea, at=NOW)
    assert (one.state, other.state, other.why_ended) == (DROPPED, DROPPED, "Too much")
    assert (other.ended_by, other.ended_at) == (bea, NOW)
    for step in (
        lambda: adjustments.drop(one, by=ann, at=NOW),
        lambda: adjustments.approve(one, by=bea, at=NOW),
        lambda: adjustments.undo(one, reason="So", by=bea, at=NOW),
    ):
        with pytest.raises(Refused, match="dropped"):
            step()
    assert balances() == {}


def test_undoing_a_gain_uses_its_own_lot_first(alice: Member, ann: User) -> None:
    adjust(alice, 50, by=ann, expires_after_days=1)
    one = adjust(alice, 100, by=ann)
    adjustments.undo(one, reason="A mistake", by=ann, at=NOW)
    assert (one.state, one.why_ended, one.ended_by) == (UNDONE, "A mistake", ann)
    assert list(Lot.objects.order_by("pk").values_list("remaining", flat=True)) == [
        50,
        0,
    ]
    assert balances() == {AVAILABLE: 50}
    assert program_gave() == 50


def test_undoing_what_is_gone_leaves_a_debt(
    alice: Member, ann: User, bea: User
) -> None:
    adjust(alice, 20, by=ann)
    one = adjust(alice, 100, by=ann, expires_after_days=1)
    adjust(alice, -100, by=bea)
    adjustments.undo(one, reason="A mistake", by=ann, at=NOW)
    assert balances() == {DEBT: 80}
    assert program_gave() == -80
    with pytest.raises(Refused, match="undone"):
        adjustments.undo(one, reason="Again", by=ann, at=NOW)


def test_undoing_a_loss_gives_the_same_lots_back(alice: Member, ann: User) -> None:
    for days in (30, 20, None):
        adjust(alice, 40, by=ann, expires_after_days=days)
    before = list(Lot.objects.order_by("pk").values())
    one = adjust(alice, -70, by=ann)
    remaining = Lot.objects.order_by("pk").values_list("remaining", flat=True)
    assert list(remaining) == [10, 0, 40]
    adjustments.undo(one, reason="It was right", by=ann, at=NOW)
    assert list(Lot.objects.order_by("pk").values()) == before
    assert program_gave() == 120


def test_undoing_says_why(alice: Member, ann: User) -> None:
    one = adjust(alice, 5, by=ann)
    with pytest.raises(Refused, match="Say why"):
        adjustments.undo(one, reason=" ", by=ann, at=NOW)
    assert balances() == {AVAILABLE: 5}


def test_the_host_application_is_told(alice: Member, ann: User) -> None:
    Endpoint.objects.create(
        name="host", url="https://example.com/", sealed=b"x", created_at=NOW
    )
    one = adjust(alice, 5, by=ann, member_note="Sorry")
    adjust(alice, 5000, by=ann)  # waits: nothing has happened
    adjustments.undo(one, reason="So", by=ann, at=NOW)
    told = list(Message.objects.order_by("pk").values_list("type", "member"))
    assert told == [
        ("adjustment.posted", alice.pk),
        ("adjustment.undone", alice.pk),
    ]
    assert Message.objects.earliest("pk").payload["data"] == {
        "adjustment": one.pk,
        "customer_id": "alice",
        "unit": "points",
        "amount": 5,
        "reason": "goodwill",
        "note": "Sorry",
    }


@pytest.mark.once
@pytest.mark.parametrize(
    ("text", "decimals", "amount"),
    [
        ("302", 0, 302),
        ("-3.02", 2, -302),
        ("0.05", 2, 5),
        ("0.000001", 6, 1),
        ("999999999999999", 0, 10**15 - 1),
        *(
            (text, 2, None)
            for text in (
                *("3", "3.0", "3.020", "3,02", "1.000,00", "1,000.00", " 3.02"),
                *("+3.02", "03.02", "3.02 ", "٣.٠٢", "3.02e1", "=3.02", "", "NaN"),
                *("-", "--3.02", "−3.02", "$3.02", "3.02\n", "0x10", ".50", "5."),
            )
        ),
        ("3.", 0, None),
        ("1000000000000000", 0, None),
    ],
)
def test_a_typed_amount_has_one_form(
    text: str, decimals: int, amount: int | None
) -> None:
    unit = Unit(code="X", name="x", name_plural="x", decimals=decimals)
    if amount is None:
        with pytest.raises(ValueError, match="is no amount of X: write it like"):
            typed(text, unit=unit)
    else:
        assert typed(text, unit=unit) == amount
        assert plain(amount, unit=unit) == text
