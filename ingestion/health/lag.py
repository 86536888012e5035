"""How long an order takes to reach us, and an event to reach a balance."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from ingestion.models import InboundEvent

MOST = 2_000
LOOKED_AT = timedelta(days=1)
QUANTILES = {"0.5": 50, "0.95": 95, "0.99": 99}


@dataclass(frozen=True, slots=True)
class Lag:
    """Quantiles of two stretches, by name ("0.5"); none where nothing happened.

    ``arrival``: from the order to its first event. ``settling``: from any event to
    its outcome, which is when balances have it.
    """

    arrival: dict[str, timedelta]
    settling: dict[str, timedelta]


def of_last_day(*, at: datetime) -> Lag:
    """Lag over the last 24 hours, or over its newest 2,000 settled events.

    SQLite counts no percentiles, so they are counted here, and the sample is bounded
    so that a busy day costs no more than a quiet one.
    """
    events = InboundEvent.objects.filter(
        received_at__gt=at - LOOKED_AT, handled_at__isnull=False, purchase__isnull=False
    )
    rows = events.order_by("-received_at").values_list(
        "purchase_id",
        "received_at",
        "handled_at",
        "purchase__attributed_at",
        "purchase__first_seen_at",
    )[:MOST]
    arrivals: dict[int, timedelta] = {}
    settlings = []
    for purchase, received, handled, ordered, first_seen in rows:
        assert handled  # the filter says so
        settlings.append(handled - received)
        if received <= first_seen:  # else another event had made the purchase before
            arrivals[purchase] = received - ordered  # the last one met is the first
    return Lag(_quantiles(arrivals.values()), _quantiles(settlings))


def _quantiles(lags: Iterable[timedelta]) -> dict[str, timedelta]:
    """By nearest rank: each is a lag that really was."""
    ordered = sorted(lags)
    if not ordered:
        return {}
    return {
        name: ordered[-(-len(ordered) * percent // 100) - 1]
        for name, percent in QUANTILES.items()
    }
