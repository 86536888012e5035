"""A purchase with one fact changed: the receipt changes, and nothing is written."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from rewards.reports import LineItem
from tests.builders import (
    NOW,
    make_member,
    per_amount,
    publish_program,
    purchase,
    report,
    rule,
    settle_reports,
)
from tests.staff import client_of, make_staff, text_of

pytestmark = pytest.mark.django_db
FACTS = {
    "status": "pending",
    "category": "new-user-order",
    "order_total": "91.00",
    "commission": "4.55",
    "attributed_at": "2026-11-10T12:00:00",
}


@pytest.fixture
def looks() -> Client:
    """Who may only look may suppose."""
    return client_of(make_staff("rewards.view_purchase"))


def url() -> str:
    return reverse("admin:rewards_purchase_what_if", args=[purchase().pk])


def then(client: Client, **changes: Any) -> list[str]:
    """What the purchase has now, would have, and the difference."""
    page = client.get(url(), {**FACTS, **changes})
    assert page.context["form"].errors == {}
    (table,) = page.context["tables"]
    return [cell.replace("\u00a0", " ") for cell in table.rows[0][1:]]


def test_what_nothing_is_changed_in_earns_the_same(looks: Client) -> None:
    publish_program()
    settle_reports(report())
    form = looks.get(url()).context["form"]
    assert not form.is_bound
    assert {name: form.initial[name] for name in FACTS} == FACTS
    assert then(looks) == ["91 points", "91 points", "0 points"]


@pytest.mark.parametrize(
    ("changes", "earned"),
    [
        ({"order_total": "40.00"}, "40 points"),
        ({"status": "declined"}, "0 points"),
        ({"category": "existing-user-order"}, "91 points"),
        ({"attributed_at": "2026-11-14T12:00:00"}, "191 points"),
        ({"segments": "vip, new"}, "96 points"),
        ({"first": ["ever"]}, "101 points"),
        ({"country": "FR"}, "92 points"),
    ],
)
def test_each_fact_changes_what_it_earns(
    changes: dict[str, Any], earned: str, looks: Client
) -> None:
    def bonus(key: str, points: str, **when: Any) -> dict[str, Any]:
        reward = {"kind": "fixed", "points": points}
        return rule(key, group="bonus", reward=reward, when=when)

    publish_program(
        rule(),
        bonus("saturday", "100", weekdays=["saturday"]),
        bonus("vip", "5", segments=["vip"]),
        bonus("first", "10", first_purchase="ever"),
        bonus("french", "1", countries=["FR"]),
    )
    settle_reports(report(order_id="before", transaction_id="tx-0"), report())
    assert then(looks, **changes)[1] == earned


def test_an_items_quantity_total_and_category(looks: Client) -> None:
    publish_program(rule(items={"categories": ["HOME"]}))
    lamp = LineItem(description="Lamp", categories=("HOME",), quantity=1, total=9100)
    settle_reports(report(lines=(lamp,)))
    said = {"quantity_0": "3", "total_0": "20.00", "category_0": "HOME"}
    assert then(looks, **said)[1] == "20 points"
    assert then(looks, **{**said, "category_0": "BOOKS"})[1] == "0 points"
    page = looks.get(url(), {**FACTS, **said})
    assert page.context["receipt"].lines[0][4] == "3"


def test_limits_stand_as_they_did(looks: Client) -> None:
    limits = {"per_member": {"amount": 100, "period": "month"}}
    publish_program(rule(limits=limits))
    settle_reports(report(order_id="before", transaction_id="tx-0", order_total=6000))
    settle_reports(report())
    assert then(looks, order_total="80.00") == ["40 points", "40 points", "0 points"]


def test_it_is_of_the_edition_that_holds_for_it_and_says_so(looks: Client) -> None:
    publish_program()
    settle_reports(report())
    publish_program(rule(reward=per_amount("5")), now=NOW)
    page = text_of(looks.get(url(), {**FACTS, "attributed_at": "2027-01-01T00:00:00"}))
    assert "Under Edition 1, which its awards were worked out by." in page
    assert "For an order of that time, Edition 2 holds." in page


@pytest.mark.parametrize(
    "wrong",
    [
        {"order_total": "1.005"},
        {"order_total": "nan"},
        {"status": "odd"},
        {"attributed_at": "x"},
        {"attributed_at": "9999-12-31T23:59:59"},
        {"commission": "9" * 30},
        {"status": ""},
    ],
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, str], looks: Client) -> None:
    publish_program()
    settle_reports(report())
    page = looks.get(url(), {**FACTS, **wrong})
    assert page.status_code == 200
    assert page.context["form"].errors
    assert "receipt" not in page.context


def test_it_writes_nothing(looks: Client) -> None:
    publish_program()
    settle_reports(report())
    with CaptureQueriesContext(connection) as queries:
        then(looks, order_total="1.00")
    assert all(q["sql"].startswith(("SELECT", "DECLARE")) for q in queries)
    assert len(queries) < 25


def test_where_nothing_was_evaluated_there_is_nothing_to_change(
    looks: Client, settings: Any
) -> None:
    make_member("alice")
    settings.REWARD_NEW_ACCOUNTS = False
    publish_program()
    settle_reports(report())
    assert purchase().review
    assert looks.get(url()).status_code == 404
