"""Draining the inbox: claim, understand, settle, record what became of each event.

The inbox table is the queue. Whoever drains it claims rows for a while by the
database's clock, so a worker that dies only makes its rows wait.
"""

import gc
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from math import inf
from random import uniform
from time import monotonic, sleep
from uuid import uuid4

import structlog
from celery.exceptions import SoftTimeLimitExceeded
from django.db import OperationalError, connection, transaction
from django.db.models import F, Q
from django.db.models.functions import Length, Now

from ingestion import doubts, erasure
from ingestion.button.adapter import (
    NothingToSettle,
    NotUnderstood,
    report_of_row,
    report_of_webhook,
)
from ingestion.models import InboundEvent
from rewards import bulk
from rewards.models import Report
from rewards.races import Raced
from rewards.reports import Arrival, Outcome, PurchaseReport
from rewards.settling.settlement import settle

LEASE = timedelta(seconds=30)
MOST_ATTEMPTS = 5
MOST_BYTES = 32 * 1024 * 1024  # of bodies in one batch
PAUSES = (0.05, 0.2, 0.8)  # seconds at most, before settling is tried again

log = structlog.get_logger(__name__)


class ClaimLost(Exception):
    """Another worker took over: this one was slower than its lease."""


@dataclass(frozen=True, slots=True)
class Understood:
    """An event with the arrival it became, or with its outcome already."""

    event: InboundEvent
    arrival: Arrival | None = None
    outcome: Outcome | None = None


def batch_size() -> int:
    """How many events settle in one transaction.

    On SQLite every webhook waits for the one writer, so its turns are short.
    """
    return 500 if connection.vendor == "postgresql" else 50


def batched(events: Sequence[InboundEvent]) -> Iterator[Sequence[InboundEvent]]:
    """Events in pieces that settle in one transaction each; a page may be larger."""
    size = batch_size()
    for first in range(0, len(events), size):
        yield events[first : first + size]


def drain(*, seconds: float | None = None) -> int:
    """Handle events until none is waiting, or the time is up; how many were."""
    until = monotonic() + seconds if seconds is not None else inf
    handled = 0
    for understood in _batches(until):
        with _collector_paused():
            handled += _handle(understood)
    return handled


def _batches(until: float) -> Iterator[list[Understood]]:
    """Claimed and understood events, batch by batch.

    On PostgreSQL the next batch is read, on a connection of its own, while this one
    settles. Inside a transaction nobody else would see what there is to read.
    """
    if connection.vendor != "postgresql" or connection.in_atomic_block:
        while monotonic() < until and (batch := _read()):
            yield batch
        return
    with ThreadPoolExecutor(1) as reader:
        try:
            following = reader.submit(_read)
            while batch := following.result():
                following = reader.submit(_read if monotonic() < until else list)
                yield batch
        finally:
            reader.submit(_hang_up).result()


def _hang_up() -> None:
    """Close the connection of the thread that runs this."""
    connection.close()


def _read() -> list[Understood]:
    return [understand(event) for event in claim(batch_size())]


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Let a batch's objects die by reference count, as they all do.

    The cyclic collector would walk hundreds of thousands of them again and again,
    for a third of the whole time.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def claim(most: int) -> list[InboundEvent]:
    """Take waiting events for one lease, oldest first, and commit that.

    The attempt is counted before the work, so that an event that kills its worker is
    counted too. One that was tried before is taken alone: it blames no neighbour.
    """
    token = uuid4().hex
    free = Q(claimed_until=None) | Q(claimed_until__lt=Now())
    with transaction.atomic():
        waiting = (
            InboundEvent.objects.filter(free, outcome="")
            .order_by("pk")
            .select_for_update(skip_locked=True)
            .annotate(size=Length("body"))
            .values_list("pk", "attempts", "size")[:most]
        )
        ids = _together(list(waiting))
        taken = InboundEvent.objects.filter(pk__among=ids)
        taken.update(
            claimed_by=token,
            claimed_until=Now() + LEASE,
            attempts=F("attempts") + 1,
        )
    needed = (
        *("source", "body", "received_at", "account", "confirmed"),
        *("attempts", "claimed_by"),
    )
    return list(taken.only(*needed).order_by("pk"))


def _together(waiting: Sequence[tuple[int, int, int]]) -> list[int]:
    """Which of (id, attempts, size) to take: what was tried, alone; never too much."""
    if not waiting or waiting[0][1]:
        return [id for id, _, _ in waiting[:1]]
    fresh = [(id, size) for id, attempts, size in waiting if not attempts]
    sizes = accumulate(size for _, size in fresh)
    fits = [
        id for (id, _), total in zip(fresh, sizes, strict=True) if total <= MOST_BYTES
    ]
    return fits or [fresh[0][0]]


def handle(events: Sequence[InboundEvent]) -> int:
    """Settle claimed events together; how many have an outcome now.

    A lost race or the database's own trouble is tried again at once. Where settling
    fails, the events are given back and come again one by one.
    """
    with _collector_paused():
        return _handle([understand(event) for event in events])


def _handle(understood: Sequence[Understood]) -> int:
    events = [u.event for u in understood]
    for pause in PAUSES:
        try:
            return _settle(understood)
        except SoftTimeLimitExceeded:
            raise
        except (Raced, OperationalError):
            connection.close_if_unusable_or_obsolete()
            sleep(uniform(0, pause))
        except Exception as error:
            return _failed(events, error)
    try:
        return _settle(understood)
    except SoftTimeLimitExceeded:
        raise
    except Exception as error:
        return _failed(events, error)


def _failed(events: Sequence[InboundEvent], error: Exception) -> int:
    log.error("events_failed", ids=[event.pk for event in events], exc_info=error)
    if len(events) == 1 and events[0].attempts >= MOST_ATTEMPTS:
        return _give_up(events[0], f"{type(error).__name__}: {_first_line(error)}")
    _release(events)
    return 0


def understand(event: InboundEvent) -> Understood:
    """What an event says, by the code that there is now; nothing is written."""
    if event.attempts > MOST_ATTEMPTS:
        reason = "Every attempt to handle it ended the worker."
        return Understood(event, outcome=Outcome("quarantined", reason))
    try:
        report = _report_of(event)
    except NothingToSettle as why:
        return Understood(event, outcome=Outcome("ignored", str(why)))
    except NotUnderstood as why:
        return Understood(event, outcome=Outcome("quarantined", str(why)))
    except Exception as error:
        log.exception("event_not_read", event_id=event.pk)
        what = f"{type(error).__name__}: {_first_line(error)}"
        reason = f"It could not be read: {what}"
        return Understood(event, outcome=Outcome("quarantined", reason))
    return Understood(event, arrival=Arrival(report, event.source, event.received_at))


def _report_of(event: InboundEvent) -> PurchaseReport:
    """What an event reports, by the way it came."""
    body = bytes(event.body)
    if event.source == Report.Source.POLL:
        return report_of_row(
            body,
            received_at=event.received_at,
            account=event.account,
            confirmed=event.confirmed,
        )
    return report_of_webhook(body, received_at=event.received_at)


def _settle(understood: Sequence[Understood]) -> int:
    now = datetime.now(UTC)
    arrivals = [u.arrival for u in understood if u.arrival]
    with transaction.atomic():
        settled = iter(settle(arrivals, at=now) if arrivals else ())
        outcomes = [(u.event, u.outcome or next(settled)) for u in understood]
        _record(outcomes, at=now)
        erasure.scrub_late(outcomes)
        doubts.ask([outcome for _, outcome in outcomes], at=now)
    return len(understood)


def _record(outcomes: Sequence[tuple[InboundEvent, Outcome]], *, at: datetime) -> None:
    """Write outcomes, provided that the claim is still ours. Raises ClaimLost."""
    alike: dict[tuple[str, str], list[tuple[int, int | None]]] = {}
    for event, outcome in outcomes:
        same = alike.setdefault((outcome.kind, _stored(outcome.reason)), [])
        same.append((event.pk, outcome.purchase_id))
    recorded = sum(
        bulk.update(
            InboundEvent,
            ("id", "purchase_id"),
            rows,
            alike={"outcome": kind, "reason": reason, "handled_at": at},
            where={"claimed_by": outcomes[0][0].claimed_by},
        )
        for (kind, reason), rows in alike.items()
    )
    if recorded != len(outcomes):
        raise ClaimLost


def _release(events: Sequence[InboundEvent]) -> None:
    ours = {"pk__among": [e.pk for e in events], "claimed_by": events[0].claimed_by}
    InboundEvent.objects.filter(**ours).update(claimed_until=None)


def _give_up(event: InboundEvent, error: str) -> int:
    outcome = Outcome("quarantined", f"It failed {event.attempts} times: {error}")
    _record([(event, outcome)], at=datetime.now(UTC))
    return 1


def _stored(reason: str) -> str:
    return reason.encode("utf-8", "replace").decode().replace("\0", "\ufffd")[:4000]


def _first_line(error: Exception) -> str:
    """What went wrong, without the SQL that databases put below it."""
    return next(iter(str(error).splitlines()), "")[:200]
