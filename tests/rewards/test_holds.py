"""Awards that stay pending for some days after their order is final."""

from datetime import timedelta

import pytest

from rewards.decisions import assign
from rewards.models import Award, Settlement
from rewards.settling.due import settle_due
from rewards.verification import checks
from tests.builders import (
    NOW,
    ORDERED,
    balances,
    fixed,
    make_member,
    publish_program,
    purchase,
    report,
    rule,
    settle_reports,
)

pytestmark = pytest.mark.django_db
PENDING, AVAILABLE = ("points", "pending"), ("points", "available")
VALIDATED = ORDERED + timedelta(days=5)
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def invariants_hold_afterwards() -> object:
    yield
    broken = [check for check in checks() if check.violations]
    assert not broken


def validated(**changes: object) -> object:
    values = {
        "status": "validated",
        "modified_at": VALIDATED,
        "validated_at": VALIDATED,
    }
    return report(**{**values, **changes})


def test_a_pending_order_has_no_hold_yet() -> None:
    publish_program(rule(hold_days=30))
    settle_reports(report())
    assert Award.objects.get().held_until is None
    assert purchase().due_at is None


def test_a_held_award_waits_and_the_others_do_not() -> None:
    publish_program(rule(hold_days=30), rule("extra", group="bonus", reward=fixed("5")))
    settle_reports(report())
    settle_reports(validated())
    assert balances() == {PENDING: 91, AVAILABLE: 5}
    assert purchase().due_at == VALIDATED + 30 * DAY


def test_the_hold_ends_to_the_second() -> None:
    publish_program(rule(hold_days=30))
    settle_reports(validated())
    end = VALIDATED + 30 * DAY
    assert settle_due(at=end - timedelta(seconds=1)) == 0
    assert balances() == {PENDING: 91}
    assert settle_due(at=end) == 1
    assert balances() == {AVAILABLE: 91}
    assert purchase().due_at is None
    assert settle_due(at=end + DAY) == 0


def test_holds_of_different_length_end_one_after_the_other() -> None:
    publish_program(
        rule(hold_days=10),
        rule("extra", group="bonus", reward=fixed("5"), hold_days=20),
    )
    settle_reports(validated())
    settle_due(at=VALIDATED + 10 * DAY)
    assert balances() == {AVAILABLE: 91, PENDING: 5}
    settle_due(at=VALIDATED + 20 * DAY)
    assert balances() == {AVAILABLE: 96}


def test_without_a_validation_date_it_counts_from_the_change() -> None:
    publish_program(rule(hold_days=30))
    settle_reports(validated(validated_at=None))
    assert Award.objects.get().held_until == VALIDATED + 30 * DAY


def test_an_order_validated_long_ago_is_held_no_longer() -> None:
    publish_program(rule(hold_days=1))
    settle_reports(validated())  # five days before NOW
    assert balances() == {AVAILABLE: 91}
    assert Award.objects.get().held_until == VALIDATED + DAY
    assert purchase().due_at is None


def test_what_was_cut_is_not_topped_up_when_the_hold_ends() -> None:
    publish_program(rule(hold_days=30, limits={"budget": 100}))
    settle_reports(report(order_id="other", transaction_id="tx-0", customer_id="bob"))
    settle_reports(validated())
    assert balances() == {PENDING: 9}
    gone = report(
        order_id="other", transaction_id="tx-0", customer_id="bob", status="declined"
    )
    settle_reports(gone)
    settle_due(at=VALIDATED + 30 * DAY)
    assert balances() == {AVAILABLE: 9}
    first, last = Settlement.objects.filter(purchase=purchase()).order_by("id")
    assert first.facts == last.facts


def test_a_new_edition_changes_nothing_when_the_hold_ends() -> None:
    publish_program(rule(hold_days=30))
    settle_reports(validated())
    publish_program(rule(reward=fixed("1")), at=NOW + DAY)
    settle_due(at=VALIDATED + 30 * DAY)
    assert balances() == {AVAILABLE: 91}


def test_another_member_waits_as_long() -> None:
    publish_program(rule(hold_days=30))
    settle_reports(validated())
    assign(purchase(), member=make_member("bob"), reason="His", by=None, at=NOW)
    assert balances("bob") == {PENDING: 91}
    settle_due(at=VALIDATED + 30 * DAY)
    assert balances("bob") == {AVAILABLE: 91}


def test_a_review_keeps_what_is_held_where_it_is() -> None:
    publish_program(rule(hold_days=30))
    settle_reports(validated())
    settle_reports(validated(status="declined", modified_at=NOW))
    assert purchase().review
    assert settle_due(at=VALIDATED + 30 * DAY) == 0
    assert balances() == {PENDING: 91}
