"""Publishing in the admin: what is shown before, and who may do what."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client, override_settings
from django.urls import reverse
from django.utils import timezone

from rewards import approvals, backtests
from rewards.backtests.running import run
from rewards.models import Approval, Backtest, Edition, Program, Rule
from rewards.program import draft, editions, vocabulary
from tests.builders import (
    MERCHANT,
    fixed,
    make_merchant,
    program,
    publish_program,
    report,
    rule,
    settle_reports,
)
from tests.staff import (
    client_of,
    count_queries,
    make_staff,
    make_superuser,
    said,
    text_of,
)

pytestmark = pytest.mark.django_db
LIST = "/admin/rewards/edition/"
PUBLISH, RETIRE = f"{LIST}publish/", f"{LIST}retire/"
ASK = f"{PUBLISH}ask-approval/"
NOW_EMPTY = {"note": "", "at_0": "", "at_1": ""}


@pytest.fixture
def root() -> Client:
    return client_of(make_superuser())


@pytest.fixture
def bob() -> User:
    return make_staff("rewards.add_edition", "rewards.view_edition", username="bob")


def load(*rules: dict[str, Any], **changes: Any) -> None:
    draft.replace(vocabulary.parse(program(*rules) | changes))


def approve_page(approval: Approval) -> str:
    return reverse("admin:rewards_edition_approve", args=[approval.pk])


def page_of(edition: Edition) -> str:
    return reverse("admin:rewards_edition_change", args=[edition.pk])


def make_backtest() -> Backtest:
    """Of the draft as it stands, finished."""
    backtest = backtests.ask(draft.export(), at=timezone.now())
    run(backtest)
    backtest.refresh_from_db()
    assert backtest.finished_at
    return backtest


def test_what_changes_is_said_before_publishing(root: Client) -> None:
    make_merchant()
    publish_program(rule(when={"merchants": [MERCHANT]}))
    load(rule(when={"merchants": [MERCHANT]}, reward=fixed("5")))
    text = text_of(root.get(PUBLISH))
    assert (
        "Members shopping at Lumen &amp; Oak get 5 points an order instead of" in text
    )


def test_what_to_look_at_is_said_with_a_link_to_the_rule(root: Client) -> None:
    load(rule("a"), rule("b"))
    text = text_of(root.get(PUBLISH))
    page = reverse("admin:rewards_rule_change", args=[Rule.objects.get(key="b").pk])
    assert f'href="{page}"' in text
    assert "It never pays: wherever it holds, “a” wins." in text
    assert text.index("It never pays") < text.index("1 notice")


def test_more_rules_and_orders_cost_no_more_queries(root: Client) -> None:
    make_merchant()
    at_oak = [rule(f"r{n}", when={"merchants": [MERCHANT]}) for n in range(9)]
    load(*at_oak[:2])
    settle_reports(report())
    few = count_queries(root, PUBLISH)
    load(*at_oak)
    settle_reports(report(order_id="btnorder-2", transaction_id="tx-2"))
    assert count_queries(root, PUBLISH) == few


def test_a_draft_edited_behind_ones_back_is_not_published(root: Client) -> None:
    load(rule())
    shown = re.search(r'name="shown" value="(\w+)"', text_of(root.get(PUBLISH)))
    Rule.objects.update(label="Edited by somebody else")
    said = text_of(root.post(PUBLISH, {**NOW_EMPTY, "shown": shown[1]}))
    assert "The draft was edited since you opened this page" in said
    assert not Edition.objects.exists()
    Rule.objects.update(label="Base")
    root.post(PUBLISH, {**NOW_EMPTY, "shown": shown[1]})
    assert Edition.objects.exists()


def test_a_backtest_that_is_missing_outdated_or_done(root: Client) -> None:
    load(rule())
    start = reverse("admin:rewards_backtest_try_draft")
    text = text_of(root.get(PUBLISH))
    assert "Nobody has tried this draft" in text
    assert start in text
    backtest = make_backtest()
    text = text_of(root.get(PUBLISH))
    assert "Exactly this draft was tried" in text
    assert reverse("admin:rewards_backtest_change", args=[backtest.pk]) in text
    assert start not in text
    Rule.objects.update(label="Edited")
    assert "is older than the last edit" in text_of(root.get(PUBLISH))


@override_settings(REQUIRE_BACKTEST=True)
def test_publishing_is_refused_without_a_backtest(root: Client) -> None:
    load(rule())
    assert "Publishing is refused without it." in text_of(root.get(PUBLISH))
    assert "REQUIRE_BACKTEST is on" in text_of(root.post(PUBLISH, NOW_EMPTY))
    assert not Edition.objects.exists()
    backtest = make_backtest()
    root.post(PUBLISH, NOW_EMPTY)
    edition = Edition.objects.get()
    assert edition.backtest == backtest
    assert str(backtest) in text_of(root.get(page_of(edition)))


@override_settings(REQUIRE_APPROVAL=True)
def test_two_people_publish(root: Client, bob: User) -> None:
    load(rule())
    assert ASK in text_of(root.get(PUBLISH))
    assert "nobody has approved" in text_of(root.post(PUBLISH, NOW_EMPTY))
    root.post(ASK, {"note": "For December."})
    page = approve_page(Approval.objects.get())
    assert page not in text_of(root.get(PUBLISH))
    assert "a second person approves" in text_of(root.post(page))
    other = client_of(bob)
    assert page in text_of(other.get(PUBLISH))
    assert "root asks: For December." in text_of(other.get(page))
    answer = other.post(page, follow=True)
    assert said(answer) == ["The draft is approved as it stands."]
    assert "bob approved it" in text_of(root.get(PUBLISH))
    root.post(PUBLISH, NOW_EMPTY)
    edition = Edition.objects.get()
    assert edition.approval is not None
    assert "bob" in text_of(root.get(page_of(edition)))


def test_who_edited_in_the_admin_is_told_so(root: Client, bob: User) -> None:
    load(rule())
    editor = make_staff("rewards.add_edition", "rewards.change_program", username="eve")
    zone = reverse("admin:rewards_program_change", args=[Program.load().pk])
    client_of(editor).post(zone, {"time_zone": "Europe/Madrid"})
    approval = approvals.ask(by=bob, note="", at=timezone.now())
    answer = client_of(editor).post(approve_page(approval))
    assert "You edited the draft" in text_of(answer)


def test_who_may_not_publish_neither_asks_nor_approves(bob: User) -> None:
    load(rule())
    approval = approvals.ask(by=bob, note="", at=timezone.now())
    clerk = client_of(make_staff("rewards.view_edition", "rewards.change_edition"))
    for url in (PUBLISH, RETIRE, ASK, approve_page(approval)):
        assert clerk.get(url).status_code == 403
        assert clerk.post(url, {}).status_code == 403
    assert Approval.objects.get().approved_at is None


def test_an_approval_that_does_not_exist_is_not_found(root: Client) -> None:
    assert root.get(f"{PUBLISH}approve/99/").status_code == 404


def at(date: str, time: str, zone: str) -> dict[str, str]:
    return {"note": "", "at_0": date, "at_1": time, "zone": zone}


def test_an_edition_begins_by_the_clocks_of_a_place(root: Client) -> None:
    publish_program(rule())
    load(rule(reward=fixed("5")))
    root.post(PUBLISH, at("2099-12-01", "00:00", "America/New_York"))
    start = Edition.objects.get(number=2).effective_from
    assert start == datetime(2099, 12, 1, 5, tzinfo=UTC)


def test_the_programs_own_time_zone_is_offered(root: Client) -> None:
    publish_program(rule())
    load(rule(reward=fixed("5")), time_zone="Europe/Madrid")
    assert root.get(PUBLISH).context["form"]["zone"].value() == "Europe/Madrid"
    root.post(PUBLISH, at("2099-12-01", "00:00", ""))
    start = Edition.objects.get(number=2).effective_from
    assert start == datetime(2099, 11, 30, 23, tzinfo=UTC)
    assert "1 December 2099, 00:00 (Europe/Madrid)" in text_of(root.get(LIST))


@pytest.mark.parametrize(
    ("date", "time", "told"),
    [
        ("2030-03-10", "02:30", "skip 10 March 2030, 02:30"),
        ("2030-11-03", "01:30", "3 November 2030, 05:30 is the first"),
    ],
)
def test_times_that_clocks_skip_or_show_twice_are_refused(
    date: str, time: str, told: str, root: Client
) -> None:
    publish_program(rule())
    load(rule(reward=fixed("5")))
    answer = root.post(PUBLISH, at(date, time, "America/New_York"))
    assert told in text_of(answer)
    assert Edition.objects.count() == 1
    root.post(PUBLISH, at("2030-11-03", "05:30", "UTC"))
    assert Edition.objects.count() == 2


def test_an_edition_says_what_it_changed(root: Client) -> None:
    first = publish_program(rule())
    second = publish_program(rule(reward=fixed("5")))
    text = text_of(root.get(page_of(second)))
    assert "What it changed against Edition 1" in text
    assert "Members get 5 points an order instead of" in text
    assert "What it changed" not in text_of(root.get(page_of(first)))


def test_the_program_is_ended(root: Client) -> None:
    publish_program(rule())
    assert "orders made from then on earn" in text_of(root.get(RETIRE))
    answer = root.post(RETIRE, NOW_EMPTY, follow=True)
    assert "on earn nothing." in said(answer)[0]
    ended = Edition.objects.get(number=2)
    text = text_of(root.get(page_of(ended)))
    assert "Gone: Members get 1 point" in text
    assert "under it orders earn nothing" in text
    assert "no program to end" in text_of(root.post(RETIRE, NOW_EMPTY))


def test_states_are_said_in_words(root: Client) -> None:
    now = timezone.now()
    days = timedelta(days=1)
    publish_program(rule(), now=now - 9 * days)
    editions.withdraw(publish_program(now=now - 8 * days, at=now), now=now - 8 * days)
    editions.retire(now=now - 7 * days)
    assert states(root) == ["retired", "withdrawn", "past"]
    publish_program(now=now - 6 * days)
    editions.retire(now=now, at=now + days)
    assert states(root) == ["scheduled", "holds", "past", "withdrawn", "past"]


def states(root: Client) -> list[str]:
    """As the list shows them, newest first."""
    words = "holds|scheduled|past|withdrawn|retired"
    return re.findall(rf">\s*({words})\s*<", text_of(root.get(LIST)))
