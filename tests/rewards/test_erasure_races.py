"""Erasing while somebody settles: neither misses the other."""

from collections.abc import Callable
from datetime import UTC, datetime
from threading import Event, Thread
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from merchants import clicks
from merchants.models import Click
from rewards.members import put_member
from rewards.models import Account, Member, Purchase, Tombstone
from rewards.outbox import recording, sending
from rewards.privacy import erasure
from rewards.privacy.erasure import erase
from rewards.redemptions import fulfilment
from rewards.settling import settlement
from tests.builders import (
    MERCHANT,
    NOW,
    make_api_key,
    make_member,
    make_merchant,
    publish_program,
    report,
    rule,
    settle_reports,
)
from tests.rewards.departures import found
from tests.rewards.redeemers import violations
from tests.rewards.sending import call_of, redeem_by_call
from tests.rewards.visitors import sign_in

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(
        connection.vendor != "postgresql", reason="SQLite has one writer."
    ),
]

PERSON = "mbr_Zq81xk"


def begin(work: Callable[[], Any]) -> Thread:
    """Work on a connection of its own."""

    def run() -> None:
        try:
            work()
        finally:
            connection.close()

    thread = Thread(target=run)
    thread.start()
    return thread


def pause(
    monkeypatch: pytest.MonkeyPatch, module: Any, name: str
) -> tuple[Event, Event]:
    """Have whoever comes by that function wait: (has come, may go on)."""
    come, go_on = Event(), Event()
    inner = getattr(module, name)

    def waiting(*args: Any, **kwargs: Any) -> Any:
        come.set()
        assert go_on.wait(20)
        return inner(*args, **kwargs)

    monkeypatch.setattr(module, name, waiting)
    return come, go_on


def order() -> None:
    settle_reports(report(customer_id=PERSON, status="validated"))


@pytest.fixture
def member() -> Member:
    publish_program(rule())
    return make_member(PERSON, email="zoe@mail.example")


def gone() -> None:
    assert found(PERSON, "zoe@mail.example") == []
    assert Tombstone.objects.count() == 1
    assert not Account.objects.filter(member__isnull=False).exclude(balance=0).exists()
    assert violations() == {}


def test_an_order_being_settled_is_erased_with_the_rest(
    member: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    come, go_on = pause(monkeypatch, settlement, "_write_awards")
    settling = begin(order)
    assert come.wait(20)
    monkeypatch.undo()
    erasing = begin(lambda: erase(member, by=None, at=datetime.now(UTC)))
    erasing.join(0.3)
    assert erasing.is_alive(), "it waits for the order"
    go_on.set()
    settling.join()
    erasing.join()
    assert Purchase.objects.get().member == member
    gone()


def test_an_order_that_comes_while_they_are_erased_is_ignored(
    member: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    come, go_on = pause(monkeypatch, erasure, "_bury")
    erasing = begin(lambda: erase(member, by=None, at=datetime.now(UTC)))
    assert come.wait(20)
    settling = begin(order)
    settling.join(0.3)
    assert settling.is_alive(), "it waits for the tombstone"
    go_on.set()
    erasing.join()
    settling.join()
    assert not Purchase.objects.exists()
    gone()


def test_who_is_changed_at_that_moment_gets_no_address_again(
    member: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    come, go_on = pause(monkeypatch, erasure, "_bury")
    erasing = begin(lambda: erase(member, by=None, at=datetime.now(UTC)))
    assert come.wait(20)
    at = datetime.now(UTC)
    changing = begin(lambda: put_member(PERSON, email="new@mail.example", at=at))
    changing.join(0.3)
    go_on.set()
    erasing.join()
    changing.join()
    member.refresh_from_db()
    assert (member.status, member.email) == (Member.Status.ERASED, "")
    again = Member.objects.get(customer_id=PERSON)
    assert again.pk != member.pk
    assert again.email == "new@mail.example", "it was asked for, as of a new member"


def test_two_at_once_erase_once(member: Member) -> None:
    order()
    both = [
        begin(lambda: erase(member, by=None, at=datetime.now(UTC))) for _ in range(2)
    ]
    for one in both:
        one.join()
    gone()


def test_a_call_that_is_dropped_meanwhile_stops_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Sending locks the redemption and then its message; so does erasing."""
    redemption = redeem_by_call("https://shop.example/redeem")
    fulfilment.cancel(redemption, reason="", at=NOW)
    come, go_on = pause(monkeypatch, recording, "drop")
    claiming = begin(lambda: sending._claim(call_of(redemption), at=NOW))
    assert come.wait(20)
    monkeypatch.undo()
    at = datetime.now(UTC)
    erasing = begin(lambda: erase(redemption.member, by=None, at=at))
    erasing.join(0.5)
    assert erasing.is_alive(), "it waits for the redemption"
    go_on.set()
    claiming.join()
    erasing.join()
    assert call_of(redemption).state == "dropped"
    assert Tombstone.objects.count() == 1


@pytest.fixture(params=["api", "page"])
def depart(
    request: pytest.FixtureRequest, member: Member, settings: Any
) -> Callable[[], Any]:
    """The member leaves for a store, by a call of the host application or a press."""
    settings.BUTTON_ORGANIZATION_ID = "org-1"
    store, browser, key = make_merchant(), sign_in(PERSON), make_api_key()
    if request.param == "page":
        return lambda: browser.get(f"/go/{store.slug}/")
    return lambda: Client().post(
        f"/api/v1/members/{PERSON}/links/",
        {"merchant": MERCHANT},
        content_type="application/json",
        headers={"Authorization": f"Bearer {key}"},
    )


def test_a_click_made_at_that_moment_is_erased_with_the_rest(
    depart: Callable[[], Any], member: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    come, go_on = pause(monkeypatch, clicks, "button_link")
    leaving = begin(depart)
    assert come.wait(20)
    erasing = begin(lambda: erase(member, by=None, at=datetime.now(UTC)))
    erasing.join(0.3)
    go_on.set()
    leaving.join()
    erasing.join()
    assert Click.objects.count() == 1
    gone()


def test_who_leaves_while_they_are_erased_leaves_no_click(
    depart: Callable[[], Any], member: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = []
    come, go_on = pause(monkeypatch, erasure, "_bury")
    erasing = begin(lambda: erase(member, by=None, at=datetime.now(UTC)))
    assert come.wait(20)
    leaving = begin(lambda: answers.append(depart()))
    leaving.join(0.3)
    go_on.set()
    erasing.join()
    leaving.join()
    [answer] = answers
    assert answer.status_code in (404, 302)
    assert not answer.headers.get("Location", "").startswith("https://r.bttn.io")
    assert not Click.objects.exists()
    gone()
