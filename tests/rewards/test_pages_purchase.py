"""One purchase: its state, how it came about, and why it earned what it did."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.translation import override

from rewards.decisions import assign, resolve
from rewards.models import Report
from rewards.pages.labels import in_language
from rewards.reports import LineItem
from rewards.settling.due import settle_without_edition
from tests.builders import (
    NOW,
    ORDERED,
    fixed,
    make_member,
    per_amount,
    publish_program,
    purchase,
    report,
    rule,
    settle_reports,
    share,
)
from tests.rewards.visitors import sign_in, text_of

pytestmark = pytest.mark.django_db
LATER = ORDERED + timedelta(hours=1)
LAMP = LineItem(description="Desk lamp", quantity=2, amount=2500, total=5000)
SHADE = LineItem(description="Shade", quantity=1, amount=4100, total=4100)


def get_page(customer_id="alice", key="btnorder-1"):
    return sign_in(customer_id).get(f"/activity/{purchase(key).pk}/")


def read_page(**kwargs) -> str:
    return text_of(get_page(**kwargs))


def entries(**kwargs) -> list[str]:
    context = get_page(**kwargs).context
    return [f"{entry.title}: {entry.sentence}".strip() for entry in context["entries"]]


def test_a_purchase_shows_order_reward_and_state():
    publish_program()
    settle_reports(report(order_number="WEB-88120", lines=(LAMP, SHADE)))
    said = read_page()
    assert "Order of $91.00 · Nov. 10, 2026 Pending Reward: 91 points" in said
    assert "Desk lamp × 2 $50.00 Shade $41.00 Total $91.00" in said
    assert "Order number WEB-88120 Reference btnorder-1 Expected not final yet" in said


def test_another_members_purchase_is_not_there():
    publish_program()
    settle_reports(report())
    answer = get_page(customer_id="bob")
    assert answer.status_code == 404
    assert "Lumen" not in answer.content.decode()


@pytest.mark.parametrize("path", ["0/", "7/", "9" * 30 + "/", "x/"])
def test_a_purchase_that_nobody_made_is_not_there(path):
    assert sign_in("alice").get(f"/activity/{path}").status_code == 404


def test_an_app_install_is_no_purchase():
    settle_reports(report(category="app-install"))
    assert get_page().status_code == 404


def test_a_stranger_is_asked_to_sign_in(client):
    settle_reports(report())
    answer = client.get(f"/activity/{purchase().pk}/")
    assert answer.headers["Location"].startswith("/sign-in/?next=/activity/")


def test_the_timeline_tells_every_report_in_words():
    publish_program(rule(), rule("half", unit="USD", reward=share("50")))
    settle_reports(report(lines=(LAMP, SHADE)))
    less = {"order_total": 5000, "commission": 250, "lines": (LAMP,)}
    settle_reports(report(**less, modified_at=LATER))
    settle_reports(report(**less, modified_at=NOW, status="validated"))
    said = [line.replace("\xa0", " ") for line in entries()]
    assert said == [
        "Pending: The store told us about your order."
        " Your reward: 91 points and $2.27.",
        "Updated: The store changed your order: Shade removed."
        " 91 points is now 50 points. $2.27 is now $1.25.",
        "Available: The store confirmed your order. Your reward stays the same.",
    ]


def test_a_declined_order_says_what_is_gone():
    publish_program()
    settle_reports(report())
    settle_reports(report(status="declined", modified_at=LATER))
    assert entries()[1].replace("\xa0", " ") == (
        "Declined: The store did not accept this order. 91 points is now 0 points."
    )
    said = read_page()
    assert "The store did not accept the order, so it earns nothing." in said
    assert "Usual reasons" in said


def test_reports_of_one_batch_are_told_apart():
    publish_program()
    settle_reports(report(), report(status="validated", modified_at=LATER))
    said = [line.replace("\xa0", " ") for line in entries()]
    assert said == [
        "Pending: The store told us about your order.",
        "Available: The store confirmed your order. Your reward: 91 points.",
    ]


def test_a_late_older_report_is_told_as_no_change():
    publish_program()
    settle_reports(report(modified_at=LATER))
    settle_reports(report(order_total=100))
    assert entries()[1].startswith("No change: An earlier report arrived late.")


def test_when_we_learned_it_is_shown_not_when_it_happened():
    publish_program()
    settle_reports(report(), at=NOW)
    [entry] = get_page().context["entries"]
    assert entry.at == NOW


def test_a_contradiction_is_being_checked_and_then_checked():
    publish_program()
    settle_reports(report(status="validated"))
    settle_reports(report(status="declined", modified_at=LATER))
    assert entries()[1].startswith("Being checked: ")
    assert "We are checking this order" in read_page()
    declined = Report.objects.get(status="declined")
    resolve(purchase(), report=declined, reason="returned", by=None, at=NOW)
    assert entries()[2].replace("\xa0", " ") == (
        "Checked: We looked at this order. 91 points is now 0 points."
    )
    assert "We are checking" not in read_page()


def test_a_purchase_given_to_a_member_keeps_the_others_reward_private():
    publish_program()
    settle_reports(report())
    bob = make_member("bob")
    assign(purchase(), member=bob, reason="asked", by=None, at=NOW)
    said = [line.replace("\xa0", " ") for line in entries(customer_id="bob")]
    assert said == [
        "Pending: The store told us about your order.",
        "Checked: We looked at this order. Your reward: 91 points.",
    ]
    assert get_page(customer_id="alice").status_code == 404


def test_a_reward_worked_out_later_has_its_own_entry():
    settle_reports(report())
    assert "No rules hold for the time of this order yet." in read_page()
    publish_program()
    settle_without_edition(at=NOW)
    assert entries()[1].replace("\xa0", " ") == (
        "Reward: We worked it out. Your reward: 91 points."
    )


def test_why_is_told_with_the_arithmetic():
    publish_program(
        rule(label="1 point per dollar"),
        rule("tenth", group="bonus", label="A tenth", reward=per_amount("0.1")),
        rule("half", unit="USD", label="Half back", reward=share("50")),
    )
    settle_reports(report())
    said = read_page()
    assert (
        "1 point per dollar 91 points 1 point for each $1.00 of your order of $91.00."
    ) in said
    assert (
        "A tenth 9 points 0.1 points for each $1.00 of your order of $91.00,"
        " rounded down."
    ) in said
    assert (
        "Half back $2.27 A share of what the store pays us for your order,"
        " rounded down."
    ) in said
    assert (
        "By edition 1 of our rules, which held on Nov. 10, 2026, when you ordered."
    ) in said


@pytest.mark.parametrize(
    ("when", "reason"),
    [
        (
            {"currencies": ["GBP", "EUR"]},
            "It is for orders in EUR or GBP; this one is in USD.",
        ),
        (
            {"currencies": ["USD"], "min_order_total": "100"},
            "It is for orders of at least $100.00; this one is $91.00.",
        ),
        (
            {"currencies": ["USD"], "max_order_total": "90.999"},
            "It is for orders of at most 90.999 USD; this one is $91.00.",
        ),
        (
            {"ends_at": "2026-11-01T00:00:00+00:00"},
            "It is for orders before 1 November 2026, 00:00 (UTC);"
            " this one is of 10 November 2026, 12:00 (UTC).",
        ),
    ],
)
def test_a_rule_that_gave_nothing_says_what_it_asks_and_what_it_found(when, reason):
    publish_program(rule(), rule("other", group="bonus", when=when))
    settle_reports(report())
    assert f"Other {reason}" in read_page()


def test_a_rule_that_stood_back_says_so():
    publish_program(rule("first"), rule("second"))
    settle_reports(report())
    assert "Second “First” counts in its place." in read_page()


def test_a_rule_that_matched_for_nothing_says_so():
    publish_program(rule(), rule("bonus", group="bonus", reward=fixed("5")))
    settle_reports(report(order_total=0))
    assert "Bonus It gives nothing for this order." in read_page()


@pytest.mark.parametrize(
    "when",
    [{"merchants": ["org-elsewhere"]}, {"starts_at": "2027-01-01T00:00:00+00:00"}],
)
def test_other_stores_and_what_is_yet_to_come_are_not_told(when):
    publish_program(rule(), rule("secret", group="bonus", when=when))
    settle_reports(report())
    assert "Secret" not in read_page()


@pytest.mark.parametrize(
    ("language", "label", "said"),
    [
        ("en", "Plain", "Plain"),
        ("es", {"en": "Lamps", "es": "Lámparas"}, "Lámparas"),
        ("es-mx", {"en": "Lamps", "es": "Lámparas"}, "Lámparas"),
        ("de", {"en": "Lamps", "es": "Lámparas"}, "Lamps"),
        ("de", {"fr": "Lampes", "es": "Lámparas"}, "Lampes"),
    ],
)
def test_a_label_is_in_the_readers_language(language, label, said):
    with override(language):
        assert in_language(label) == said


@pytest.mark.parametrize("number", [1, 12])
def test_a_long_history_asks_no_more_than_a_short_one(number):
    publish_program(rule(), rule("elsewhere", when={"merchants": ["org-1"]}))
    for n in range(number):
        settle_reports(
            report(order_total=9100 - n, modified_at=ORDERED + timedelta(hours=n))
        )
    client, path = sign_in("alice"), f"/activity/{purchase().pk}/"
    client.get(path)  # compiles the edition
    with CaptureQueriesContext(connection) as queries:
        client.get(path)
    assert len(queries) == 14
