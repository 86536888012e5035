"""A member's visits: number, promise, and what became of each."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from merchants import clicks
from merchants.models import Click, Merchant
from rewards.pages.activity import PAGE_SIZE
from rewards.promises import Promises, listed_stores, snapshot
from tests.builders import (
    MERCHANT,
    NOW,
    ORDERED,
    make_click,
    make_merchant,
    publish_program,
    report,
    rule,
    settle_reports,
)
from tests.rewards.storefront import make_offer
from tests.rewards.visitors import sign_in, text_of

pytestmark = pytest.mark.django_db
LATER = NOW + timedelta(hours=1)


@pytest.fixture(autouse=True)
def store() -> Merchant:
    publish_program(rule())
    store = make_merchant()
    make_offer(store, "4")
    return store


def visit(**changes) -> Click:
    [store] = listed_stores()
    shown = snapshot(store, Promises.load(at=NOW).of(store))
    return make_click(store, **{"shown": shown, **changes})


def order(click: Click, number: int = 1, **changes):
    return report(
        transaction_id=f"tx-{number}",
        order_id=f"order-{number}",
        click_reference=click.reference,
        **changes,
    )


def read_visits(customer_id="alice") -> str:
    return text_of(sign_in(customer_id).get("/visits/"))


def test_a_visit_says_store_time_number_and_promise():
    click = visit()
    said = read_visits()
    assert "Lumen & Oak Nov. 10, 2026, noon UTC" in said
    assert f"Visit {clicks.number(click)}" in said
    assert "Promised: 100 points on an order of $100.00" in said
    assert "Nothing reported yet" in said


def test_a_visit_keeps_its_promise_when_the_rules_change(settings):
    settings.PUBLISH_MARGIN = 0
    visit()
    publish_program(rule("other"), at=LATER)
    assert "Promised: 100 points on an order of $100.00" in read_visits()


def test_a_visit_that_earned_leads_to_its_purchases():
    click = visit()
    settle_reports(order(click), order(click, 2, order_total=500, status="validated"))
    page = sign_in("alice").get("/visits/")
    said = text_of(page)
    assert "Pending Order amount: $91.00 Reward: 91 points" in said
    assert "Available Order amount: $5.00 Reward: 5 points" in said
    assert "Nothing reported yet" not in said
    [row, _] = page.context["visits"][0].purchases
    assert f'href="/activity/{row.id}/"' in page.content.decode()


def test_only_ones_own_visits_and_orders():
    visit(customer_id="bob")
    click = visit()
    settle_reports(
        order(click, customer_id="bob"), order(click, 2, category="app-install")
    )
    page = sign_in("alice").get("/visits/")
    [own] = page.context["visits"]
    assert own.number == clicks.number(click)
    assert list(own.purchases) == []


def test_strangers_see_none(client):
    assert client.get("/visits/").url == "/sign-in/?next=/visits/"


def test_a_store_that_left_has_a_name_and_no_link():
    visit()
    Merchant.objects.update(listing="never")
    page = sign_in("alice").get("/visits/")
    assert "Lumen & Oak" in text_of(page)
    assert 'href="/stores/lumen-oak/"' not in page.content.decode()


def test_a_visit_with_nothing_kept_promises_nothing():
    visit(shown={})
    assert "Promised: nothing" in read_visits()


def test_pages_hold_every_visit_once_newest_first():
    numbers = range(PAGE_SIZE * 2 + 5)
    made = [visit(clicked_at=ORDERED + timedelta(microseconds=n // 3)) for n in numbers]
    client, path, seen = sign_in("alice"), "/visits/", []
    while path:
        context = client.get(path).context
        seen += [visit.number for visit in context["visits"]]
        following = context["following"]
        path = f"/visits/?before={following}" if following else ""
    assert seen == [clicks.number(click) for click in reversed(made)]


def test_a_new_member_is_told_what_to_do():
    assert "No visits yet" in read_visits()
    page = sign_in("alice").get("/visits/", {"before": "1000000000-1"})
    assert "There is nothing older" in text_of(page)


@pytest.mark.parametrize("number", [1, PAGE_SIZE])
def test_a_long_list_asks_no_more_than_a_short_one(number):
    settle_reports(*(order(visit(), n) for n in range(number)))
    client = sign_in("alice")
    with CaptureQueriesContext(connection) as queries:
        page = client.get("/visits/")
    assert len(page.context["visits"]) == number
    assert len(queries) == 8


def expect_within(days: int) -> None:
    Merchant.objects.filter(external_id=MERCHANT).update(
        finalization_minutes=days * 24 * 60
    )


def test_a_pending_purchase_says_when_it_should_be_final():
    expect_within(9000)
    settle_reports(report())
    client = sign_in("alice")
    said = text_of(client.get("/activity/"))
    assert "Status: Pending final around July 2, 2051" in said
    [row] = client.get("/activity/").context["rows"]
    assert "final around July 2, 2051" in text_of(client.get(f"/activity/{row.id}/"))


def test_a_date_that_passed_is_said_to_be_late():
    expect_within(1)
    settle_reports(report())
    said = text_of(sign_in("alice").get("/activity/"))
    assert "late: was expected around Nov. 11, 2026" in said


def test_a_final_purchase_expects_nothing():
    expect_within(1)
    settle_reports(report(status="validated"))
    assert "expected" not in text_of(sign_in("alice").get("/activity/"))
