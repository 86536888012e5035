"""Counting refused webhooks: every one of them, with next to no writes."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import OperationalError, connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext

from ingestion import refusals
from ingestion.models import InboundEvent, Refusal
from ingestion.refusals import PAUSE, Tally
from tests.builders import NOW, post_webhook, webhook_body

pytestmark = pytest.mark.django_db
URL = "/webhooks/button/"
BUTTON = {"User-Agent": "Button Webhooks 1.4.2"}
WRONG = {"X-Button-Signature": "0" * 64}


@pytest.fixture
def door() -> Client:
    return Client(raise_request_exception=False)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The process's clock, to be turned by hand."""
    now = [1000.0]
    monkeypatch.setattr(refusals, "monotonic", lambda: now[0])
    return now


def counted() -> dict[tuple[int, bool], int]:
    rows = Refusal.objects.values_list("status", "genuine", "count")
    totals: dict[tuple[int, bool], int] = {}
    for status, genuine, count in rows:
        totals[status, genuine] = totals.get((status, genuine), 0) + count
    return totals


def test_every_refusal_is_counted_by_status_and_sender(
    door: Client, clock: list[float]
) -> None:
    post_webhook(door, webhook_body(), **WRONG, **BUTTON)
    post_webhook(door, webhook_body(), **WRONG)
    door.get(URL)
    with override_settings(BUTTON_WEBHOOK_SECRETS=[]):
        post_webhook(door, webhook_body(), **BUTTON)
    with override_settings(MAX_WEBHOOK_BYTES=10):
        post_webhook(door, webhook_body(), **BUTTON)
    clock[0] += PAUSE
    assert post_webhook(door, webhook_body(), **BUTTON).status_code == 200
    assert counted() == {
        (401, True): 1,
        (401, False): 1,
        (405, False): 1,
        (503, True): 1,
        (413, True): 1,
    }


def test_a_lone_refusal_is_written_at_once(door: Client) -> None:
    post_webhook(door, webhook_body(), **WRONG)
    assert counted() == {(401, False): 1}


def test_a_flood_writes_once_in_five_seconds(door: Client, clock: list[float]) -> None:
    with CaptureQueriesContext(connection) as queries:
        for _ in range(200):
            post_webhook(door, b"{}", **WRONG, **BUTTON)
    assert len(queries) == 1
    clock[0] += PAUSE
    with CaptureQueriesContext(connection) as queries:
        post_webhook(door, b"{}", **WRONG, **BUTTON)
    assert len(queries) == 1
    assert counted() == {(401, True): 201}


def test_an_accepted_webhook_writes_no_count(door: Client, clock: list[float]) -> None:
    for n in range(3):
        clock[0] += PAUSE
        with CaptureQueriesContext(connection) as queries:
            assert post_webhook(door, b'{"n": %d}' % n).status_code == 200
        assert [q["sql"][:11] for q in queries] == ["INSERT INTO"]
    assert not Refusal.objects.exists()


def test_what_the_database_refused_is_counted_once_it_is_back(
    door: Client, clock: list[float]
) -> None:
    def full(*_: object) -> None:
        raise OperationalError("the database is away")

    with connection.execute_wrapper(full):
        for _ in range(3):
            assert post_webhook(door, webhook_body(), **BUTTON).status_code == 503
            post_webhook(door, webhook_body(), **WRONG)
            clock[0] += PAUSE
    assert (counted(), InboundEvent.objects.count()) == ({}, 0)
    assert post_webhook(door, webhook_body()).status_code == 200
    assert counted() == {(503, True): 3, (401, False): 3}


def test_two_processes_add_up(clock: list[float]) -> None:
    for process in (Tally(), Tally()):
        for at in (NOW, NOW + timedelta(seconds=59), NOW + timedelta(seconds=60)):
            process.add(401, genuine=True, at=at)
        process.write()
    rows = Refusal.objects.order_by("minute").values_list("minute", "count")
    assert list(rows) == [(NOW, 4), (NOW + timedelta(minutes=1), 2)]


def test_no_count_is_lost_between_threads(
    tally: Tally, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[int] = []
    monkeypatch.setattr(refusals, "PAUSE", 0)
    monkeypatch.setattr(refusals, "_add", lambda c: written.append(sum(c.values())))

    def refuse(_: int) -> None:
        for _ in range(200):
            tally.add(401, genuine=True, at=NOW)
            tally.write()

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(refuse, range(8)))
    tally.write()
    assert sum(written) == 1600
