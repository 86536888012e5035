"""Putting deliveries into the inbox: one INSERT, then they are safe."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q

from ingestion.models import InboundEvent, Sighting
from rewards import bulk
from rewards.models import Report

_COLUMNS = (
    "network",
    "source",
    "digest",
    "event_type",
    "delivery_id",
    "attempt_id",
    "body",
    "received_at",
    "attempts",
    "claimed_by",
    "outcome",
    "reason",
)
_INSERT = (
    f"INSERT INTO ingestion_inboundevent ({', '.join(_COLUMNS)})"
    f" VALUES ({', '.join(['%s'] * len(_COLUMNS))}) ON CONFLICT DO NOTHING"
)


_PAGE_COLUMNS = ("id", *_COLUMNS, "account", "confirmed", "claimed_until")


@dataclass(frozen=True, slots=True)
class Delivery:
    """What came in, and the digest that names its content.

    Of a polled row, ``account`` is whose list it stood in, and ``modified_at`` the
    network's own time of it, where it tells one.
    """

    network: str
    source: str
    body: bytes
    digest: bytes
    event_type: str = ""
    delivery_id: str = ""
    attempt_id: str = ""
    account: str = ""
    confirmed: int = 0
    modified_at: datetime | None = None


def store(delivery: Delivery, *, at: datetime) -> bool:
    """Store one delivery durably; whether its content is new.

    Known content becomes a sighting in a table of its own: touching the event would
    make the sender wait for whoever is settling it.
    """
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, _values(delivery, at))
        if cursor.rowcount == 1:
            return True
    event_id = (
        InboundEvent.objects.filter(digest=delivery.digest, network=delivery.network)
        .values_list("pk", flat=True)
        .get()
    )
    Sighting.objects.create(
        event_id=event_id,
        source=delivery.source,
        attempt_id=delivery.attempt_id,
        seen_at=at,
    )
    return False


def store_page(
    deliveries: Sequence[Delivery], *, holder: str, lease: timedelta, at: datetime
) -> list[InboundEvent]:
    """Store a page of one network's polled rows, claimed by who will settle them now.

    Returns the events that are new. What is known becomes a sighting the first time
    that a poll sees it: every window overlaps the one before.
    """
    unique = {delivery.digest: delivery for delivery in deliveries}
    with transaction.atomic():
        known = _known(unique)
        _see([known[d] for d in unique if d in known], at=at)
        fresh = [d for digest, d in unique.items() if digest not in known]
        return _insert_claimed(fresh, holder=holder, until=bulk.now() + lease, at=at)


def _insert_claimed(
    fresh: Sequence[Delivery], *, holder: str, until: datetime, at: datetime
) -> list[InboundEvent]:
    """Insert these, and return those that nobody else has stored since we looked."""
    if not fresh:
        return []
    # In one order for all, or two pollers of one page would wait for each other.
    fresh = sorted(fresh, key=lambda delivery: delivery.digest)
    claim = {"attempts": 1, "claimed_by": holder, "claimed_until": until}
    events = [
        InboundEvent(
            id=id,
            network=d.network,
            source=d.source,
            digest=d.digest,
            event_type=d.event_type,
            body=d.body,
            account=d.account,
            confirmed=d.confirmed,
            received_at=at,
            **claim,
        )
        for id, d in zip(bulk.reserve_ids(InboundEvent, len(fresh)), fresh, strict=True)
    ]
    rows = [tuple(getattr(e, column) for column in _PAGE_COLUMNS) for e in events]
    if bulk.insert_missing(InboundEvent, _PAGE_COLUMNS, rows) == len(events):
        return events
    stored = InboundEvent.objects.filter(pk__among=[event.pk for event in events])
    mine = set(stored.values_list("pk", flat=True))
    return [event for event in events if event.pk in mine]


def _known(digests: Iterable[bytes]) -> dict[bytes, int]:
    """Events with such content that were sent to us; 0 where a poll knows it too."""
    by_poll = Sighting.objects.filter(event=OuterRef("pk"), source=Report.Source.POLL)
    rows = (
        InboundEvent.objects.filter(digest__in=list(digests))
        .annotate(polled=Q(source=Report.Source.POLL) | Exists(by_poll))
        .values_list("digest", "pk", "polled")
    )
    return {bytes(digest): 0 if polled else pk for digest, pk, polled in rows}


def _see(events: Iterable[int], *, at: datetime) -> None:
    Sighting.objects.bulk_create(
        Sighting(event_id=pk, source=Report.Source.POLL, seen_at=at)
        for pk in events
        if pk
    )


def _values(delivery: Delivery, at: datetime) -> Sequence[Any]:
    return (
        delivery.network,
        delivery.source,
        delivery.digest,
        delivery.event_type,
        delivery.delivery_id,
        delivery.attempt_id,
        delivery.body,
        connection.ops.adapt_datetimefield_value(at),
        0,
        "",
        "",
        "",
    )
