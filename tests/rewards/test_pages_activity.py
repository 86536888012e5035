"""The list of a member's purchases: which, in what words, and page by page."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from rewards.decisions import decide_account
from rewards.models import NetworkAccount
from rewards.pages.activity import PAGE_SIZE, Cursor
from tests.builders import (
    NOW,
    ORDERED,
    fixed,
    publish_program,
    report,
    rule,
    settle_reports,
    share,
)
from tests.rewards.visitors import sign_in, text_of

pytestmark = pytest.mark.django_db
LATER = ORDERED + timedelta(hours=1)


@pytest.fixture(autouse=True)
def program():
    publish_program(
        rule(when={"currencies": ["USD"]}),
        rule("half", unit="USD", reward=share("50"), when={"currencies": ["USD"]}),
    )


def order(number, **changes):
    return report(
        transaction_id=f"tx-{number}",
        order_id=f"order-{number}",
        attributed_at=ORDERED + timedelta(seconds=number // 3),
        **changes,
    )


def read_activity(customer_id="alice") -> str:
    return text_of(sign_in(customer_id).get("/activity/"))


def test_a_row_says_store_date_amount_reward_and_state():
    settle_reports(report())
    said = read_activity()
    assert "Lumen & Oak Nov. 10, 2026" in said
    assert "Order amount: $91.00" in said
    assert "Reward: 91\xa0points · $2.27".replace("\xa0", " ") in said
    assert "Status: Pending not final yet" in said


def test_final_orders_have_a_word_and_no_date():
    settle_reports(order(1, status="validated"), order(2, status="declined"))
    said = read_activity()
    assert "Status: Available" in said
    assert "Reward: No reward Status: Declined" in said
    assert "not final" not in said


def test_a_changed_reward_is_updated():
    settle_reports(report())
    settle_reports(report(order_total=4000, commission=200, modified_at=LATER))
    assert "Reward: 40 points · $1.00 Status: Updated not final yet" in read_activity()


def test_a_change_that_moves_no_reward_is_no_update():
    settle_reports(report())
    settle_reports(report(order_number="WEB-7", modified_at=LATER))
    assert "Status: Pending" in read_activity()


def test_a_final_order_that_earned_nothing_says_so():
    settle_reports(report(order_currency="EUR", currency="EUR", status="validated"))
    assert "Reward: No reward Status: No reward" in read_activity()


def test_what_waits_for_staff_is_pending_and_being_checked(settings):
    settings.REWARD_NEW_ACCOUNTS = False
    settle_reports(report())
    said = read_activity()
    assert "Not known yet Status: Pending We are checking this order" in said
    account = NetworkAccount.objects.get()
    decide_account(account, rewarding=True, reason="ours", by=None, at=NOW)
    assert "checking" not in read_activity()


def test_a_contradiction_leaves_the_word_of_what_is_paid():
    settle_reports(report(status="validated"))
    settle_reports(report(status="declined", modified_at=LATER))
    assert "Status: Available We are checking this order" in read_activity()


def test_only_ones_own_orders_and_no_app_installs():
    settle_reports(
        order(1),
        order(2, customer_id="bob", merchant="org-bob", merchant_name="Bobs"),
        order(3, category="app-install", merchant="org-app", merchant_name="Apps"),
    )
    page = sign_in("alice").get("/activity/")
    assert [row.reference for row in page.context["rows"]] == ["order-1"]


def test_pages_hold_every_order_once_newest_first():
    settle_reports(*(order(n) for n in range(PAGE_SIZE * 2 + 5)))
    client, path, seen = sign_in("alice"), "/activity/", []
    while path:
        context = client.get(path).context
        seen += [row.reference for row in context["rows"]]
        following = context["following"]
        path = f"/activity/?before={following}" if following else ""
    assert len(seen) == len(set(seen)) == PAGE_SIZE * 2 + 5
    assert seen[0] == f"order-{PAGE_SIZE * 2 + 4}"
    assert seen[-1] == "order-0" or seen[-1] in {"order-1", "order-2"}


def test_a_full_last_page_promises_nothing_more():
    settle_reports(*(order(n) for n in range(PAGE_SIZE)))
    assert sign_in("alice").get("/activity/").context["following"] is None


@pytest.mark.parametrize(
    "before", ["", "x", "1-", "-1", "9" * 30 + "-1", "1-2-3", "9999999999-" + "9" * 30]
)
def test_a_cursor_of_nobodys_shows_the_newest(before):
    settle_reports(report())
    page = sign_in("alice").get("/activity/", {"before": before})
    assert len(page.context["rows"]) == 1


def test_a_cursor_reads_back_what_it_wrote():
    cursor = Cursor(ORDERED, 12)
    assert Cursor.parse(str(cursor)) == cursor


def test_behind_the_last_page_there_is_nothing_older():
    settle_reports(report())
    page = sign_in("alice").get("/activity/", {"before": "1000000000-1"})
    assert "There is nothing older" in text_of(page)


def test_an_empty_list_leads_to_the_stores():
    said = read_activity()
    assert "No purchases yet" in said
    assert "To the stores" in said


def count_queries(number: int) -> int:
    settle_reports(*(order(n) for n in range(number)))
    client = sign_in("alice")
    with CaptureQueriesContext(
        connection,
    ) as queries:
        client.get(reverse("activity"))
    return len(queries)


@pytest.mark.parametrize("number", [1, 10, 200])
def test_a_long_list_asks_no_more_than_a_short_one(number):
    assert count_queries(number) == 7


@pytest.mark.parametrize("number", [10, 200])
def test_the_balance_asks_no_more_either(number):
    settle_reports(*(order(n) for n in range(number)))
    client = sign_in("alice")
    with CaptureQueriesContext(connection) as queries:
        client.get(reverse("home"))
    assert len(queries) == 12


def test_nothing_is_counted():
    settle_reports(*(order(n) for n in range(30)))
    client = sign_in("alice")
    with CaptureQueriesContext(connection) as queries:
        client.get(reverse("activity"))
    assert not [q["sql"] for q in queries if "COUNT(" in q["sql"].upper()]


def test_a_label_never_becomes_markup():
    publish_program(rule("script", reward=fixed("5")), at=NOW + timedelta(hours=1))
    settle_reports(report(merchant="org-x", merchant_name="<script>alert(1)</script>"))
    page = sign_in("alice").get("/activity/")
    assert "<script>" not in page.content.decode()
