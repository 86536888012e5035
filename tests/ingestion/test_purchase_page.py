"""What ingestion adds to a purchase's page: how we heard of it, and asking again."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ingestion.button.envelope import polled_delivery
from ingestion.inbox import store_page
from ingestion.models import InboundEvent
from ingestion.processing import drain
from rewards.admin.purchase_timeline import Line, timeline
from rewards.models import Purchase
from tests.builders import post_webhook, publish_program, transaction, webhook_body
from tests.staff import make_staff, make_superuser

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
    assert said.count("Again by webhook") == said.count("Again by poll") == 1
    assert "1 time more." in said
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
    assert ": unchanged." in words(again)
