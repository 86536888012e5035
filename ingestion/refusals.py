"""Counting refused webhooks, so that a flood of them costs next to no writes.

A process counts in memory and adds to the table at most every five seconds, with the
next webhook after that, whatever became of it. What a process has not written when
it ends is lost: a few seconds of a count.
"""

from collections import Counter
from datetime import datetime
from threading import Lock
from time import monotonic
from typing import Any

import structlog
from django.db import connection

PAUSE = 5.0  # seconds between two writes of one process
BUTTONS_NAME = "Button Webhooks"

Key = tuple[datetime, int, bool]  # minute, status, called itself Button's
log = structlog.get_logger(__name__)


class Tally:
    """Refusals of this process that are not in the database yet. Thread-safe."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._counts: Counter[Key] = Counter()
        self._next = 0.0

    def add(self, status: int, *, genuine: bool, at: datetime) -> None:
        with self._lock:
            self._counts[at.replace(second=0, microsecond=0), status, genuine] += 1

    def write(self) -> None:
        """Add what was counted to the table, if it is time. Never raises.

        While the database can't be reached the counts stay here.
        """
        if not (counts := self._take()):
            return
        try:
            _add(counts)
        except Exception:
            log.exception("refusals_not_counted")
            with self._lock:
                self._counts.update(counts)

    def _take(self) -> Counter[Key]:
        """Everything counted so far, for one thread; nothing before its time."""
        if not self._counts:  # the usual case, which takes no lock
            return Counter()
        with self._lock:
            if monotonic() < self._next:
                return Counter()
            self._next = monotonic() + PAUSE
            counts, self._counts = self._counts, Counter()
            return counts


tally = Tally()


def is_genuine(environ: dict[str, Any]) -> bool:
    """Whether the sender calls itself Button's, which anybody can."""
    return str(environ.get("HTTP_USER_AGENT", "")).startswith(BUTTONS_NAME)


def _add(counts: Counter[Key]) -> None:
    """One upsert, its rows sorted: two processes never wait for each other in turn."""
    adapt = connection.ops.adapt_datetimefield_value
    rows = [(adapt(minute), *rest, n) for (minute, *rest), n in sorted(counts.items())]
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO ingestion_refusal (minute, status, genuine, count)"
            f" VALUES {', '.join(['(%s, %s, %s, %s)'] * len(rows))}"
            " ON CONFLICT (minute, status, genuine)"
            " DO UPDATE SET count = ingestion_refusal.count + excluded.count",
            [value for row in rows for value in row],
        )
