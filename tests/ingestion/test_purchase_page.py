"""What ingestion adds to a purchase's page: how we heard of it, and asking again."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from ingestion import polling
from ingestion.accounts import discover
from ingestion.button.client import ButtonClient
from ingestion.button.envelope import polled_delivery
from ingestion.button.sandbox import Sandbox, wire
from ingestion.inbox import store_page
from ingestion.models import InboundEvent, Poll, Window
from ingestion.processing import drain
from rewards.admin.purchase_timeline import Line, timeline
from rewards.models import Purchase
from tests.builders import post_webhook, publish_program, transaction, webhook_body
from tests.staff import client_of, make_staff, make_superuser, said, text_of

pytestmark = pytest.mark.django_db


def words(line: Line) -> str:
    return " ".join(map(str, line.said))


def poll(row: dict[str, Any]) -> None:
    """A poll that sees this row, and settles it if it is news."""
    delivery = polled_delivery(json.dumps(row).encode(), account=row["account_id"])
    store_page([delivery], holder="x", lease=timedelta(), at=datetime.now(UTC))
    drain()


def test_each_route_is_told_once_with_a_link_to_the_raw_event(client: Any) -> None:
    publish_program()
    for attempt in ("one", "two", "three"):
        post_webhook(client, webhook_body(request_id=attempt))
    drain()
    poll(transaction())
    (line,) = timeline(Purchase.objects.get(), by=make_superuser()).lines
    said = words(line)
    assert said.count("Learned by webhook") == 1
    assert said.count("again by webhook") == said.count("again by poll") == 1
    assert "and 1 time more" in said
    event = InboundEvent.objects.get()
    assert f'href="/admin/ingestion/inboundevent/{event.pk}/change/"' in said


def test_who_may_not_see_events_gets_no_link(client: Any) -> None:
    publish_program()
    post_webhook(client, webhook_body())
    drain()
    clerk = make_staff("rewards.view_purchase")
    (line,) = timeline(Purchase.objects.get(), by=clerk).lines
    assert "Learned by webhook" in words(line)
    assert "inboundevent" not in words(line)


def test_what_said_nothing_new_has_a_line_of_its_own(client: Any) -> None:
    publish_program()
    post_webhook(client, webhook_body())
    post_webhook(client, webhook_body(transaction(extra=1)))
    drain()
    first, again = timeline(Purchase.objects.get(), by=make_superuser()).lines
    assert first.title.startswith("Reported")
    assert again.title == "Received by webhook"
    assert ": unchanged" in words(again)


def ask(purchase: Purchase) -> str:
    return reverse("admin:ingestion_window_ask_network", args=[purchase.pk])


def ordered(client: Any, **changes: Any) -> Purchase:
    publish_program()
    post_webhook(client, webhook_body(transaction(**changes)))
    drain()
    purchase = Purchase.objects.get()
    Poll.objects.create(account=purchase.account)
    return purchase


@pytest.mark.django_db(transaction=True)
def test_the_network_is_asked_and_its_answer_stands_in_the_list(
    client: Any, button: Sandbox, client_of_button: ButtonClient
) -> None:
    publish_program()
    now = datetime.now(UTC).replace(microsecond=0)
    order = button.place(customer="alice", total=3000, at=now - timedelta(days=2))
    data = wire.webhook_data(order, organization=button.organization)
    post_webhook(client, webhook_body(data))
    drain()
    button.validate(order.id, at=now - timedelta(days=1))  # and we are not told
    purchase = Purchase.objects.get()
    for poll in discover(client_of_button, at=now):
        Poll.objects.filter(pk=poll.pk).update(due_at=now + timedelta(days=1))
    root = client_of(make_superuser())
    answer = root.post(ask(purchase), follow=True)
    assert "within half a minute" in said(answer)[0]
    polling.poll_due(client_of_button, at=now)
    window = Window.objects.get(purpose="confirm")
    assert (window.by, bool(window.finished_at)) == ("created", True)
    purchase.refresh_from_db()
    assert purchase.status == "validated"
    last = timeline(purchase, by=make_superuser("other")).lines[-1]
    assert last.title == "Reported: validated (this holds)"
    assert "Learned by poll" in words(last)


def test_that_nothing_has_changed_is_an_answer_too(
    client: Any, button: Sandbox, client_of_button: ButtonClient
) -> None:
    publish_program()
    now = datetime.now(UTC).replace(microsecond=0)
    order = button.place(customer="alice", total=3000, at=now - timedelta(days=2))
    discover(client_of_button, at=now)
    Poll.objects.update(due_at=now + timedelta(days=1))
    data = wire.webhook_data(order, organization=button.organization)
    post_webhook(client, webhook_body(data))
    drain()
    client_of(make_superuser()).post(ask(Purchase.objects.get()))
    polling.poll_due(client_of_button, at=now)
    first, last = timeline(Purchase.objects.get(), by=make_superuser("other")).lines
    assert "Learned by poll" in words(last)
    assert first.change == last.change == "30\u00a0points"


def test_asking_twice_asks_once_and_is_noted(client: Any) -> None:
    purchase = ordered(client)
    root = client_of(make_superuser())
    assert ask(purchase) in text_of(
        root.get(f"/admin/rewards/purchase/{purchase.pk}/change/")
    )
    assert root.get(ask(purchase)).status_code == 200
    assert not Window.objects.exists()
    for _ in range(2):
        root.post(ask(purchase))
    window = Window.objects.get()
    assert window.start == datetime(2026, 11, 4, 18, 40, 7, tzinfo=UTC)
    assert window.end - window.start == timedelta(seconds=1)
    entry = LogEntry.objects.first()
    assert entry and entry.get_edited_object() == purchase
    assert "Asked Button again" in entry.change_message


def test_what_the_network_never_dated_is_asked_by_its_last_change(client: Any) -> None:
    purchase = ordered(client)
    Purchase.objects.update(created_at=None)
    client_of(make_superuser()).post(ask(purchase))
    assert Window.objects.get().by == "modified"


def test_without_polling_it_says_so_and_asks_nothing(client: Any) -> None:
    purchase = ordered(client)
    Poll.objects.update(enabled=False)
    answer = client_of(make_superuser()).post(ask(purchase))
    assert "switch polling on" in text_of(answer)
    assert not Window.objects.exists()
    assert not LogEntry.objects.exists()


def test_who_decides_about_purchases_may_ask_and_nobody_else(client: Any) -> None:
    purchase = ordered(client)
    looks = client_of(make_staff("rewards.view_purchase", "ingestion.view_window"))
    assert looks.get(ask(purchase)).status_code == 403
    assert looks.post(ask(purchase)).status_code == 403
    assert Client().post(ask(purchase)).status_code == 302
    assert not Window.objects.exists()
    page = f"/admin/rewards/purchase/{purchase.pk}/change/"
    assert ask(purchase) not in text_of(looks.get(page))
    clerk = client_of(
        make_staff("rewards.view_purchase", "rewards.change_purchase", username="may")
    )
    assert ask(purchase) in text_of(clerk.get(page))
    assert clerk.post(ask(purchase)).status_code == 302
    assert Window.objects.exists()
