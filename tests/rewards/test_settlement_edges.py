"""Odd orders of arrival, each once a defect: what they must end in."""

from datetime import timedelta
from itertools import permutations

import pytest
from django.test import override_settings

from merchants.models import Merchant
from rewards.decisions import decide_account, resolve
from rewards.models import NetworkAccount, Purchase, Report
from rewards.reports import LineItem, PurchaseReport
from rewards.settling.due import settle_due
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
HOUR = timedelta(hours=1)
PENDING, AVAILABLE = ("points", "pending"), ("points", "available")


@pytest.fixture(autouse=True)
def edition() -> None:
    publish_program()


@pytest.fixture(autouse=True)
def invariants_hold_afterwards() -> object:
    yield
    assert not [check for check in checks() if check.violations]


def final(hours: int = 1, **changes: object) -> PurchaseReport:
    return report(status="validated", modified_at=ORDERED + hours * HOUR, **changes)


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("status", ["validated", "declined"])
def test_a_contradiction_about_the_member_moves_nothing(
    together: bool, status: str
) -> None:
    other = report(status=status, customer_id="bob", modified_at=ORDERED + 2 * HOUR)
    for batch in [[final(), other]] if together else [[final()], [other]]:
        settle_reports(*batch)
    assert (balances(), balances("bob")) == ({AVAILABLE: 91}, {})
    assert purchase().review


@pytest.mark.parametrize(("chosen", "other"), [("alice", "bob"), ("bob", "alice")])
def test_resolving_pays_whom_the_chosen_report_names(chosen: str, other: str) -> None:
    settle_reports(final(), final(2, customer_id="bob"))
    said = Report.objects.get(customer_id=chosen)
    resolve(purchase(), report=said, reason="We asked", by=None, at=NOW)
    assert (balances(chosen), balances(other)) == ({AVAILABLE: 91}, {})


def test_a_final_state_names_one_customer_even_if_told_late() -> None:
    for hours, customer in enumerate(["", "alice", "bob"]):
        settle_reports(final(hours, customer_id=customer))
    assert (balances(), balances("bob")) == ({AVAILABLE: 91}, {})
    assert purchase().review


def test_a_member_named_after_a_contradiction_waits_for_staff() -> None:
    news = final(customer_id=""), final(2, customer_id="", order_total=1), report()
    settle_reports(*news[:2])
    settle_reports(news[2])
    assert balances() == {}
    chosen = purchase().reports.get(order_total=9100, status="validated")
    resolve(purchase(), report=chosen, reason="We asked", by=None, at=NOW)
    assert balances() == {AVAILABLE: 91}


def test_a_batch_ends_as_one_by_one_where_a_contradiction_is_inside() -> None:
    settle_reports(final(customer_id=""))
    settle_reports(final(2, customer_id="", order_total=1), report())
    assert balances() == {}


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_the_same_state_again_in_one_second_is_the_newest(order: tuple) -> None:
    told = [
        report(modified_at=ORDERED),
        report(modified_at=ORDERED + timedelta(milliseconds=500), order_total=100),
        report(modified_at=ORDERED + timedelta(milliseconds=900)),
    ]
    for index in order:
        settle_reports(told[index])
    assert balances() == {PENDING: 91}


def test_a_fraction_less_is_the_same_report() -> None:
    settle_reports(report(modified_at=ORDERED + timedelta(milliseconds=418)))
    assert [o.kind for o in settle_reports(report())] == ["unchanged"]
    assert Report.objects.count() == 1


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_final_states_that_differ_in_dates_end_alike(order: tuple) -> None:
    later = publish_program(
        rule(reward={"kind": "fixed", "points": "7"}), now=NOW - HOUR
    )
    told = [
        report(),
        final(1),
        final(2, attributed_at=later.effective_from),
    ]
    for index in order:
        settle_reports(told[index])
    assert balances() == {AVAILABLE: 7}
    assert not purchase().review


def test_lines_in_another_order_contradict_nothing() -> None:
    one, two = LineItem("A", total=100), LineItem("B", total=200)
    settle_reports(final(lines=(one, two)), final(2, lines=(two, one)))
    assert not purchase().review
    settle_reports(final(3, lines=(one, one)))
    assert purchase().review


def test_a_final_state_told_without_its_lines_contradicts_nothing() -> None:
    settle_reports(final(lines=(LineItem("A", total=9100),)), final(2))
    assert not purchase().review


def test_a_validated_order_without_a_total_waits_for_staff() -> None:
    settle_reports(report())
    settle_reports(final(order_total=None))
    assert (balances(), bool(purchase().review)) == ({PENDING: 91}, True)


class TestTransactionsWithoutTheirOrder:
    """One transaction, told with its order at one time and without it at another."""

    @pytest.mark.parametrize("order", [(0, 1), (1, 0)])
    def test_in_one_batch(self, order: tuple[int, int]) -> None:
        told = report(order_id=""), report(modified_at=ORDERED + HOUR)
        settle_reports(*[told[index] for index in order])
        assert (balances(), Purchase.objects.count()) == ({PENDING: 91}, 1)

    def test_the_order_is_known_from_an_older_report(self) -> None:
        settle_reports(final(2, order_id=""))
        settle_reports(report())
        settle_reports(final(3, transaction_id="tx-2"))
        assert (balances(), purchase().status) == ({AVAILABLE: 91}, "validated")

    def test_an_order_that_was_opened_apart_still_settles(self) -> None:
        settle_reports(report(order_id=""))
        settle_reports(report(transaction_id="tx-2", modified_at=ORDERED + HOUR))
        declined = report(status="declined", modified_at=ORDERED + 2 * HOUR)
        assert [o.kind for o in settle_reports(declined)] == ["settled"]
        assert purchase().status == "declined"

    def test_two_orders_under_one_transaction_stay_two(self) -> None:
        settle_reports(report(), report(order_id="btnorder-2"))
        settle_reports(report(order_id="btnorder-3"))
        assert (balances(), Purchase.objects.count()) == ({PENDING: 273}, 3)

    def test_an_app_install_with_the_same_transaction_is_nobody_s_order(self) -> None:
        settle_reports(report())
        settle_reports(report(order_id="", category="app-install"))
        settle_reports(report(status="declined", modified_at=ORDERED + HOUR))
        assert balances() == {}


class TestAccounts:
    """The same order in two accounts, and accounts that staff decide on."""

    def test_the_first_to_arrive_is_first_in_a_batch_too(self) -> None:
        NetworkAccount.objects.create(
            network="button", external_id="acc-1", first_seen_at=NOW
        )
        settle_reports(
            report(account="acc-2", order_total=100, transaction_id="tx-2"),
            report(account="acc-1", order_total=50_000),
        )
        assert balances() == {PENDING: 1}

    def test_confirming_what_was_excluded_asks_about_the_other(self) -> None:
        settle_reports(report(), report(account="acc-2", transaction_id="tx-2"))
        first = NetworkAccount.objects.get(external_id="acc-1")
        decide_account(first, rewarding=False, reason="No", by=None, at=NOW)
        decide_account(first, rewarding=True, reason="Yes, it is", by=None, at=NOW)
        second = Purchase.objects.get(account__external_id="acc-2")
        assert second.review

    def test_a_review_that_ends_pays(self) -> None:
        with override_settings(REWARD_NEW_ACCOUNTS=False):
            settle_reports(report(modified_at=ORDERED + HOUR))
        settle_reports(report(order_total=50))
        assert (balances(), purchase().review) == ({PENDING: 91}, "")

    def test_an_account_with_the_longest_id_is_named_in_full(self) -> None:
        settle_reports(report(account="a" * 255))
        settle_reports(report(account="b" * 255, transaction_id="tx-2"))
        assert Purchase.objects.filter(review__contains="a" * 255).count() == 1


def test_one_purchase_that_cannot_be_settled_stops_no_other() -> None:
    ahead = NOW + timedelta(minutes=10)
    for n in range(3):
        settle_reports(
            report(order_id=f"o{n}", transaction_id=f"t{n}", attributed_at=ahead)
        )
    # Beyond what a balance can hold: the database refuses it.
    bad = purchase("o1")
    store = Merchant.objects.create(external_id="org-y", name="Y")
    Purchase.objects.filter(pk=bad.pk).update(merchant=store)
    later = publish_program(
        rule(
            "huge",
            when={"merchants": ["org-z"]},
            reward={
                "kind": "per_amount",
                "points": "999999999999",
                "per": "0.00000001",
                "of": "order_total",
            },
        ),
        rule(),
        now=NOW - HOUR,
    )
    assert later.effective_from < ahead
    settle_reports(
        report(
            order_id="o1",
            transaction_id="t1",
            merchant="org-z",
            attributed_at=ahead,
            modified_at=ORDERED + HOUR,
        )
    )
    assert settle_due(at=ahead) == 3
    assert balances() == {PENDING: 182}


def test_settling_nothing_is_nothing() -> None:
    assert settle([], at=NOW) == []
