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
from ingestion.button.errors import Broken, ButtonError, Rejected
from ingestion.inbox import Delivery, store_page
from ingestion.models import Alarm, Window
from ingestion.processing import LEASE, batched, handle
from rewards.leases import Lease

SLICE = timedelta(days=7)  # the longest window that the API allows is not documented
MOST_SKEW = timedelta(minutes=5)  # of the network's clock against ours
CURSOR_LIFE = timedelta(hours=1)  # how long a cursor may wait for us to come back
HEARTBEAT = 2  # seconds; well below the lease
MOST_RESTARTS = 2  # in one go

log = structlog.get_logger(__name__)


class OutOfTime(Exception):
    """The time is up between two pages; the place is kept."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What reading needs. ``expired`` tells whether to stop, and ``progressed`` is
    told of every page."""

    client: ButtonClient
    lease: Lease
    expired: Callable[[], bool] = lambda: False
    progressed: Callable[[Window], object] = lambda window: None


def read(window: Window, reading: Reading) -> None:
    """Read a window from where it was left to its end.

    Raises ButtonError, OutOfTime or LeaseLost; then the place is kept.
    """
    restarts = 0
    if window.cursor and _is_stale(window):
        _start_over(window, reading)
    while True:
        try:
            return _read_on(window, reading)
        except (Rejected, Broken) as refused:
            if not _may_be_its_cursor(window, refused) or restarts >= MOST_RESTARTS:
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


def _is_stale(window: Window) -> bool:
    """Whether its cursor has waited for too long to be tried at all."""
    read_at = window.read_at
    return read_at is None or datetime.now(UTC) - read_at > CURSOR_LIFE


def _may_be_its_cursor(window: Window, refused: ButtonError) -> bool:
    """Whether a window was refused for its cursor.

    A cursor lives for minutes, and how one that died is refused is nowhere documented.
    """
    status = refused.status or 0
    return bool(window.cursor) and 400 <= status < 500


def _read_on(window: Window, reading: Reading) -> None:
    seen = {window.cursor}
    fetcher = ThreadPoolExecutor(1)
    try:
        coming = fetcher.submit(_fetch, window, reading.client, window.cursor)
        while True:
            page = _wait(coming, reading)
            _refuse_loop(page, seen, window, reading)
            if page.cursor:
                coming = fetcher.submit(_fetch, window, reading.client, page.cursor)
            _take_in(window, page, reading)
            if not page.cursor:
                return
            if reading.expired():
                raise OutOfTime
    finally:
        # Whoever stops here doesn't wait for a page that is on its way.
        fetcher.shutdown(wait=False, cancel_futures=True)


def _fetch(window: Window, client: ButtonClient, cursor: str) -> Page:
    """One page; in a thread of its own, so it leaves the database alone."""
    return client.transactions(
        window.account.external_id,
        by=window.by,
        start=window.start,
        end=window.end,
        cursor=cursor,
    )


def _wait(coming: Future[Page], reading: Reading) -> Page:
    while True:
        try:
            return coming.result(HEARTBEAT)
        except NotYet:
            if reading.expired():
                raise OutOfTime from None
            reading.lease.renew()


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
    account = window.account.external_id
    deliveries = [
        polled_delivery(row, account=account, confirmed=number) for row in page.rows
    ]
    events = store_page(deliveries, holder=reading.lease.holder, lease=LEASE, at=now)
    for batch in batched(events):
        handle(batch)
    with transaction.atomic():
        _keep_place(
            window,
            reading.lease,
            cursor=page.cursor,
            pages=window.pages + 1,
            rows=window.rows + len(page.rows),
            news=window.news + len(events),
            newest=_newest(deliveries, window.newest, now=now),
            read_at=now,
            **({} if page.cursor else {"finished_at": now, "note": ""}),
        )
        if window.finished_at:
            doubts.settle(window, at=now)
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
