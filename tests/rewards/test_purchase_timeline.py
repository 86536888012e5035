"""The list of everything that happened to a purchase: one line answers one question."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from rewards import decisions
from rewards.admin.purchase_timeline import Line, timeline
from rewards.settling.due import settle_due
from tests.builders import (
    NOW,
    ORDERED,
    make_click,
    make_member,
    publish_program,
    purchase,
    report,
    rule,
    settle_reports,
)
from tests.staff import client_of, make_staff, make_superuser

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


def lines(customer: str = "root") -> list[Line]:
    return list(timeline(purchase(), by=make_superuser(customer)).lines)


def words(line: Line) -> str:
    return " ".join(map(str, line.said)).replace("\u00a0", " ")


def change(line: Line) -> str:
    return line.change.replace("\u00a0", " ")


def test_one_line_says_why_pending_dropped() -> None:
    publish_program()
    settle_reports(report(order_total=60000, commission=3000))
    changed = report(order_total=40000, commission=2000, modified_at=ORDERED + HOUR)
    settle_reports(changed, source="poll", at=NOW + HOUR)
    first, second = lines()
    assert (change(first), change(second)) == ("600 points", "600 points → 400 points")
    assert second.title == "Reported: pending (this holds)"
    told = words(second)
    assert "tx-1: order $400.00, commission $20.00" in told
    assert "Changed at the network Nov. 10, 2026, 1 p.m." in told
    assert "Learned by poll, Nov. 20, 2026, 1 p.m." in told
    assert "200 points" in told
    assert "It belongs to alice. Edition 1 holds." in words(first)
    assert (first.at, second.at) == (NOW, NOW + HOUR)


def test_a_late_report_is_listed_and_changes_nothing() -> None:
    publish_program()
    settle_reports(report(order_total=40000, modified_at=ORDERED + HOUR))
    settle_reports(report(order_total=60000), at=NOW + HOUR)
    first, late = lines()
    assert "holds" in first.title
    assert (late.title, late.change) == ("Reported: pending", "")


def test_of_one_batch_the_report_that_holds_carries_the_change() -> None:
    publish_program()
    settle_reports(
        report(order_total=40000, modified_at=ORDERED + HOUR), report(order_total=60000)
    )
    late, holds = lines()
    assert (late.change, change(holds)) == ("", "400 points")


def test_decisions_say_what_why_and_by_whom() -> None:
    publish_program()
    settle_reports(report())
    bob, clerk = make_member("bob"), make_staff()
    at = NOW + HOUR
    decisions.assign(purchase(), member=bob, reason="His mail.", by=clerk, at=at)
    _, decided = lines()
    assert decided.title == "Assigned to a member: bob"
    assert "“His mail.” Decided by clerk" in words(decided)
    assert "It belongs to bob, no longer to alice." in words(decided)


def test_a_review_and_its_end_are_told() -> None:
    publish_program()
    settle_reports(report(status="validated"))
    settle_reports(report(status="declined", modified_at=ORDERED + HOUR), at=NOW + HOUR)
    declined = purchase().reports.get(status="declined")
    decisions.resolve(
        purchase(), report=declined, reason="Sent back.", by=None, at=NOW + 2 * HOUR
    )
    _, review, resolved = lines()
    assert "It went into review." in words(review)
    assert "The review ended." in words(resolved)
    assert change(resolved) == "91 points → 0 points"


def test_the_end_of_a_hold_is_the_work_of_time() -> None:
    publish_program(rule(hold_days=1))
    settle_reports(report(status="validated", validated_at=NOW), at=NOW)
    settle_due(at=NOW + timedelta(days=2))
    _, released = lines()
    assert "No report and no decision" in words(released)
    assert change(released) == "91 points"


def test_the_visit_stands_first_with_what_was_promised() -> None:
    publish_program()
    promised = {"unit": "points", "amount": 350, "per": 10000, "currency": "USD"}
    shown = {"headline": [{**promised, "of": "order_total"}], "up_to": True}
    click = make_click(clicked_at=ORDERED - HOUR, shown=shown)
    settle_reports(report(click_reference=click.reference))
    visit, _ = lines()
    assert visit.at == ORDERED - HOUR
    assert "Promised: up to 350 points on an order of $100.00" in words(visit)
    assert f"/admin/merchants/click/{click.pk}/change/" in words(visit)
    stranger = make_staff("rewards.view_purchase")
    own = timeline(purchase(), by=stranger).lines[0]
    assert "/admin/merchants" not in words(own)


def test_many_reports_cost_no_more_queries_and_are_cut(
    django_assert_max_num_queries: Any,
) -> None:
    publish_program()
    for n in range(101):
        changed = ORDERED + timedelta(seconds=n)
        settle_reports(report(order_total=9100 + n, modified_at=changed))
    root = make_superuser()
    own = purchase()
    with django_assert_max_num_queries(10):
        found = timeline(own, by=root)
    assert found.cut
    assert len(found.lines) == 100
    assert "$92.00" in words(found.lines[-1])


def test_the_page_shows_it(client: Client) -> None:
    publish_program()
    settle_reports(report(order_total=60000))
    settle_reports(report(order_total=40000, modified_at=ORDERED + HOUR))
    url = reverse("admin:rewards_purchase_change", args=[purchase().pk])
    page = client_of(make_superuser()).get(url).content.decode()
    assert "600\u00a0points → 400\u00a0points" in page
