"""Whether webhooks and polling bring the same: what came one way only, by day.

A state is one event type of one purchase. It counts on the day on which it first
came; a later delivery the other way makes it one that came by both.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.db import connection

DAYS = 14

_DELIVERIES = """
    SELECT purchase_id, event_type, received_at AS came_at, source
      FROM ingestion_inboundevent
     WHERE received_at >= %s AND purchase_id IS NOT NULL
     UNION ALL
    SELECT e.purchase_id, e.event_type, s.seen_at, s.source
      FROM ingestion_sighting s
      JOIN ingestion_inboundevent e ON e.id = s.event_id
     WHERE s.seen_at >= %s AND e.purchase_id IS NOT NULL
"""
# What came earlier too belongs to an earlier day, however often it is read again.
_STATES = f"""
    SELECT purchase_id, event_type, MIN(came_at) AS first_at,
           MAX(CASE WHEN source = 'webhook' THEN 1 ELSE 0 END) AS webhook,
           MAX(CASE WHEN source = 'poll' THEN 1 ELSE 0 END) AS poll
      FROM ({_DELIVERIES}) deliveries
     GROUP BY purchase_id, event_type
"""
_COUNTS = f"""
    SELECT {{day}} AS day,
           COALESCE(SUM(webhook * (1 - poll)), 0),
           COALESCE(SUM((1 - webhook) * poll), 0),
           COALESCE(SUM(webhook * poll), 0)
      FROM ({_STATES}) states
     WHERE NOT EXISTS (
           SELECT 1 FROM ingestion_inboundevent e
            WHERE e.purchase_id = states.purchase_id
              AND e.event_type = states.event_type AND e.received_at < %s)
     GROUP BY 1 ORDER BY 1 DESC
"""
_DAY = {
    "sqlite": "SUBSTR(first_at, 1, 10)",
    "postgresql": "TO_CHAR(first_at AT TIME ZONE 'UTC', 'YYYY-MM-DD')",
}


@dataclass(frozen=True, slots=True)
class Parity:
    """How many states came by webhook alone, by poll alone, and by both."""

    webhook: int = 0
    poll: int = 0
    both: int = 0


def by_day(*, at: datetime) -> dict[date, Parity]:
    """Parity of each of the last fourteen days (UTC), the newest first."""
    today = at.astimezone(UTC).date()
    days = [today - timedelta(days=n) for n in range(DAYS)]
    since = datetime.combine(days[-1], time.min, UTC)
    rows = _count(_DAY[connection.vendor], since)
    counted = {date.fromisoformat(day): Parity(*counts) for day, *counts in rows}
    return {day: counted.get(day, Parity()) for day in days}


def of_last_day(*, at: datetime) -> Parity:
    """Parity of the last 24 hours."""
    rows = _count("'all'", at - timedelta(days=1))
    return Parity(*rows[0][1:]) if rows else Parity()


def _count(day: str, since: datetime) -> list[Any]:
    since_ = connection.ops.adapt_datetimefield_value(since)
    with connection.cursor() as cursor:
        cursor.execute(_COUNTS.format(day=day), [since_] * 3)
        return cursor.fetchall()
