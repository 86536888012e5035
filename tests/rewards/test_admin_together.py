"""Queues decided about by the dozen: asked first, each for itself, nothing twice."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db.models import Model
from django.test import Client
from django.urls import reverse

from rewards import adjustments, decisions
from rewards.admin import together
from rewards.models import Adjustment, Decision, Member, Message, Purchase, Unit
from tests.builders import (
    NOW,
    ORDERED,
    balances,
    make_click,
    make_endpoint,
    make_member,
    make_merchant,
    publish_program,
    report,
    settle_reports,
)
from tests.rewards.sending import tell
from tests.staff import (
    became,
    client_of,
    confirm,
    count_queries,
    make_staff,
    make_superuser,
    text_of,
)

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
RESOLVED = "The review is resolved; the purchase is declined."


def url(name: str) -> str:
    return reverse(f"admin:rewards_{name}_changelist")


def tick(action: str, *rows: Model) -> dict[str, Any]:
    return {"action": action, "_selected_action": [row.pk for row in rows]}


@pytest.fixture
def root() -> Client:
    return client_of(make_superuser())


def in_review(*names: str) -> list[Purchase]:
    """Orders that were validated, and then declined."""
    publish_program()
    for name in names:
        of = {"order_id": name, "transaction_id": f"tx-{name}"}
        settle_reports(report(status="validated", **of))
        later = ORDERED + HOUR
        settle_reports(report(status="declined", modified_at=later, **of))
    return [Purchase.objects.get(order_key=name) for name in names]


def test_reviews_end_as_the_newest_final_report_says(root: Client) -> None:
    rows = in_review("one", "two")
    ticked = tick("resolve_selected", *rows)
    asked = text_of(root.post(url("purchase"), ticked))
    assert asked.count("becomes declined, order $91.00, commission $4.55.") == 2
    assert not Decision.objects.exists()
    done = confirm(root, url("purchase"), ticked, reason="All were sent back.")
    assert became(done) == [RESOLVED, RESOLVED]
    assert balances() == {}
    assert Decision.objects.filter(reason="All were sent back.").count() == 2
    assert LogEntry.objects.count() == 2


def test_it_takes_a_reason(root: Client) -> None:
    rows = in_review("one")
    ticked = tick("resolve_selected", *rows)
    page = confirm(root, url("purchase"), ticked, reason=" ")
    assert "This field is required." in text_of(page)
    assert not Decision.objects.exists()


def test_the_second_of_two_people_is_told_row_by_row(root: Client) -> None:
    one, two = in_review("one", "two")
    ticked = tick("resolve_selected", one, two)
    seen = [row.token for row in root.post(url("purchase"), ticked).context["planned"]]
    declined = one.reports.get(status="declined")
    decisions.resolve(one, report=declined, reason="First.", by=None, at=NOW)
    late = {"confirmed": "yes", "planned": seen, "reason": "Second."}
    done = root.post(f"{url('purchase')}?attention=review", {**ticked, **late})
    assert became(done) == ["It is not in review.", RESOLVED]
    assert "1 of 2 done." in text_of(done)
    assert Decision.objects.filter(purchase=one).count() == 1


def test_between_the_look_and_the_lock_nothing_is_accepted_twice() -> None:
    one, two = in_review("one", "two")
    clerk = make_staff()
    newest = decisions.newest_final([one, two])
    by = {"reason": "x", "by": clerk, "at": NOW}
    stale = Purchase.objects.get(pk=one.pk)
    decisions.resolve_newest(one, report=newest[one.pk], **by)
    with pytest.raises(decisions.Refused, match="not in review any more"):
        decisions.resolve_newest(stale, report=newest[one.pk], **by)
    of = {"order_id": "two", "transaction_id": "tx-two"}
    settle_reports(report(status="validated", modified_at=ORDERED + 2 * HOUR, **of))
    with pytest.raises(decisions.Refused, match="newer final report"):
        decisions.resolve_newest(two, report=newest[two.pk], **by)
    assert Decision.objects.count() == 1


def test_what_has_changed_since_the_look_is_left_alone(root: Client) -> None:
    (one,) = in_review("one")
    ticked = tick("resolve_selected", one)
    seen = [row.token for row in root.post(url("purchase"), ticked).context["planned"]]
    of = {"order_id": "one", "transaction_id": "tx-one", "order_total": 5000}
    settle_reports(report(status="validated", modified_at=ORDERED + 2 * HOUR, **of))
    sent = {**ticked, "confirmed": "yes", "planned": seen, "reason": "x"}
    (told,) = became(root.post(url("purchase"), sent))
    assert told.startswith("It has changed since you looked: becomes validated")
    assert not Decision.objects.exists()


def test_one_that_fails_stops_none_and_is_told_first(
    root: Client, monkeypatch: Any
) -> None:
    one, two = in_review("one", "two")
    resolve = decisions.resolve

    def fail(purchase: Purchase, **said: Any) -> Any:
        if purchase == one:
            raise ZeroDivisionError
        return resolve(purchase, **said)

    monkeypatch.setattr(decisions, "resolve", fail)
    ticked = tick("resolve_selected", one, two)
    done = confirm(root, url("purchase"), ticked, reason="x")
    assert became(done)[0].startswith("It failed, and nothing was done")
    assert became(done)[1] == RESOLVED


def test_nobodys_go_to_who_is_suggested(root: Client) -> None:
    publish_program()
    store = make_merchant()
    for name, who in (("one", "bob"), ("two", "carol")):
        make_member(who)
        left = ORDERED - HOUR * (2 if who == "bob" else 50)
        make_click(store, customer_id=who, clicked_at=left)
        at = ORDERED - HOUR * (0 if who == "bob" else 40)
        of = {"order_id": name, "transaction_id": name, "attributed_at": at}
        settle_reports(report(customer_id="", **of))
    at = ORDERED - timedelta(days=100)
    of = {"order_id": "lost", "transaction_id": "lost", "attributed_at": at}
    settle_reports(report(customer_id="", **of))
    ticked = tick("assign_selected", *Purchase.objects.all())
    asked = text_of(root.post(url("purchase"), ticked))
    assert "goes to bob." in asked
    assert "No member visited this store in the week before" in asked
    done = confirm(root, url("purchase"), ticked, reason="By their visits.")
    assert became(done)[1:] == [
        "The purchase belongs to bob now.",
        "The purchase belongs to carol now.",
    ]
    assert balances("bob") == balances("carol") == {("points", "pending"): 91}
    assert Purchase.objects.filter(member=None).count() == 1


def waiting(*who: str, by: Any) -> list[Adjustment]:
    publish_program()
    points = Unit.objects.get(code="points")
    return [
        Adjustment.objects.create(
            member=make_member(name),
            unit=points,
            amount=500,
            note="Sorry.",
            needs_approval=True,
            asked_by=by,
            asked_at=NOW,
        )
        for name in who
    ]


def test_adjustments_are_approved_but_never_ones_own(root: Client) -> None:
    asker = make_staff(username="asker")
    boss = make_superuser("boss")
    theirs = waiting("alice", "bob", by=asker)
    own = waiting("carol", by=boss)
    Member.objects.filter(customer_id="bob").update(user=boss)
    ticked = tick("approve_selected", *theirs, *own)
    clerk = client_of(boss)
    done = confirm(clerk, url("adjustment"), ticked)
    assert [row.said for row in clerk.post(url("adjustment"), ticked).context["idle"]]
    mine = "It is your own: somebody else must decide."
    assert became(done) == [mine, mine, "Approved and posted."]
    assert balances("alice") == {("points", "available"): 500}
    assert balances("bob") == balances("carol") == {}
    assert "posted" in became(confirm(root, url("adjustment"), ticked))[0]


def test_an_adjustment_approved_by_another_meanwhile_is_told(root: Client) -> None:
    (one,) = waiting("alice", by=make_staff(username="asker"))
    ticked = tick("approve_selected", one)
    seen = [r.token for r in root.post(url("adjustment"), ticked).context["planned"]]
    adjustments.approve(one, by=make_superuser("other"), at=NOW)
    sent = {**ticked, "confirmed": "yes", "planned": seen}
    assert became(root.post(url("adjustment"), sent)) == ["It is posted."]
    assert balances() == {("points", "available"): 500}


def test_a_message_that_was_sent_meanwhile_is_not_sent_again(root: Client) -> None:
    make_endpoint()
    tell()
    Message.objects.update(state="failed")
    ticked = tick("send_selected_again", *Message.objects.all())
    seen = [row.token for row in root.post(url("message"), ticked).context["planned"]]
    Message.objects.update(state="sent")
    sent = {**ticked, "confirmed": "yes", "planned": seen}
    (told,) = became(root.post(url("message"), sent))
    assert told.startswith("It has changed since you looked")
    assert Message.objects.get().state == "sent"


@pytest.mark.parametrize("ids", [["x"], ["9" * 30], [""], ["-1"], ["1 OR 1=1"]])
def test_ids_that_are_none_tick_nothing(ids: list[str], root: Client) -> None:
    in_review("one")
    ticked = {"action": "resolve_selected", "_selected_action": ids}
    page = root.post(url("purchase"), ticked)
    assert page.status_code == 400
    assert not Decision.objects.exists()


def test_select_all_stays_within_what_a_page_holds(
    root: Client, monkeypatch: Any
) -> None:
    rows = in_review("one", "two", "three")
    monkeypatch.setattr(together, "MOST", 2)
    ticked = {**tick("resolve_selected", *rows), "select_across": 1}
    assert len(root.post(url("purchase"), ticked).context["planned"]) == 2


LISTS: dict[str, Callable[[], Any]] = {
    "purchase": lambda: tick("resolve_selected", *in_review("one")),
    "adjustment": lambda: tick("approve_selected", *waiting("a", by=make_staff())),
}


@pytest.mark.parametrize("name", LISTS)
def test_who_may_only_look_decides_nothing(name: str) -> None:
    ticked = LISTS[name]()
    looks = client_of(make_staff(f"rewards.view_{name}", username="looks"))
    assert looks.get(url(name)).status_code == 200
    sent = {**ticked, "confirmed": "yes", "reason": "x"}
    assert looks.post(url(name), sent).status_code == 403
    assert not Decision.objects.exists()
    assert not Adjustment.objects.filter(state="posted").exists()


def test_the_lists_cost_the_same_with_many_rows(root: Client) -> None:
    in_review("one")
    few = count_queries(root, url("purchase"))
    in_review("two", "three", "four")
    assert count_queries(root, url("purchase")) == few
