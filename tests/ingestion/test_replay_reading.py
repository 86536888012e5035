"""A replay reads every event again; what came in and what stands must be the same."""

import io
import json
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from ingestion.button.envelope import polled_delivery, webhook_delivery
from ingestion.inbox import store_page
from ingestion.models import InboundEvent, Sighting
from ingestion.processing import LEASE, MOST_ATTEMPTS, drain, handle
from ingestion.replaying import replay
from rewards.models import Member, Purchase, Report
from rewards.privacy.erasure import erase
from tests.builders import (
    NOW,
    ORDERED,
    post_webhook,
    report,
    transaction,
    webhook_body,
)
from tests.ingestion.delivering import data_of, deliver
from tests.ingestion.replays import differences, make_history

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def history() -> None:
    make_history()


def rewrite(event: InboundEvent, before: str, after: str) -> None:
    """Another body than came in."""
    body = bytes(event.body).replace(before.encode(), after.encode())
    assert body != bytes(event.body)
    InboundEvent.objects.filter(pk=event.pk).update(body=body)


def test_an_event_that_says_something_else_now_is_named() -> None:
    altered, broken = InboundEvent.objects.order_by("pk")[:2]
    stands = Report.objects.order_by("pk").first()
    assert stands
    rewrite(altered, '"alice"', '"mallory"')
    rewrite(broken, '"new-user-order"', '"new-order"')
    assert differences() == [
        f"event {altered.pk} (purchase {altered.purchase_id}): report {stands.pk}:"
        " customer_id is alice, not mallory",
        f"event {broken.pk} (purchase {broken.purchase_id}): is settled, not"
        " quarantined: The category “new-order” is unknown.",
    ]


def test_a_report_that_no_event_says_is_named() -> None:
    event = InboundEvent.objects.order_by("pk").last()
    bob = Purchase.objects.get(order_key="order-3")
    assert event and event.purchase_id == bob.pk
    event.delete()
    found = replay()
    assert [str(one) for one in found.differences] == [
        f"report {bob.report_id} (purchase {bob.pk}): no event says it"
    ]
    assert found.check.purchases == {bob.pk}


def test_an_event_without_its_report_is_named() -> None:
    """It came when another did, whose report is there."""
    event = InboundEvent.objects.order_by("pk").last()
    assert event
    body = bytes(event.body).replace(b"9100", b"9200")
    alike = ("network", "source", "outcome", "handled_at", "received_at", "purchase")
    InboundEvent.objects.create(
        **{name: getattr(event, name) for name in alike},
        digest=webhook_delivery(body).digest,
        body=body,
    )
    (said,) = differences()
    assert "no report says so" in said
    assert "order_total=9200" in said


def test_an_event_that_lost_its_purchase_is_named() -> None:
    event = InboundEvent.objects.order_by("pk").last()
    assert event
    InboundEvent.objects.filter(pk=event.pk).update(purchase=None)
    report, lost = differences()
    assert report.endswith("no event says it")
    assert lost.startswith(f"event {event.pk}: is settled, not a report: Purchase")
    (only,) = differences(start=ORDERED + timedelta(days=2))
    assert only == report, "of some purchases no event without one is read"


def test_another_reading_of_what_nobody_altered_is_told_apart(settings: Any) -> None:
    """As after an upgrade that understands more, or less."""
    data = transaction()
    theirs = transaction(id="tx-2", publisher_organization="org-theirs")
    settings.BUTTON_ORGANIZATION_ID = data["publisher_organization"]
    for told in (data, theirs):
        post_webhook(Client(), webhook_body(told))
    drain()
    settled, refused = InboundEvent.objects.order_by("pk")[5:]
    assert (settled.outcome, refused.outcome) == ("settled", "quarantined")
    assert replay().otherwise == []
    settings.BUTTON_ORGANIZATION_ID = theirs["publisher_organization"]
    found = replay()
    assert (found.differences, found.otherwise) == ([], [settled.pk, refused.pk])
    out = io.StringIO()
    call_command("replay", stdout=out)
    ids = f"{settled.pk}, {refused.pk}"
    assert f"2  of them read otherwise than then, unaltered: {ids}\n" in out.getvalue()
    rewrite(settled, "12345", "1234")
    (said,) = differences()
    assert said.startswith(f"event {settled.pk} (purchase {settled.purchase_id}): is")


def test_what_is_no_report_of_its_own_stays_so() -> None:
    """Duplicates, what is known, nobody understands, or is not about an order."""
    door = Client()
    event = InboundEvent.objects.order_by("pk").last()
    assert event
    known = json.loads(bytes(event.body))["data"] | {"country": None, "new": 1}
    less = {name: told for name, told in known.items() if told is not None}
    bodies = (
        *(bytes(event.body), webhook_body(known), webhook_body(less)),
        *(b"{", webhook_body({"id": "tx-9"}), webhook_body({}, event_type="ping")),
        webhook_body(transaction(id="tx-app", category="app-install")),
    )
    for body in bodies:
        post_webhook(door, body)
    drain()
    assert Sighting.objects.count() == 1
    given_up = InboundEvent.objects.get(delivery_id="", outcome="quarantined")
    given_up.pk, given_up.digest = None, b"given up"
    given_up.body, given_up.attempts = bytes(event.body), MOST_ATTEMPTS
    given_up.save()
    outcomes = InboundEvent.objects.order_by("pk").values_list("outcome", flat=True)
    assert [*outcomes][5:] == [
        *("unchanged", "unchanged", "quarantined", "quarantined", "ignored"),
        *("ignored", "quarantined"),
    ]
    assert differences() == []


def test_polled_rows_and_confirming_reads_are_read_as_such() -> None:
    """One read settles a doubt, and shows another order, of which there was none."""
    same_second = {"account": "acc-1", "order_id": "order-8", "transaction_id": "tx-8"}
    deliver(report(**same_second), report(**same_second, order_total=5000))
    sure = report(order_id="order-9", transaction_id="tx-9")
    rows = [data_of(told) for told in (report(**same_second, order_total=5000), sure)]
    for row in rows:
        del row["account_id"]
    page = [
        polled_delivery(json.dumps(row).encode(), account="acc-1", confirmed=7)
        for row in rows
    ]
    handle(store_page(page, holder="me", lease=LEASE, at=NOW + timedelta(minutes=2)))
    reports = Report.objects.filter(source="poll").order_by("pk")
    assert {r.transaction_id: r.confirmed for r in reports} == {"tx-8": 7, "tx-9": 0}
    assert differences() == []
    polled = InboundEvent.objects.filter(source="poll")
    polled.update(account="acc-2", confirmed=0)
    assert len(differences()) == 2, "how it came is part of what it says"


def test_events_of_the_erased_are_counted_and_not_read() -> None:
    erase(Member.objects.get(customer_id="alice"), by=None, at=NOW + timedelta(hours=1))
    late = report(order_id="order-9", transaction_id="tx-9")
    deliver(late, at=NOW + timedelta(hours=2))
    found = replay()
    assert found.differences == []
    assert (found.read, found.erased) == (1, 5)
    InboundEvent.objects.filter(purchase__order_key="order-1").delete()
    assert {d.kind for d in replay().differences} == {"report"}
