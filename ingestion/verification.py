"""Every invariant of the server: the ledger's, and the inbox's own."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db.models import Q, QuerySet

from ingestion.models import InboundEvent
from rewards import verification
from rewards.verification import Check

LONGEST_WAIT = timedelta(minutes=10)
SETTLED_SOMETHING = ("settled", "unchanged", "review")


def checks(*, at: datetime) -> Iterator[Check]:
    """Check every invariant in turn, as of now."""
    yield from verification.checks()
    waiting = Q(outcome="")
    events = InboundEvent.objects.order_by("pk")
    yield _check(
        "an event is handled exactly when it has an outcome",
        events.filter(
            (waiting & Q(handled_at__isnull=False)) | (~waiting & Q(handled_at=None))
        ),
    )
    yield _check(
        "an event that was settled names its purchase",
        events.filter(outcome__in=SETTLED_SOMETHING, purchase=None),
    )
    yield _check(
        "no event waits for more than ten minutes",
        events.filter(waiting, received_at__lt=at - LONGEST_WAIT),
    )


def _check(name: str, broken: QuerySet[InboundEvent]) -> Check:
    first = broken.values_list("pk", flat=True)[:5]
    return Check(name, broken.count(), tuple(f"#{pk}" for pk in first))
