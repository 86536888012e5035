"""What the report does not say: taken once for a member, and kept from then on."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from merchants.models import Merchant
from rewards.decisions import assign, decide_account
from rewards.members import put_member
from rewards.models import Award, Member, NetworkAccount, Settlement
from rewards.program.editions import compiled
from rewards.program.facts import About
from rewards.settling.due import settle_due
from rewards.settling.evaluations import facts_of, room_of
from rewards.verification import checks
from tests.builders import (
    MERCHANT,
    NOW,
    ORDERED,
    balances,
    fixed,
    make_click,
    make_member,
    make_merchant,
    publish_program,
    purchase,
    report,
    rule,
    settle_reports,
)

pytestmark = pytest.mark.django_db
LATER = ORDERED + timedelta(hours=1)
PENDING = ("points", "pending")


@pytest.fixture(autouse=True)
def invariants_hold_afterwards() -> object:
    yield
    broken = [check for check in checks() if check.violations]
    assert not broken


def about(order_key: str = "btnorder-1") -> About:
    settlement = purchase(order_key).settlement
    assert settlement is not None
    return facts_of(settlement).about


def other(number: int, **changes: object) -> object:
    at = ORDERED + timedelta(minutes=number)
    return report(
        **{
            "order_id": f"order-{number}",
            "transaction_id": f"tx-o{number}",
            "attributed_at": at,
            "modified_at": at,
            **changes,
        }
    )


def test_a_purchase_keeps_what_was_known_when_it_was_first_settled() -> None:
    publish_program(rule(when={"segments": ["gold"]}))
    make_member(segments=["gold"])
    store = make_merchant(categories=["Home"])
    click = make_click(store)
    settle_reports(report(click_reference=click.reference))
    known = About(
        customer_id="alice",
        segments=("gold",),
        joined_at=NOW,
        first=("ever", "merchant"),
        merchant_categories=("Home",),
        click_at=click.clicked_at,
        click_reference=click.reference,
    )
    assert about() == known
    put_member("alice", at=NOW, segments=[])
    Merchant.objects.update(categories=["Garden"])
    settle_reports(report(order_total=5000, modified_at=LATER))
    assert about() == known
    assert balances() == {PENDING: 50}


def test_a_segment_joined_later_counts_for_later_orders() -> None:
    publish_program(rule(when={"segments": ["gold"]}))
    settle_reports(report())
    put_member("alice", at=NOW, segments=["gold"])
    settle_reports(report(order_total=5000, modified_at=LATER))
    assert balances() == {}
    settle_reports(other(2))
    assert balances() == {PENDING: 91}


def test_another_member_takes_them_anew() -> None:
    publish_program(rule(when={"segments": ["gold"]}))
    make_member("alice")
    bob = make_member("bob", segments=["gold"])
    settle_reports(report())
    assign(purchase(), member=bob, reason="His", by=None, at=NOW)
    assert about().customer_id == "bob"
    assert balances("bob") == {PENDING: 91}


def test_nobody_in_between_is_no_other_member() -> None:
    publish_program(rule(when={"segments": ["gold"]}))
    alice = make_member("alice", segments=["gold"])
    with override_settings(MEMBERS_AUTO_ENROLL=False):
        settle_reports(report(customer_id="stranger"))
        assert purchase().settlement.facts == {}
        assign(purchase(), member=alice, reason="Hers", by=None, at=NOW)
        put_member("alice", at=NOW, segments=[])
        assign(purchase(), member=None, reason="Not hers", by=None, at=NOW)
        assert balances() == {}
        assign(purchase(), member=alice, reason="Hers", by=None, at=NOW)
    assert balances() == {PENDING: 91}


def test_only_the_first_order_is_first() -> None:
    publish_program(rule(reward=fixed("5"), when={"first_purchase": "ever"}))
    settle_reports(other(1))
    settle_reports(other(2))
    assert about("order-1").first == ("ever", "merchant")
    assert about("order-2").first == ()
    assert balances() == {PENDING: 5}


def test_the_first_at_each_store() -> None:
    publish_program(rule(reward=fixed("5"), when={"first_purchase": "merchant"}))
    settle_reports(other(1))
    settle_reports(other(2, merchant="org-x"), other(3, merchant="org-x"), other(4))
    assert about("order-2").first == ("merchant",)
    assert about("order-3").first == about("order-4").first == ()
    assert balances() == {PENDING: 10}


def test_an_order_of_the_same_batch_is_earlier_by_attribution() -> None:
    publish_program()
    settle_reports(other(2), other(1), other(3, customer_id="bob"))
    assert about("order-1").first == about("order-3").first == ("ever", "merchant")
    assert about("order-2").first == ()


def test_a_declined_order_leaves_the_next_one_first() -> None:
    publish_program()
    settle_reports(other(1))
    settle_reports(other(1, status="declined", modified_at=NOW))
    settle_reports(other(2))
    assert about("order-2").first == ("ever", "merchant")
    assert about("order-1").first == ("ever", "merchant")  # it was, and that sticks


def test_an_order_declined_in_the_same_batch_counts_as_it_stood_before() -> None:
    publish_program()
    settle_reports(other(2))
    settle_reports(other(1), other(2, status="declined", modified_at=NOW))
    assert about("order-1").first == ()  # settled before the decline
    settle_reports(other(3), other(1, status="declined", modified_at=NOW))
    assert about("order-3").first == ("ever", "merchant")


def test_of_orders_that_waited_for_staff_together_one_is_first() -> None:
    publish_program(rule(reward=fixed("5"), when={"first_purchase": "ever"}))
    with override_settings(REWARD_NEW_ACCOUNTS=False):
        settle_reports(other(1))
        settle_reports(other(2))
        account = NetworkAccount.objects.get()
        decide_account(account, rewarding=True, reason="Ours", by=None, at=NOW)
    assert about("order-1").first == ("ever", "merchant")
    assert about("order-2").first == ()
    assert balances() == {PENDING: 5}


def test_the_same_order_in_another_account_is_no_order_before() -> None:
    publish_program()
    settle_reports(other(1))
    settle_reports(other(1, account="acc-2", transaction_id="tx-other"))
    settle_reports(other(1, status="declined", modified_at=NOW))
    settle_reports(other(2))
    assert about("order-2").first == ("ever", "merchant")


@pytest.mark.parametrize("together", [True, False])
def test_an_order_whose_expression_failed_is_none(together: bool) -> None:
    halves = "100 / purchase.commission >= 0"
    first = {"first_purchase": "ever", "expression": halves}
    publish_program(rule(reward=fixed("5"), when=first))
    orders = [other(1, commission=0), other(2)]
    for batch in [orders] if together else [[one] for one in orders]:
        settle_reports(*batch)
    assert balances() == {PENDING: 5}
    settle_reports(other(1, modified_at=NOW))
    assert about("order-1").first == ()
    assert balances() == {PENDING: 5}


def test_an_order_of_an_app_install_is_none() -> None:
    publish_program()
    settle_reports(other(1, category="app-install"))
    settle_reports(other(2))
    assert about("order-2").first == ("ever", "merchant")


def test_an_earlier_order_reported_later_takes_nothing_from_the_first() -> None:
    publish_program()
    settle_reports(other(2))
    settle_reports(other(1))
    settle_reports(other(2, order_total=1, modified_at=NOW))
    assert about("order-2").first == ("ever", "merchant")
    assert about("order-1").first == ()


@pytest.mark.parametrize("told_first", [True, False])
def test_a_country_told_by_one_route_counts_whatever_came_first(
    told_first: bool,
) -> None:
    """A webhook leaves it out, and a poll told it of an earlier state."""
    publish_program(rule(when={"countries": ["US"], "channels": ["app"]}))
    told = report(country="US", channel="app")
    untold = report(order_total=5000, modified_at=LATER)
    for one in (told, untold) if told_first else (untold, told):
        settle_reports(one)
    assert (about().country, about().channel) == ("US", "app")
    assert balances() == {PENDING: 50}


def test_a_country_that_only_an_older_report_tells_settles_it_again() -> None:
    publish_program(rule(when={"countries": ["US"]}))
    settle_reports(report(order_total=5000, modified_at=LATER))
    assert balances() == {}
    (outcome,) = settle_reports(report(country="US"))
    assert outcome.kind == "settled"
    assert balances() == {PENDING: 50}


def test_the_greatest_report_that_names_a_country_tells_it() -> None:
    publish_program()
    between = LATER - timedelta(minutes=1)
    last = report(order_total=5000, modified_at=LATER)
    settle_reports(last, report(country="CA", modified_at=between))
    settle_reports(report(country="US"))
    assert about().country == "CA"


def test_an_order_that_waits_for_its_time_keeps_what_was_known() -> None:
    publish_program(rule(when={"segments": ["gold"]}))
    make_member(segments=["gold"])
    tomorrow = NOW + timedelta(days=1)
    settle_reports(report(attributed_at=tomorrow))
    put_member("alice", at=NOW, segments=[])
    settle_due(at=tomorrow)
    assert balances() == {PENDING: 91}


def test_stored_facts_give_the_awards_again() -> None:
    publish_program(
        rule(limits={"per_member": {"amount": 100, "period": "month"}}),
        rule("gold", group="bonus", when={"segments": ["gold"]}, reward=fixed("7")),
    )
    make_member(segments=["gold"])
    settle_reports(other(1), other(2))
    put_member("alice", at=NOW, segments=[])
    for settlement in Settlement.objects.select_related("report", "member"):
        again = compiled(settlement.edition_id).evaluate(
            facts_of(settlement), room_of(settlement)
        )
        stored = Award.objects.filter(settlement=settlement).order_by("id")
        columns = stored.values_list("rule", "unit__code", "wanted", "granted", "why")
        assert [tuple(a[:5]) for a in again] == list(columns)
    assert balances() == {PENDING: 100 + 14}


def test_facts_cost_the_same_queries_for_any_number_of_members() -> None:
    publish_program()
    settle_reports(other(0))

    def settle(*numbers: int) -> int:
        with CaptureQueriesContext(connection) as captured:
            settle_reports(*(other(n, customer_id=f"m{n}") for n in numbers))
        return sum(q["sql"].startswith("SELECT") for q in captured)

    settle(1)
    assert settle(2) == settle(*range(3, 23))
    assert Member.objects.count() == 23
    assert purchase("order-3").merchant.external_id == MERCHANT
