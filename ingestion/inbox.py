"""Putting deliveries into the inbox: one INSERT, then they are safe."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from ingestion.models import InboundEvent, Sighting

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


@dataclass(frozen=True, slots=True)
class Delivery:
    """What came in, and the digest that names its content."""

    network: str
    source: str
    body: bytes
    digest: bytes
    event_type: str = ""
    delivery_id: str = ""
    attempt_id: str = ""


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
