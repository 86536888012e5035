"""Whose a purchase of nobody may be: visits before it, the likeliest first."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from merchants.models import Merchant
from rewards.decisions import assign_nobodys
from rewards.models import Decision, Member, Purchase
from rewards.refusals import Refused
from rewards.suggestions import LOOKED_AT, suggestions
from tests.builders import (
    NOW,
    ORDERED,
    balances,
    make_click,
    make_member,
    make_merchant,
    publish_program,
    purchase,
    report,
    settle_reports,
)
from tests.staff import client_of, make_staff, make_superuser, said, text_of

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)


@pytest.fixture
def store() -> Merchant:
    return make_merchant()


@pytest.fixture
def order(store: Merchant) -> Purchase:
    """An order that names nobody."""
    publish_program()
    settle_reports(report(customer_id=""))
    return purchase()


@pytest.fixture
def root() -> Client:
    return client_of(make_superuser())


def visit(store: Merchant, who: str, minutes: int, **changes: Any) -> Any:
    make_member(who)
    at = ORDERED - minutes * MINUTE
    return make_click(store, customer_id=who, clicked_at=at, **changes)


def ask(order: Purchase) -> str:
    return reverse("admin:rewards_purchase_assign_suggested", args=[order.pk])


def page(order: Purchase) -> str:
    return reverse("admin:rewards_purchase_change", args=[order.pk])


def names(order: Purchase) -> list[str]:
    return [one.member.customer_id for one in suggestions(order)]


def test_the_nearest_visit_comes_first_and_says_why(
    store: Merchant, order: Purchase
) -> None:
    visit(store, "bob", 90)
    visit(store, "carol", 12)
    visit(store, "bob", 300)
    assert names(order) == ["carol", "bob"]
    reasons = [" ".join(one.reasons) for one in suggestions(order)]
    assert "12\u00a0minutes before the order" in reasons[0]
    assert "1\u00a0hour, 30\u00a0minutes before" in reasons[1]


def test_what_the_order_nearly_names_goes_before_what_is_near(store: Merchant) -> None:
    damaged = visit(store, "bob", 3000)
    visit(store, "Carol", 600)
    visit(store, "dave", 5)
    told = damaged.reference[:20].upper()
    settle_reports(report(customer_id="", click_reference=told))
    assert names(purchase()) == ["bob", "dave", "Carol"]
    assert "same 20 letters" in suggestions(purchase())[0].reasons[0]


def test_a_customer_id_in_other_letters_is_seen(store: Merchant, settings: Any) -> None:
    settings.MEMBERS_AUTO_ENROLL = False
    visit(store, "Carol", 600)
    visit(store, "dave", 5)
    settle_reports(report(customer_id=" carol"))
    assert names(purchase()) == ["Carol", "dave"]


def test_a_visit_that_has_brought_an_order_comes_later(
    store: Merchant, order: Purchase
) -> None:
    used = visit(store, "bob", 5)
    visit(store, "carol", 50)
    changes = {"order_id": "other", "transaction_id": "tx-2", "customer_id": ""}
    settle_reports(report(click_reference=used.reference, **changes))
    assert names(order) == ["carol", "bob"]
    assert "has brought other already" in " ".join(suggestions(order)[1].reasons)


def test_who_cannot_be_it_is_not_suggested(store: Merchant, order: Purchase) -> None:
    visit(store, "late", -1)
    visit(store, "long-ago", 8 * 24 * 60)
    visit(make_merchant("Other", external_id="org-2", slug="o"), "elsewhere", 5)
    make_click(store, customer_id="no-member", clicked_at=ORDERED)
    visit(store, "gone", 5)
    Member.objects.filter(customer_id="gone").update(status=Member.Status.ERASED)
    assert names(order) == []


def test_it_asks_an_index_for_a_bounded_number(
    store: Merchant, order: Purchase
) -> None:
    with CaptureQueriesContext(connection) as queries:
        suggestions(order)
    asked = queries[0]["sql"]
    assert f"LIMIT {LOOKED_AT}" in asked
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(f"EXPLAIN QUERY PLAN {asked}")
            assert "click_by_store" in str(cursor.fetchall())


def test_it_is_assigned_in_one_confirmed_action(
    store: Merchant, order: Purchase, root: Client
) -> None:
    visit(store, "carol", 12)
    click = visit(store, "bob", 90)
    assert f"{ask(order)}?click={click.pk}" in text_of(root.get(page(order)))
    assert root.get(ask(order)).status_code == 200
    assert not Decision.objects.exists()
    given = {"click": click.pk, "reason": "He wrote to us."}
    answer = root.post(ask(order), given, follow=True)
    assert said(answer) == ["The purchase belongs to bob now."]
    assert balances("bob") == {("points", "pending"): 91}
    assert "He wrote to us." in LogEntry.objects.get().change_message
    assert "Whose it may be" not in text_of(answer)


def test_who_comes_second_is_told_who_has_it(
    store: Merchant, order: Purchase, root: Client
) -> None:
    click = visit(store, "carol", 12)
    bob, clerk = make_member("bob"), make_staff()
    stale = purchase()
    assign_nobodys(order, member=bob, reason="His.", by=clerk, at=NOW)
    answer = root.post(ask(order), {"click": click.pk, "reason": "Hers."}, follow=True)
    assert said(answer) == ["It belongs to bob already."]
    with pytest.raises(Refused, match="It belongs to bob already"):
        assign_nobodys(
            stale, member=make_member("carol"), reason="Hers.", by=clerk, at=NOW
        )
    assert (Decision.objects.count(), balances("carol")) == (1, {})


def test_nobody_assigns_to_himself(store: Merchant, order: Purchase) -> None:
    clerk = make_staff("rewards.change_purchase", "rewards.view_purchase")
    click = visit(store, "me", 12)
    Member.objects.filter(customer_id="me").update(user=clerk)
    answer = client_of(clerk).post(ask(order), {"click": click.pk, "reason": "Mine."})
    assert "somebody else must decide" in text_of(answer)
    assert not Decision.objects.exists()


def test_who_may_only_look_sees_it_and_assigns_nothing(
    store: Merchant, order: Purchase
) -> None:
    visit(store, "bob", 12)
    looks = client_of(make_staff("rewards.view_purchase"))
    shown = text_of(looks.get(page(order)))
    assert "Whose it may be" in shown
    assert ask(order) not in shown
