"""A doubt is settled by asking the network once more, a minute later."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import transaction

from ingestion import polling
from ingestion.accounts import discover
from ingestion.button.client import ButtonClient
from ingestion.button.sandbox import Sandbox, wire
from ingestion.models import Doubt, Poll, Window
from ingestion.processing import drain
from rewards.models import Purchase, Report
from tests.builders import (
    balances,
    post_webhook,
    publish_program,
    report,
    settle_reports,
    webhook_body,
)

pytestmark = pytest.mark.django_db(transaction=True)

MINUTE = timedelta(minutes=1)


def send(client: Any, button: Sandbox, order: Any, **changes: Any) -> None:
    data = wire.webhook_data(order, organization=button.organization)
    assert post_webhook(client, webhook_body({**data, **changes})).status_code == 200
    drain()


def work(client: ButtonClient, *, at: datetime) -> None:
    """What the worker does about accounts that are not due for following."""
    for poll in discover(client, at=at):
        Poll.objects.filter(pk=poll.pk).update(due_at=at + timedelta(days=1))
    polling.poll_due(client, at=at)


def test_a_tie_is_settled_by_the_network(
    client: Any, button: Sandbox, client_of_button: ButtonClient
) -> None:
    publish_program()
    now = datetime.now(UTC).replace(microsecond=0)
    order = button.place(customer="alice", total=3000, at=now)
    for total in (3000, 9000, 5000):  # one second, three states: only one can hold
        send(client, button, order, order_total=total, order_line_items=[])
    doubt = Doubt.objects.get()
    assert (doubt.start, doubt.end) == (now, now + timedelta(seconds=1))
    assert Purchase.objects.get().flags == [
        "Two different states bear the same second."
    ]
    work(client_of_button, at=now + MINUTE / 2)
    assert not Window.objects.filter(purpose="confirm").exists()
    work(client_of_button, at=datetime.now(UTC) + 2 * MINUTE)
    window = Window.objects.get(purpose="confirm")
    assert balances("alice") == {("points", "pending"): 30}
    purchase = Purchase.objects.get()
    assert purchase.flags == []
    assert purchase.report and purchase.report.confirmed == window.pk
    doubt.refresh_from_db()
    assert (doubt.window, bool(doubt.settled_at)) == (window, True)


def test_a_settled_doubt_is_not_asked_again(
    client: Any, button: Sandbox, client_of_button: ButtonClient
) -> None:
    publish_program()
    now = datetime.now(UTC).replace(microsecond=0)
    order = button.place(customer="alice", total=3000, at=now)
    for total in (3000, 9000):
        send(client, button, order, order_total=total, order_line_items=[])
    work(client_of_button, at=datetime.now(UTC) + 2 * MINUTE)
    send(client, button, order, order_total=9000, order_line_items=[], extra=1)
    work(client_of_button, at=datetime.now(UTC) + 4 * MINUTE)
    assert Doubt.objects.count() == 1
    assert balances("alice") == {("points", "pending"): 30}


def test_a_contradiction_is_asked_about_and_stays_for_staff(
    client: Any, button: Sandbox, client_of_button: ButtonClient
) -> None:
    publish_program()
    now = datetime.now(UTC).replace(microsecond=0)
    order = button.place(customer="alice", total=3000, at=now)
    order = button.validate(order.id, at=now)
    send(client, button, order)
    send(client, button, order, order_total=9000, order_line_items=[])
    assert balances("alice") == {("points", "available"): 30}
    assert Doubt.objects.count() == 1
    work(client_of_button, at=datetime.now(UTC) + 2 * MINUTE)
    assert Report.objects.filter(confirmed__gt=0).count() == 1
    assert "twice" in Purchase.objects.get().review
    assert balances("alice") == {("points", "available"): 30}


def test_other_orders_of_the_same_second_are_left_alone(
    client: Any, button: Sandbox, client_of_button: ButtonClient
) -> None:
    publish_program()
    now = datetime.now(UTC).replace(microsecond=0)
    calm = button.place(customer="bob", total=1000, at=now)
    order = button.place(customer="alice", total=3000, at=now)
    send(client, button, calm)
    for total in (3000, 9000):
        send(client, button, order, order_total=total, order_line_items=[])
    work(client_of_button, at=datetime.now(UTC) + 2 * MINUTE)
    assert not Report.objects.filter(purchase__customer_id="bob", confirmed__gt=0)
    assert balances("bob") == {("points", "pending"): 10}


def test_an_order_that_became_worth_nothing_in_its_second(
    client: Any, button: Sandbox, client_of_button: ButtonClient
) -> None:
    publish_program()
    now = datetime.now(UTC).replace(microsecond=0)
    order = button.place(customer="alice", total=3000, at=now)
    send(client, button, order)
    nothing = button.adjust(order.id, total=0, at=now)
    send(client, button, nothing)
    assert Doubt.objects.count() == 1
    work(client_of_button, at=datetime.now(UTC) + 2 * MINUTE)
    assert balances("alice") == {}
    assert Purchase.objects.get().order_total == 0


def test_two_transactions_of_one_read_are_weighed_whatever_their_order() -> None:
    publish_program()
    first, second = report(order_total=3000), report(order_total=9000)
    settle_reports(first, second)
    one = replace(first, confirmed=7)
    other = replace(first, transaction_id="tx-2", order_total=5000, confirmed=7)
    states = set()
    for told in ((one, other), (other, one)):
        with transaction.atomic():
            outcomes = settle_reports(*told, source="poll")
            states.add((Purchase.objects.get().order_total, *balances().values()))
            assert not any(outcome.doubt for outcome in outcomes)
            transaction.set_rollback(True)
    assert len(states) == 1
