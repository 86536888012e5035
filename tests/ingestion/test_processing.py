"""Draining the inbox: poison, death, lost claims, and nobody else harmed."""

from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import F
from django.test import Client

from ingestion.models import InboundEvent
from ingestion.processing import (
    LEASE,
    MOST_ATTEMPTS,
    batch_size,
    claim,
    drain,
    handle,
)
from ingestion.tasks import drain_inbox
from rewards.models import Purchase, Report, Transfer
from tests.builders import (
    balances,
    post_webhook,
    publish_program,
    transaction,
    webhook_body,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def edition() -> None:
    publish_program()


def deliver(count: int = 1, *, prefix: str = "") -> None:
    door = Client()
    for n in range(count):
        data = transaction(
            id=f"tx-{prefix}{n}", button_order_id=f"btnorder-{prefix}{n}"
        )
        assert post_webhook(door, webhook_body(data)).status_code == 200


def outcomes() -> dict[str, int]:
    found: dict[str, int] = {}
    for outcome in InboundEvent.objects.values_list("outcome", flat=True):
        found[outcome] = found.get(outcome, 0) + 1
    return found


@pytest.fixture
def poison() -> None:
    """A report that the database itself refuses, as no test double could."""
    refuse = "NEW.transaction_id = 'tx-poison0'"
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(
                "CREATE TRIGGER poison BEFORE INSERT ON rewards_report"
                f" WHEN {refuse} BEGIN SELECT RAISE(ABORT, 'poisoned'); END"
            )
        else:
            cursor.execute(
                "CREATE FUNCTION poisoned() RETURNS trigger LANGUAGE plpgsql AS"
                " $$ BEGIN RAISE EXCEPTION 'poisoned'; END $$"
            )
            cursor.execute(
                "CREATE TRIGGER poison BEFORE INSERT ON rewards_report"
                f" FOR EACH ROW WHEN ({refuse}) EXECUTE FUNCTION poisoned()"
            )


def test_a_webhook_becomes_points() -> None:
    deliver()
    assert drain_inbox() == 1
    assert balances() == {("points", "pending"): 155}
    event = InboundEvent.objects.get()
    assert (event.outcome, event.purchase) == ("settled", Purchase.objects.get())


def test_a_large_inbox_is_drained_in_batches() -> None:
    deliver(batch_size() + 3)
    assert drain() == batch_size() + 3
    assert drain() == 0
    assert outcomes() == {"settled": batch_size() + 3}


def test_one_poisoned_event_stops_nobody(poison: None) -> None:
    deliver(5)
    deliver(prefix="poison")
    deliver(5, prefix="later-")
    drain()
    assert outcomes() == {"settled": 10, "quarantined": 1}
    bad = InboundEvent.objects.get(outcome="quarantined")
    assert bad.attempts == MOST_ATTEMPTS
    assert "poisoned" in bad.reason
    neighbours = InboundEvent.objects.exclude(pk=bad.pk)
    assert max(neighbours.values_list("attempts", flat=True)) == 2
    assert not Report.objects.filter(transaction_id="tx-poison0").exists()


def test_an_event_that_ends_its_worker_is_given_up() -> None:
    deliver()
    for _ in range(MOST_ATTEMPTS):
        assert claim(batch_size())  # and the worker dies here
        pass_time(LEASE)
    assert drain() == 1
    event = InboundEvent.objects.get()
    assert event.outcome == "quarantined"
    assert event.reason == "Every attempt to handle it ended the worker."
    assert not Transfer.objects.exists()


def test_a_claimed_event_waits_for_its_lease_and_no_longer() -> None:
    deliver()
    claim(batch_size())
    assert drain() == 0
    pass_time(LEASE)
    assert drain() == 1


def test_whoever_lost_the_claim_writes_nothing() -> None:
    deliver(3)
    slow = claim(batch_size())
    pass_time(LEASE)
    assert drain() == 3
    before = Transfer.objects.count()
    assert handle(slow) == 0
    assert Transfer.objects.count() == before
    assert outcomes() == {"settled": 3}


def test_an_event_that_was_tried_is_taken_alone() -> None:
    deliver(4)
    InboundEvent.objects.filter(pk=first().pk).update(attempts=1)
    assert len(claim(batch_size())) == 1
    assert len(claim(batch_size())) == 3


def test_the_same_purchase_twice_in_a_batch_settles_once() -> None:
    door = Client()
    for total in (15500, 7000):
        stamp = f"2026-11-04T18:40:0{total // 7000}Z"
        data = transaction(order_total=total, modified_date=stamp)
        post_webhook(door, webhook_body(data))
    drain()
    assert balances() == {("points", "pending"): 155}
    assert Purchase.objects.get().reports.count() == 2


def first() -> InboundEvent:
    return InboundEvent.objects.earliest("id")


def pass_time(span: timedelta) -> None:
    """The database's clock goes on; the leases are what is measured against it."""
    claimed = InboundEvent.objects.filter(claimed_until__isnull=False)
    claimed.update(claimed_until=F("claimed_until") - span - timedelta(seconds=1))
