"""One path settles purchases: what each kind of news moves, and what moves nothing."""

from datetime import timedelta

import pytest
from django.test import override_settings

from merchants.models import Merchant
from rewards.decisions import assign, decide_account, resolve
from rewards.members import put_member
from rewards.models import (
    Award,
    Decision,
    Member,
    NetworkAccount,
    Purchase,
    Report,
    Settlement,
    Transfer,
)
from rewards.refusals import Refused
from rewards.settling.due import settle_due, settle_without_edition
from rewards.verification import checks
from tests.builders import (
    NOW,
    ORDERED,
    balances,
    make_click,
    make_member,
    publish_program,
    purchase,
    report,
    rule,
    settle_reports,
    share,
)

pytestmark = pytest.mark.django_db
LATER = ORDERED + timedelta(hours=1)
PENDING, AVAILABLE = ("points", "pending"), ("points", "available")


@pytest.fixture(autouse=True)
def edition() -> None:
    publish_program()


@pytest.fixture(autouse=True)
def invariants_hold_afterwards() -> object:
    yield
    broken = [check for check in checks() if check.violations]
    assert not broken


def kinds(outcomes: list) -> list[str]:
    return [outcome.kind for outcome in outcomes]


def test_a_pending_order_is_pending_points() -> None:
    assert kinds(settle_reports(report())) == ["settled"]
    assert balances() == {PENDING: 91}
    award = Award.objects.get()
    assert (award.rule, award.wanted, award.granted) == ("base", 91, 91)
    assert award.why == "1 per 1.00 of 91.00 USD"


def test_the_same_report_again_moves_nothing() -> None:
    settle_reports(report())
    rows = Transfer.objects.count(), Settlement.objects.count()
    assert kinds(settle_reports(report(), report(), source="poll")) == 2 * ["unchanged"]
    assert (Transfer.objects.count(), Settlement.objects.count()) == rows


def test_an_adjustment_posts_the_difference_both_ways() -> None:
    settle_reports(report())
    settle_reports(report(order_total=6000, modified_at=LATER))
    assert balances() == {PENDING: 60}
    settle_reports(report(order_total=9900, modified_at=LATER + timedelta(hours=1)))
    assert balances() == {PENDING: 99}
    amounts = Transfer.objects.order_by("id").values_list("amount", flat=True)
    assert list(amounts) == [91, 31, 39]


def test_an_older_report_is_kept_and_moves_nothing() -> None:
    settle_reports(report(order_total=6000, modified_at=LATER))
    assert kinds(settle_reports(report())) == ["unchanged"]
    assert balances() == {PENDING: 60}
    assert Report.objects.count() == 2


def test_validation_moves_pending_to_available_in_one_transfer() -> None:
    settle_reports(report())
    settle_reports(report(status="validated", modified_at=LATER))
    assert balances() == {AVAILABLE: 91}
    last = Transfer.objects.select_related("from_account", "to_account").latest("id")
    assert (last.from_account.kind, last.to_account.kind) == ("pending", "available")


def test_a_decline_posts_exactly_minus_everything() -> None:
    settle_reports(report())
    settle_reports(report(status="declined", modified_at=LATER))
    assert balances() == {}
    assert not purchase().settlement.awards.exists()


def test_a_partial_return_in_three_steps_ends_where_one_ends() -> None:
    for step, total in enumerate([9099, 7777, 3050]):
        at = LATER + timedelta(minutes=step)
        settle_reports(report(order_total=total, modified_at=at))
    assert balances() == {PENDING: 30}


def test_a_new_transaction_id_is_a_newer_state_of_the_same_order() -> None:
    settle_reports(report())
    changed = report(transaction_id="tx-2", order_total=6000, modified_at=LATER)
    settle_reports(changed)
    assert balances() == {PENDING: 60}
    assert Purchase.objects.count() == 1


def test_a_transaction_told_without_its_order_first_is_one_purchase() -> None:
    settle_reports(report(order_id=""))
    settle_reports(report(modified_at=LATER))
    assert purchase("btnorder-1").reports.count() == 2
    settle_reports(report(order_id="", modified_at=LATER + timedelta(hours=1)))
    assert (Purchase.objects.count(), balances()) == (1, {PENDING: 91})


def test_the_same_order_in_another_account_waits_for_staff() -> None:
    settle_reports(report())
    second = report(account="acc-2", transaction_id="tx-2")
    assert kinds(settle_reports(second)) == ["review"]
    assert balances() == {PENDING: 91}
    account = NetworkAccount.objects.get(external_id="acc-2")
    decide_account(account, rewarding=True, reason="Ours too", by=None, at=NOW)
    assert balances() == {PENDING: 182}
    decide_account(account, rewarding=False, reason="No, it isn't", by=None, at=NOW)
    assert balances() == {PENDING: 91}


def test_two_accounts_in_one_batch_do_not_both_pay() -> None:
    second = report(account="acc-2", transaction_id="tx-2")
    assert sorted(kinds(settle_reports(report(), second))) == ["review", "settled"]
    assert balances() == {PENDING: 91}


def test_excluding_the_first_account_frees_the_second() -> None:
    settle_reports(report(), report(account="acc-2", transaction_id="tx-2"))
    held = Purchase.objects.exclude(review="").get()
    paying = NetworkAccount.objects.exclude(pk=held.account_id).get()
    decide_account(paying, rewarding=False, reason="Only a mirror", by=None, at=NOW)
    held.refresh_from_db()
    assert (held.review, balances()) == ("", {PENDING: 91})


@override_settings(REWARD_NEW_ACCOUNTS=False)
def test_a_new_account_is_held_until_staff_confirm_it() -> None:
    assert kinds(settle_reports(report())) == ["review"]
    assert balances() == {}
    account = NetworkAccount.objects.get()
    assert decide_account(account, rewarding=True, reason="Ours", by=None, at=NOW) == 1
    assert balances() == {PENDING: 91}


@pytest.mark.parametrize("together", [True, False])
def test_a_contradicted_final_state_goes_to_review_and_moves_nothing(
    together: bool,
) -> None:
    news = [
        report(),
        report(status="validated", modified_at=LATER),
        report(status="validated", order_total=99, modified_at=LATER),
    ]
    for batch in [news] if together else [[one] for one in news]:
        outcomes = settle_reports(*batch)
    assert outcomes[-1].kind == "review"
    assert balances() == {AVAILABLE: 91}
    assert "twice, with different content" in purchase().review


def test_staff_resolve_a_contradiction_either_way() -> None:
    settle_reports(report(status="validated"))
    settle_reports(report(status="declined", modified_at=LATER))
    one = purchase()
    declined = one.reports.get(status="declined")
    resolve(one, report=declined, reason="The store says so", by=None, at=NOW)
    assert (one.review, one.status, balances()) == ("", "declined", {})
    validated = one.reports.get(status="validated")
    resolve(one, report=validated, reason="They erred", by=None, at=NOW)
    assert (one.status, balances()) == ("validated", {AVAILABLE: 91})


def test_a_decision_needs_a_reason_and_its_own_purchase() -> None:
    settle_reports(report(), report(order_id="btnorder-2", transaction_id="tx-2"))
    other = purchase("btnorder-2").reports.get()
    with pytest.raises(Refused, match="another purchase"):
        resolve(purchase(), report=other, reason="Because", by=None, at=NOW)
    with pytest.raises(Refused, match="Say why"):
        assign(purchase(), member=None, reason=" ", by=None, at=NOW)
    assert not Decision.objects.exists()


def test_a_changed_member_takes_everything_along() -> None:
    settle_reports(report())
    settle_reports(report(customer_id="bob", modified_at=LATER))
    assert (balances("alice"), balances("bob")) == ({}, {PENDING: 91})


def test_an_assignment_outranks_every_report() -> None:
    settle_reports(report(customer_id=""))
    assert Purchase.objects.get().member is None
    carol = make_member("carol")
    assign(purchase(), member=carol, reason="Her receipt", by=None, at=NOW)
    settle_reports(report(customer_id="bob", modified_at=LATER))
    assert (balances("carol"), balances("bob")) == ({PENDING: 91}, {})
    assign(purchase(), member=None, reason="It was not hers", by=None, at=NOW)
    assert (balances("carol"), balances("bob")) == ({}, {PENDING: 91})


def test_a_click_of_ours_finds_the_member() -> None:
    make_member("dora")
    click = make_click(customer_id="dora")
    settle_reports(report(customer_id="", click_reference=click.reference))
    assert (balances("dora"), purchase().click) == ({PENDING: 91}, click)


def test_a_click_that_is_not_ours_finds_nobody() -> None:
    settle_reports(report(customer_id="", click_reference="clk_forged"))
    assert purchase().member is None
    assert not Transfer.objects.exists()


@override_settings(MEMBERS_AUTO_ENROLL=False)
def test_without_enrolment_orders_wait_for_their_member() -> None:
    settle_reports(report())
    assert not Member.objects.exists()
    assert not Transfer.objects.exists()
    put_member("alice", at=NOW)
    assert balances() == {PENDING: 91}


@pytest.mark.parametrize("customer_id", ["a b", "ünï", "a/b", "x" * 256])
def test_an_id_that_no_member_can_have_stays_unattributed(customer_id: str) -> None:
    assert kinds(settle_reports(report(customer_id=customer_id))) == ["settled"]
    assert not Member.objects.exists()
    assert purchase().customer_id == customer_id


def test_app_installs_are_kept_and_never_rewarded() -> None:
    install = report(category="app-install", status="validated", order_id="")
    assert kinds(settle_reports(install)) == ["ignored"]
    assert purchase("tx-1").category == "app-install"
    assert not Transfer.objects.exists()


def test_a_validated_order_without_commission_waits_for_staff() -> None:
    settle_reports(report(commission=None))
    outcome = settle_reports(
        report(commission=None, status="validated", modified_at=LATER)
    )
    assert kinds(outcome) == ["review"]
    assert balances() == {PENDING: 91}
    one = purchase()
    final = one.reports.get(status="validated")
    resolve(one, report=final, reason="They told us", by=None, at=NOW)
    assert balances() == {AVAILABLE: 91}


def test_an_unknown_store_is_made_unlisted_and_earns() -> None:
    settle_reports(report())
    store = Merchant.objects.get()
    assert (store.name, store.listed) == ("Lumen & Oak", False)
    assert purchase().merchant == store


def test_one_batch_of_many_is_the_same_as_one_by_one() -> None:
    orders = [
        report(order_id=f"btnorder-{n}", transaction_id=f"tx-{n}", order_total=n * 101)
        for n in range(60)
    ]
    settle_reports(*orders)
    assert balances() == {PENDING: sum(n * 101 // 100 for n in range(60))}


def test_units_are_never_mixed() -> None:
    publish_program(
        rule(),
        rule("cash", unit="USD", reward=share("50")),
        now=NOW - timedelta(hours=1),
    )
    settle_reports(report(attributed_at=NOW))
    assert balances() == {PENDING: 91, ("USD", "pending"): 227}


class TestEditions:
    """Which edition holds is a function of the attribution time alone."""

    def test_publishing_never_moves_what_was_earned(self) -> None:
        settle_reports(report())
        publish_program(rule(reward={"kind": "fixed", "points": "1"}), now=NOW)
        settle_reports(report(status="validated", modified_at=LATER))
        assert balances() == {AVAILABLE: 91}

    def test_a_later_attribution_time_brings_the_later_edition(self) -> None:
        settle_reports(report())
        second = publish_program(rule(reward={"kind": "fixed", "points": "1"}), now=NOW)
        assert second.effective_from == NOW + timedelta(seconds=300)
        moved = report(attributed_at=second.effective_from, modified_at=LATER)
        settle_reports(moved, at=NOW + timedelta(minutes=1))
        assert balances() == {PENDING: 1}

    def test_an_order_from_beyond_the_margin_waits_until_it_is_certain(self) -> None:
        ahead = NOW + timedelta(minutes=10)
        settle_reports(report(attributed_at=ahead))
        assert balances() == {}
        assert settle_due(at=NOW + timedelta(minutes=4)) == 0
        assert settle_due(at=NOW + timedelta(minutes=5)) == 1
        assert (balances(), settle_due(at=ahead)) == ({PENDING: 91}, 0)


class TestBeforeTheFirstEdition:
    """Orders that no edition held for."""

    @pytest.fixture(autouse=True)
    def edition(self) -> None:
        """None yet."""

    def test_the_first_edition_settles_what_waited(self) -> None:
        settle_reports(report())
        assert balances() == {}
        publish_program()
        assert settle_without_edition(at=NOW) == 1
        assert balances() == {PENDING: 91}

    def test_orders_before_its_beginning_earn_nothing(self) -> None:
        settle_reports(report())
        publish_program(at=ORDERED + timedelta(seconds=1))
        settle_without_edition(at=NOW)
        assert balances() == {}
