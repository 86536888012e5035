"""Reading one window of an account's transactions, page by page.

A page is one settled batch, and the place is kept after each, so whoever is killed is
followed by somebody who goes on there. The next page is fetched while one settles.
"""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from django.db import transaction

from ingestion import alarms, doubts
from ingestion.button.answers import Page
from ingestion.button.client import ButtonClient
from ingestion.button.envelope import polled_delivery
from ingestion.button.errors import Broken, Rejected
from ingestion.inbox import Delivery, store_page
from ingestion.leases import Lease
from ingestion.models import Alarm, Window
from ingestion.processing import LEASE, batched, handle

SLICE = timedelta(days=7)  # the longest window that the API allows is not documented
MOST_SKEW = timedelta(hours=24)
HEARTBEAT = 8  # seconds; well below the lease
MOST_RESTARTS = 2  # in one go

log = structlog.get_logger(__name__)


class OutOfTime(Exception):
    """The time is up between two pages; the place is kept."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What reading needs. ``expired`` tells between two pages whether to stop, and
    ``progressed`` is told of every page."""

    client: ButtonClient
    lease: Lease
    expired: Callable[[], bool] = lambda: False
    progressed: Callable[[Window], object] = lambda window: None


def read(window: Window, reading: Reading) -> None:
    """Read a window from where it was left to its end.

    Raises ButtonError, OutOfTime or LeaseLost; then the place is kept.
    """
    restarts = 0
    while True:
        try:
            _read_on(window, reading)
            return _finish(window, reading)
        except Rejected as refused:
            # A cursor lives for minutes, and how one that died is refused is nowhere
            # documented.
            if not window.cursor or restarts >= MOST_RESTARTS:
                raise
            restarts += 1
            log.info("cursor_refused", window=window.pk, said=str(refused))
            _start_over(window, reading)


def slices(
    start: datetime, end: datetime | None, *, now: datetime
) -> list[tuple[datetime, datetime | None]]:
    """The stretch in pieces of a week; without an end the last piece has none."""
    last = end or max(now, start)
    pieces: list[tuple[datetime, datetime | None]] = []
    while last - start > SLICE:
        pieces.append((start, start + SLICE))
        start += SLICE
    if end is None or start < end:
        pieces.append((start, end))
    return pieces


def _read_on(window: Window, reading: Reading) -> None:
    seen = {window.cursor}
    with ThreadPoolExecutor(1) as fetcher:
        coming = fetcher.submit(_fetch, window, reading.client, window.cursor)
        while True:
            page = _wait(coming, reading.lease)
            _refuse_loop(page, seen, window, reading)
            if page.cursor:
                coming = fetcher.submit(_fetch, window, reading.client, page.cursor)
            _take_in(window, page, reading)
            if not page.cursor:
                return
            if reading.expired():
                raise OutOfTime


def _fetch(window: Window, client: ButtonClient, cursor: str) -> Page:
    """One page; in a thread of its own, so it leaves the database alone."""
    return client.transactions(
        window.account.external_id,
        by=window.by,
        start=window.start,
        end=window.end,
        cursor=cursor,
    )


def _wait(coming: Future[Page], lease: Lease) -> Page:
    while True:
        try:
            return coming.result(HEARTBEAT)
        except NotYet:
            lease.renew()


def _refuse_loop(page: Page, seen: set[str], window: Window, reading: Reading) -> None:
    """A cursor that comes again would be read for ever: start over another time."""
    if page.cursor in seen and page.cursor:
        _start_over(window, reading)
        raise Broken("The list of transactions leads back to a page that was read.")
    seen.add(page.cursor)


def _take_in(window: Window, page: Page, reading: Reading) -> None:
    now = datetime.now(UTC)
    if page.elsewhere:
        alarms.raise_alarm(
            Alarm.Kind.FOREIGN_NEXT,
            subject=page.elsewhere[:255],
            text=f"The list of {window.account} named a next page on"
            f" {page.elsewhere[:255]}. Its cursor was used at home; nothing was sent"
            " there.",
            at=now,
        )
    number = window.pk if window.purpose == Window.Purpose.CONFIRM else 0
    deliveries = [polled_delivery(row, confirmed=number) for row in page.rows]
    events = store_page(deliveries, holder=reading.lease.holder, lease=LEASE, at=now)
    for batch in batched(events):
        handle(batch)
    _keep_place(
        window,
        reading.lease,
        cursor=page.cursor,
        pages=window.pages + 1,
        rows=window.rows + len(page.rows),
        news=window.news + len(events),
        newest=_newest(deliveries, window.newest, now=now),
    )
    reading.progressed(window)


def _keep_place(window: Window, lease: Lease, **place: Any) -> None:
    """Write how far a window is, provided that its account is still ours."""
    for name, value in place.items():
        setattr(window, name, value)
    with transaction.atomic():
        lease.renew()
        window.save(update_fields=place)


def _newest(
    deliveries: list[Delivery], before: datetime | None, *, now: datetime
) -> datetime | None:
    """The greatest modification time so far; one far in the future says nothing."""
    times = [d.modified_at for d in deliveries if d.modified_at]
    times = [time for time in times if time <= now + MOST_SKEW]
    return max([*times, *([before] if before else [])], default=None)


def _start_over(window: Window, reading: Reading) -> None:
    _keep_place(
        window, reading.lease, cursor="", pages=0, rows=0, restarts=window.restarts + 1
    )


def _finish(window: Window, reading: Reading) -> None:
    now = datetime.now(UTC)
    with transaction.atomic():
        _keep_place(window, reading.lease, finished_at=now)
        doubts.settle(window, at=now)
