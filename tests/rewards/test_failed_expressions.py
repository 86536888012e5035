"""An expression that can't be worked out pays nothing, and asks staff."""

from datetime import timedelta

import pytest

from rewards.models import Settlement
from rewards.settling.settlement import settle
from rewards.verification import checks
from tests.builders import (
    NOW,
    ORDERED,
    balances,
    publish_program,
    purchase,
    report,
    rule,
    settle_reports,
)

pytestmark = pytest.mark.django_db
PENDING = ("points", "pending")
LATER = ORDERED + timedelta(hours=1)
HALVES = "100 / purchase.commission > 0"  # there is no half of nothing


@pytest.fixture(autouse=True)
def invariants_hold_afterwards() -> object:
    yield
    broken = [check for check in checks() if check.violations]
    assert not broken


@pytest.fixture(autouse=True)
def edition() -> None:
    publish_program(rule("odd", when={"expression": HALVES}), rule("cash", unit="USD"))


def test_it_goes_to_review_and_nothing_moves() -> None:
    (outcome,) = settle_reports(report(commission=0))
    assert outcome.kind == "review"
    assert "odd" in outcome.reason
    assert purchase().review == outcome.reason
    assert balances() == {}
    assert purchase().settlement is None


def test_what_was_posted_before_stays() -> None:
    settle_reports(report(commission=50))
    before = balances()
    settle_reports(report(commission=0, order_total=100, modified_at=LATER))
    assert purchase().review
    assert balances() == before
    assert before[PENDING] == 91


def test_a_report_for_which_it_works_ends_the_review() -> None:
    settle_reports(report(commission=0))
    settle_reports(report(commission=50, modified_at=LATER))
    assert purchase().review == ""
    assert balances()[PENDING] == 91


def test_touching_it_tries_again() -> None:
    settle_reports(report(commission=0))
    settle(purchases=[purchase().pk], at=NOW)
    assert purchase().review
    assert Settlement.objects.filter(purchase=purchase(), report=None).count() == 2


def test_a_decline_needs_no_expression() -> None:
    settle_reports(report(commission=50))
    settle_reports(report(commission=0, modified_at=LATER))
    settle_reports(report(commission=0, status="declined", modified_at=NOW))
    assert purchase().review == ""
    assert balances() == {}


def test_the_others_of_the_batch_are_paid() -> None:
    own = {"transaction_id": "tx-2", "customer_id": "bob", "commission": 50}
    good = report(order_id="good", **own)
    kinds = [o.kind for o in settle_reports(report(commission=0), good)]
    assert kinds == ["review", "settled"]
    assert balances("bob")[PENDING] == 91
