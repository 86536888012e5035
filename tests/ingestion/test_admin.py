"""The inbox in admin: everything to be seen, and quarantined events tried again."""

import json
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from ingestion import processing
from ingestion.admin.events import readable
from ingestion.models import InboundEvent, Sighting
from ingestion.replay import process_again
from rewards.models import Purchase, Transfer
from tests.builders import (
    NOW,
    balances,
    post_webhook,
    publish_program,
    transaction,
    webhook_body,
)
from tests.staff import (
    became,
    client_of,
    confirm,
    count_queries,
    make_staff,
    make_superuser,
    said,
    text_of,
)

pytestmark = pytest.mark.django_db
LIST = "/admin/ingestion/inboundevent/"


@pytest.fixture
def root() -> Client:
    return client_of(make_superuser())


@pytest.fixture
def quarantined(client: Client) -> InboundEvent:
    """A good order that a wrong setting of ours has kept out; it is right again."""
    publish_program()
    with override_settings(BUTTON_ORGANIZATION_ID="org-somebody-else"):
        return receive(client, webhook_body())


def receive(client: Client, body: bytes) -> InboundEvent:
    assert post_webhook(client, body).status_code == 200
    processing.drain()
    return InboundEvent.objects.latest("id")


def page_of(event: InboundEvent) -> str:
    return reverse("admin:ingestion_inboundevent_change", args=[event.pk])


def again(event: InboundEvent) -> str:
    name = "admin:ingestion_inboundevent_process_this_again"
    return reverse(name, args=[event.pk])


def tick(*events: InboundEvent, **changes: Any) -> dict[str, Any]:
    """What the list sends when these are ticked and the action is run."""
    ids = [event.pk for event in events]
    action = {"action": "process_selected_again", "_selected_action": ids}
    return {**action, "index": 0, **changes}


def stored(event: InboundEvent) -> dict[str, Any]:
    return InboundEvent.objects.filter(pk=event.pk).values().get()


def test_the_page_shows_the_body_in_lines(client: Client, root: Client) -> None:
    publish_program()
    event = receive(client, webhook_body())
    text = text_of(root.get(page_of(event)))
    assert "&quot;publisher_customer_id&quot;: &quot;alice&quot;" in text
    purchase = Purchase.objects.get()
    assert f"/admin/rewards/purchase/{purchase.pk}/change/" in text
    assert purchase.order_key in text


@pytest.mark.parametrize(
    "body",
    [
        b"<script>alert(1)</script>",
        b'{"a": "<script>alert(1)</script>"}',
        b"\xff\xfe<script>alert(1)</script>",
        b"\0<script>alert(1)</script>",
    ],
)
def test_a_hostile_body_is_shown_as_text(
    body: bytes, client: Client, root: Client
) -> None:
    text = text_of(root.get(page_of(receive(client, body))))
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert" in text


@pytest.mark.parametrize("body", [b"", b"[" * 100_000, b"9" * 5000, b'"\xff"'])
def test_any_body_can_be_read(body: bytes) -> None:
    assert isinstance(readable(body), str)
    assert json.loads(readable(b'{"b": 1}')) == {"b": 1}


@pytest.mark.parametrize("body", [b'{"a": "\\ud800"}', b'{"\\udfff": "\\u0000"}'])
def test_half_a_character_is_shown_as_a_mark(
    body: bytes, client: Client, root: Client
) -> None:
    assert "?" in readable(body)
    assert root.get(page_of(receive(client, body))).status_code == 200


def test_the_page_counts_sightings(client: Client, root: Client) -> None:
    body = webhook_body()
    event = receive(client, body)
    post_webhook(client, webhook_body(request_id="attempt-second"))
    assert Sighting.objects.count() == 1
    assert "attempt-second" in text_of(root.get(page_of(event)))


def test_the_list_filters_by_outcome(
    client: Client, root: Client, quarantined: InboundEvent
) -> None:
    post_webhook(client, webhook_body(transaction(id="tx-waiting")))
    for outcome, expected in (("quarantined", 1), ("waiting", 1), ("settled", 0)):
        found = root.get(LIST, {"outcome": outcome}).context["cl"].result_list
        assert len(found) == expected, outcome


def test_a_longer_list_asks_no_more_queries_and_loads_no_body(
    client: Client, root: Client
) -> None:
    def store(first: int, last: int) -> None:
        for n in range(first, last):
            post_webhook(client, webhook_body(transaction(id=f"tx-{n}")))

    store(0, 10)
    count_queries(root, LIST)
    few = count_queries(root, LIST)
    store(10, 60)
    with CaptureQueriesContext(connection) as queries:
        root.get(LIST)
    assert len(queries) == few
    counted = 'COUNT(*) AS "__count" FROM "ingestion_inboundevent"'
    assert not [q for q in queries if '"body"' in q["sql"] or counted in q["sql"]]


def test_a_quarantined_event_is_processed_again(
    quarantined: InboundEvent, root: Client
) -> None:
    assert (quarantined.outcome, balances()) == ("quarantined", {})
    asked = text_of(root.post(LIST, tick(quarantined)))
    assert "which is not ours" in asked
    assert balances() == {}
    assert became(confirm(root, LIST, tick(quarantined))) == ["settled"]
    quarantined.refresh_from_db()
    assert (quarantined.outcome, quarantined.reason) == ("settled", "")
    assert quarantined.purchase == Purchase.objects.get()
    assert balances() == {("points", "pending"): 155}


def test_its_history_says_who_did_it_and_what_was_wrong(
    quarantined: InboundEvent, root: Client
) -> None:
    root.post(again(quarantined))
    entry = LogEntry.objects.get()
    assert entry.user.username == "root"
    assert "which is not ours" in entry.change_message
    history = reverse("admin:ingestion_inboundevent_history", args=[quarantined.pk])
    assert "which is not ours" in text_of(root.get(history))


def test_the_page_asks_before_it_processes_again(
    quarantined: InboundEvent, root: Client
) -> None:
    before = stored(quarantined)
    assert again(quarantined) in text_of(root.get(page_of(quarantined)))
    assert "which is not ours" in text_of(root.get(again(quarantined)))
    assert stored(quarantined) == before
    answer = root.post(again(quarantined), follow=True)
    assert said(answer) == ["Processed again: 1 settled."]
    assert again(quarantined) not in text_of(answer)


def test_what_still_is_not_understood_is_quarantined_again(
    client: Client, root: Client
) -> None:
    event = receive(client, b"not JSON")
    answer = root.post(again(event), follow=True)
    assert said(answer) == ["Processed again: 1 quarantined."]
    event.refresh_from_db()
    assert "not JSON" in event.reason


def test_a_settled_event_keeps_its_outcome(client: Client, root: Client) -> None:
    publish_program()
    event = receive(client, webhook_body())
    before, moved = stored(event), Transfer.objects.count()
    assert again(event) not in text_of(root.get(page_of(event)))
    answer = confirm(root, LIST, tick(event))
    assert became(answer) == ["It is not in quarantine, but settled."]
    answer = root.post(again(event), follow=True)
    assert said(answer) == ["1 event has an outcome already: nothing was done."]
    assert (stored(event), Transfer.objects.count()) == (before, moved)
    assert not LogEntry.objects.exists()


def test_only_what_is_ticked_is_processed_whatever_the_request_claims(
    client: Client, quarantined: InboundEvent, root: Client
) -> None:
    other = receive(client, b"not JSON")
    before = stored(other)
    confirm(root, LIST, tick(quarantined, select_across=1))
    assert stored(other) == before


def test_one_event_that_fails_does_not_stop_the_next(
    client: Client, quarantined: InboundEvent, monkeypatch: Any
) -> None:
    poison = receive(client, webhook_body(transaction(id="tx-poison", status="odd")))
    read = processing.report_of_webhook

    def fail(body: bytes, **kwargs: Any) -> Any:
        if b"tx-poison" in body:
            raise ZeroDivisionError
        return read(body, **kwargs)

    monkeypatch.setattr(processing, "report_of_webhook", fail)
    replayed = process_again([poison, quarantined], by=None, at=NOW)
    assert replayed.outcomes == {"quarantined": 1, "settled": 1}


def test_what_fails_to_settle_waits_for_a_worker(
    quarantined: InboundEvent, monkeypatch: Any
) -> None:
    def fail(*args: Any, **kwargs: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(processing, "settle", fail)
    replayed = process_again([quarantined], by=None, at=NOW)
    assert replayed.outcomes == {"": 1}
    monkeypatch.undo()
    processing.drain()
    quarantined.refresh_from_db()
    assert quarantined.outcome == "settled"


def test_processing_twice_at_once_settles_once(quarantined: InboundEvent) -> None:
    seen_by_another = InboundEvent.objects.get(pk=quarantined.pk)
    process_again([quarantined], by=None, at=NOW)
    replayed = process_again([seen_by_another], by=None, at=NOW)
    assert (replayed.untouched, replayed.outcomes) == (1, {})
    assert balances() == {("points", "pending"): 155}


def test_who_may_only_view_processes_nothing(quarantined: InboundEvent) -> None:
    clerk = client_of(make_staff("ingestion.view_inboundevent"))
    before = stored(quarantined)
    assert clerk.get(LIST).status_code == 200
    assert clerk.get(page_of(quarantined)).status_code == 200
    for url, given in ((LIST, tick(quarantined)), (again(quarantined), {})):
        assert clerk.post(url, given).status_code == 403
    assert (stored(quarantined), balances()) == (before, {})


def test_who_may_change_processes_again(quarantined: InboundEvent) -> None:
    clerk = client_of(
        make_staff("ingestion.view_inboundevent", "ingestion.change_inboundevent")
    )
    assert became(confirm(clerk, LIST, tick(quarantined))) == ["settled"]
    assert balances() == {("points", "pending"): 155}


def test_an_event_is_never_added_changed_or_deleted(
    quarantined: InboundEvent, root: Client
) -> None:
    before = stored(quarantined)
    delete = reverse("admin:ingestion_inboundevent_delete", args=[quarantined.pk])
    add = reverse("admin:ingestion_inboundevent_add")
    for url, given in (
        (delete, {"post": "yes"}),
        (add, {"body": "x"}),
        (page_of(quarantined), {"outcome": "settled"}),
    ):
        assert root.post(url, given).status_code == 403
    root.post(LIST, tick(quarantined, action="delete_selected", post="yes"))
    assert stored(quarantined) == before
