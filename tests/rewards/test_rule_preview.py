"""A rule in plain words and on one order, while it is typed; nothing is written."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from merchants.models import Merchant
from rewards.members import put_member
from rewards.models import Rule
from rewards.program import draft
from rewards.publishing import publish_draft
from rewards.reports import LineItem
from tests.builders import (
    MERCHANT,
    NOW,
    fixed,
    make_member,
    make_merchant,
    per_amount,
    publish_program,
    report,
    rule,
    settle_reports,
    share,
)
from tests.rewards.rule_forms import filled_in, load
from tests.staff import client_of, make_staff, make_superuser, text_of

pytestmark = pytest.mark.django_db
LIVE = "/admin/rewards/rule/live/"
LAMP = LineItem(
    identifier="1", categories=("LIGHTING",), quantity=1, amount=4500, total=4500
)


@pytest.fixture
def root() -> Client:
    return client_of(make_superuser())


def live(client: Client, key: str = "", **typed: Any) -> dict[str, str]:
    """What the form's script gets, as text; ``key`` is the rule that is changed."""
    url = f"{LIVE}?rule={Rule.objects.get(key=key).pk}" if key else LIVE
    typed["key"] = typed.pop("named", key or "mine")
    trial = {"trial-source": typed.pop("source", "real")}
    trial |= {f"trial-{name}": typed.pop(name) for name in TRIAL & typed.keys()}
    answer = client.post(url, filled_in(**typed) | trial)
    assert answer.status_code == 200
    said = answer.json()
    for name in ("words", "lines"):
        plain = said[name].replace("\u00a0", " ").split()
        said[name] = " ".join(plain)
    return said


TRIAL = {
    *("order", "merchant", "currency", "total", "commission", "lines", "at"),
    *("first", "channel", "country"),
}


def test_a_rule_is_restated_as_it_is_typed(root: Client) -> None:
    load(rule())
    make_merchant()
    said = live(root, "base", merchants=[MERCHANT], points="3")
    words = "Members shopping at Lumen &amp; Oak get 3 points per 1.00 of the order"
    assert words in said["words"]


def test_a_rule_that_has_no_name_yet_is_restated_all_the_same(root: Client) -> None:
    load(rule())
    said = live(root, label_text="", named="", kind="fixed", points="5")
    assert "Members get 5 points an order." in said["words"]


def test_what_is_wrong_is_said_with_its_fields_label(root: Client) -> None:
    load(rule())
    said = live(root, "base", points="", expression="purchase.totl > 5")
    assert "Namely: is missing" in said["words"]
    assert "Expression: " in said["words"]
    assert "purchase.totl &gt; 5 ^</pre>" in said["words"]
    assert said["lines"] == ""


def test_today_and_the_draft_stand_side_by_side(root: Client) -> None:
    publish_program(rule(), rule("half", unit="USD", reward=share("50")))
    settle_reports(report())
    said = live(root, "base", points="2")
    assert (
        "On order btnorder-1 of $91.00 at Lumen &amp; Oak: today it earns"
        " <strong>91 points + $2.27</strong>; with this draft"
        " <strong>182 points + $2.27</strong>." in said["words"]
    )


def test_before_anything_is_published_today_is_nothing(root: Client) -> None:
    load(rule())
    said = live(root, "base", source="made_up", total="10")
    assert "nothing is in force today; this draft gives" in said["words"]
    assert "<strong>10 points</strong>" in said["words"]


def test_a_hundred_typed_for_double_is_seen_at_once(root: Client) -> None:
    publish_program(rule())
    settle_reports(report())
    typed = {"group": "bonus", "kind": "multiplier", "factor": "100"}
    said = live(root, named="double", **typed)
    assert "multiplies the base award by 100" in said["words"]
    assert "today it earns <strong>91 points</strong>" in said["words"]
    assert "with this draft <strong>9,100 points</strong>" in said["words"]
    assert "9,009 points" in said["lines"]


def test_nothing_is_written(root: Client) -> None:
    publish_program(rule())
    settle_reports(report())
    before = draft.raw()
    with CaptureQueriesContext(connection) as queries:
        live(root, "base", points="7")
    assert all(query["sql"].startswith("SELECT") for query in queries)
    assert draft.raw() == before
    assert not LogEntry.objects.exists()


def test_each_rule_says_why_it_gives_or_does_not(root: Client) -> None:
    later = (timezone.now() + timedelta(days=9)).replace(microsecond=0)
    make_merchant()
    Merchant.objects.create(external_id="org-b", name="Paper Lantern")
    load(
        rule("elsewhere", group="bonus", when={"merchants": ["org-b"]}),
        rule("sunday", group="bonus", when={"weekdays": ["sunday"]}),
        rule("soon", group="bonus", when={"starts_at": later.isoformat()}),
        rule("lamps", group="bonus", items={"categories": ["LIGHTING"]}),
        rule("first", label="Number one"),
        rule("second"),
        time_zone="Europe/Madrid",
    )
    settle_reports(report())
    publish_draft(now=NOW)
    said = live(root, "second")["lines"]
    for because in (
        "Only shopping at Paper Lantern; this order: Lumen &amp; Oak",
        "Only on Sundays; this order: Tuesday",
        "this order: 10 November 2026, 13:00 (Europe/Madrid)",
        "Nothing that it counts is in this order.",
        "“Number one” comes first.",
        "1 per 1.00 of 91.00 USD",
    ):
        assert because in said
    assert later.isoformat()[:13] not in said


def test_the_rule_being_typed_is_marked(root: Client) -> None:
    publish_program(rule(), rule("bonus", group="bonus", reward=fixed("5")))
    settle_reports(report())
    said = live(root, "bonus", named="renamed", group="bonus", label_text="Mine")
    assert said["lines"].count("(this rule)") == 1
    assert "Mine <span" in said["lines"]
    assert "Bonus" not in said["lines"]


def test_the_latest_purchase_that_the_rule_is_for_is_tried(root: Client) -> None:
    publish_program(rule())
    other = report(order_id="btnorder-2", transaction_id="tx-2", merchant="org-b")
    settle_reports(report(), other)
    assert "btnorder-2" in live(root)["words"]
    assert "btnorder-1" in live(root, merchants=[MERCHANT])["words"]
    assert "btnorder-2" in live(root, merchants=["org-nobody"])["words"]


def test_a_declined_order_is_tried_only_when_asked_for(root: Client) -> None:
    publish_program(rule())
    gone = report(order_id="btnorder-2", transaction_id="tx-2", status="declined")
    settle_reports(report(), gone)
    assert "btnorder-1" in live(root)["words"]
    said = live(root, order="btnorder-2")
    assert "The store declined this order" in said["lines"]


@pytest.mark.parametrize("reference", ["btnorder-1", "tx-1", "WEB-1", " WEB-1 "])
def test_a_purchase_is_named_in_every_way(reference: str, root: Client) -> None:
    publish_program(rule())
    later = report(order_id="btnorder-2", transaction_id="tx-2")
    settle_reports(report(order_number="WEB-1"), later)
    assert "On order WEB-1 of" in live(root, order=reference)["words"]


def test_an_unknown_purchase_is_said_to_be_unknown(root: Client) -> None:
    load(rule())
    assert "is called tx-9." in live(root, "base", order="tx-9")["lines"]
    assert "No purchase was evaluated yet" in live(root, "base")["lines"]


def test_a_purchase_is_seen_with_the_facts_of_its_time(root: Client) -> None:
    make_member(segments=["gold"])
    publish_program(rule())
    settle_reports(report())
    put_member("alice", at=NOW, segments=["silver"])
    assert "182 points" in live(root, group="bonus", segments=["gold"])["words"]
    said = live(root, group="bonus", segments=["silver"])
    assert "Only in the segment silver; this order: gold" in said["lines"]


def test_a_made_up_order_has_what_staff_say(root: Client) -> None:
    make_merchant(categories=["HOME"])
    load(rule())
    typed = {
        "source": "made_up",
        "merchant": MERCHANT,
        "currency": "EUR",
        "total": "80",
        "lines": "LIGHTING: 45.00\n\nHOME: 35",
        "country": "ES",
        "channel": "app",
        "first": "on",
        "at": "2026-11-10T12:00",
    }
    conditions = {
        "merchant_categories": ["HOME"],
        "countries": ["ES"],
        "channels": ["app"],
        "first_purchase": "merchant",
        "order_categories": ["new-user-order"],
        "weekdays": ["tuesday"],
        "categories": ["lighting"],
    }
    said = live(root, "base", **typed, **conditions)
    assert "On a made-up order of €80.00 at Lumen &amp; Oak" in said["words"]
    assert "<strong>45 points</strong>" in said["words"]


@pytest.mark.parametrize(
    ("typed", "problem"),
    [
        ({"total": "1.005"}, "Order total: USD has 2 decimals at most."),
        ({"total": "much"}, "Order total: Enter a number."),
        ({"lines": "LIGHTING 45"}, "Items: Write a category, a colon, an amount"),
        ({"lines": "LIGHTING: NaN"}, "Items: "),
        ({"currency": "XXX"}, "Currency: "),
        ({"at": "yesterday"}, "When (UTC): "),
    ],
)
def test_an_order_that_can_not_be_is_refused(
    typed: dict[str, str], problem: str, root: Client
) -> None:
    load(rule())
    assert problem in live(root, "base", source="made_up", **typed)["lines"]


def test_a_limit_of_one_order_cuts_and_others_are_said_to_be_left_out(
    root: Client,
) -> None:
    publish_program(rule())
    settle_reports(report())
    said = live(root, "base", per_order="50")
    assert "with this draft <strong>50 points</strong>" in said["words"]
    assert "less than the 91 points it asks for" in said["lines"]
    assert "not counted here" not in said["lines"]
    assert "not counted here" in live(root, "base", budget="50")["lines"]


def test_an_expression_that_fails_gives_nothing_and_says_so(root: Client) -> None:
    publish_program(rule())
    settle_reports(report())
    said = live(root, "base", expression='items[0].category == "LIGHTING"')
    assert "with this draft" not in said["words"]
    assert "would wait for staff" in said["lines"]
    assert "“base”" in said["lines"]


def test_another_rules_fault_leaves_the_words(root: Client) -> None:
    load(rule(), rule("wrong"))
    Rule.objects.filter(key="wrong").update(reward=fixed("0"))
    said = live(root, "base")
    assert "Members get 1 point" in said["words"]
    assert "rule &quot;wrong&quot;: reward.points" in said["lines"]


def test_amounts_are_told_what_they_are_counted_in(root: Client) -> None:
    load(rule())
    cash = live(root, "base", unit="USD", currencies=["EUR"])
    assert cash["counted_in"] == {"unit": "USD", "money": "EUR", "per": "EUR"}
    both = live(root, "base", currencies=["EUR", "USD"], of="commission")
    assert both["counted_in"] == {"unit": "points", "money": "", "per": ""}


def test_a_preview_costs_no_query_for_each_rule(root: Client) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as counted:
            live(root, "base")
        return len(counted)

    publish_program(rule())
    settle_reports(report(lines=(LAMP,)), replace(report(), order_id="b-2"))
    before = queries()
    for n in range(6):
        one = Rule.objects.get(key="base")
        one.pk, one.key, one.when = None, f"more-{n}", {"merchants": [f"org-{n}"]}
        one.save()
    assert queries() == before


def test_only_who_writes_rules_may_ask() -> None:
    load(rule())
    viewer = client_of(make_staff("rewards.view_rule", "rewards.view_purchase"))
    assert viewer.post(LIVE, filled_in()).status_code == 403
    page = f"/admin/rewards/rule/{Rule.objects.get().pk}/change/"
    assert "restated" not in text_of(viewer.get(page))
    writer = client_of(make_staff("rewards.add_rule", username="writer"))
    assert writer.get(LIVE).status_code == 405
    assert writer.post(LIVE, filled_in()).status_code == 200


def test_purchases_are_for_those_who_may_see_them() -> None:
    publish_program(rule())
    settle_reports(report())
    writer = client_of(make_staff("rewards.change_rule"))
    for order in ("", "btnorder-1"):
        said = live(writer, "base", order=order)
        assert "You may not see purchases" in said["lines"]
        assert "91" not in said["words"] + said["lines"]
    assert "100 points" in live(writer, "base", source="made_up", total="100")["words"]


def test_points_per_amount_stay_exact(root: Client) -> None:
    publish_program(rule(reward=per_amount("1", "3")))
    settle_reports(report())
    assert "30 points" in live(root, "base", per="3")["words"]
