"""What came by webhook, by poll or by both; and how long it all took."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from ingestion import processing
from ingestion.button.envelope import polled_delivery
from ingestion.health import lag, parity
from ingestion.health.parity import Parity
from ingestion.inbox import store
from ingestion.models import InboundEvent, Sighting
from rewards.models import Purchase, Report
from tests.builders import NOW, post_webhook, transaction, webhook_body

pytestmark = pytest.mark.django_db
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def order(n: int = 1, **changes: Any) -> dict[str, Any]:
    ids = {"id": f"tx-{n}", "button_order_id": f"btnorder-{n}"}
    return transaction(**ids, **changes)


def by_webhook(client: Client, data: dict[str, Any], *, at: Any = NOW) -> None:
    """Deliver it; it counts as come at this time."""
    before = set(InboundEvent.objects.values_list("pk", flat=True))
    assert post_webhook(client, webhook_body(data)).status_code == 200
    processing.drain()
    InboundEvent.objects.exclude(pk__in=before).update(received_at=at)


def by_poll(data: dict[str, Any], *, at: Any = NOW) -> None:
    row = {name: value for name, value in data.items() if name != "event_date"}
    store(polled_delivery(json.dumps(row).encode()), at=at)
    processing.drain()


def today() -> Parity:
    return parity.by_day(at=NOW)[NOW.date()]


class TestParity:
    def test_the_three_ways(self, client: Client) -> None:
        by_webhook(client, order(1))
        by_poll(order(2))
        by_webhook(client, order(3))
        by_poll(order(3), at=NOW + HOUR)
        by_poll(order(4))
        by_webhook(client, order(4), at=NOW + HOUR)
        assert today() == Parity(webhook=1, poll=1, both=2)

    def test_the_same_content_both_ways_is_both(self, client: Client) -> None:
        """A webhook without what only webhooks have is the very row that is polled."""
        data = order()
        del data["event_date"]
        by_webhook(client, data)
        by_poll(data, at=NOW + HOUR)
        assert Sighting.objects.count() == 1
        assert today() == Parity(both=1)

    def test_a_retry_is_still_a_webhook_only(self, client: Client) -> None:
        for _ in range(3):
            by_webhook(client, order())
        assert today() == Parity(webhook=1)

    def test_each_state_counts_on_the_day_it_first_came(self, client: Client) -> None:
        by_webhook(client, order(), at=NOW - 2 * DAY)
        by_poll(order(), at=NOW - DAY)
        final = order(status="validated", validated_date="2026-11-20T10:00:00Z")
        by_poll(final)
        days = parity.by_day(at=NOW)
        assert len(days) == 14
        assert list(days)[:3] == [(NOW - n * DAY).date() for n in range(3)]
        assert list(days.values())[:3] == [Parity(poll=1), Parity(), Parity(both=1)]

    def test_what_came_before_the_fortnight_is_no_news(self, client: Client) -> None:
        by_webhook(client, order(), at=NOW - 20 * DAY)
        by_poll(order())
        assert set(parity.by_day(at=NOW).values()) == {Parity()}
        assert parity.of_last_day(at=NOW + HOUR) == Parity()

    def test_the_last_day_is_24_hours(self, client: Client) -> None:
        assert parity.of_last_day(at=NOW) == Parity()
        by_webhook(client, order(1), at=NOW - 25 * HOUR)
        by_webhook(client, order(2), at=NOW - 23 * HOUR)
        by_poll(order(3), at=NOW - 22 * HOUR)
        assert parity.of_last_day(at=NOW) == Parity(webhook=1, poll=1)

    def test_what_made_no_purchase_is_no_state(self, client: Client) -> None:
        by_webhook(client, {"id": 1})
        assert today() == Parity()

    def test_it_is_one_query(self, client: Client) -> None:
        by_webhook(client, order())
        with CaptureQueriesContext(connection) as queries:
            parity.by_day(at=NOW)
        assert len(queries) == 1


class TestLag:
    def test_from_order_to_event_to_balance(self, client: Client) -> None:
        for n in range(1, 101):
            post_webhook(client, webhook_body(order(n)))
        processing.drain()
        for event in InboundEvent.objects.select_related("purchase"):
            n = int(event.purchase.order_key.removeprefix("btnorder-"))
            purchase = Purchase.objects.filter(pk=event.purchase_id)
            purchase.update(attributed_at=NOW - n * HOUR, first_seen_at=NOW)
            settled = {"received_at": NOW, "handled_at": NOW + timedelta(seconds=n)}
            InboundEvent.objects.filter(pk=event.pk).update(**settled)
        found = lag.of_last_day(at=NOW + HOUR)
        ranks = {"0.5": 50, "0.95": 95, "0.99": 99}
        assert found.arrival == {name: n * HOUR for name, n in ranks.items()}
        assert found.settling == {
            name: timedelta(seconds=n) for name, n in ranks.items()
        }

    def test_only_an_order_s_first_event_tells_when_it_arrived(
        self, client: Client
    ) -> None:
        by_webhook(client, order())
        later = order(amount=7, modified_date="2026-11-05T00:00:00Z")
        by_webhook(client, later, at=NOW + HOUR)
        Purchase.objects.update(attributed_at=NOW - 2 * HOUR, first_seen_at=NOW)
        found = lag.of_last_day(at=NOW + 2 * HOUR)
        assert set(found.arrival.values()) == {2 * HOUR}
        assert Report.objects.count() == 2

    def test_nothing_came(self) -> None:
        found = lag.of_last_day(at=NOW)
        assert (found.arrival, found.settling) == ({}, {})

    def test_it_is_one_query_of_bounded_size(self, client: Client) -> None:
        with CaptureQueriesContext(connection) as queries:
            lag.of_last_day(at=NOW)
        assert len(queries) == 1
        assert "LIMIT 2000" in queries[0]["sql"]
