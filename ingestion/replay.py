"""Processing quarantined events again, once whatever kept them is mended."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import uuid4

import structlog
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import AbstractBaseUser
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.db.models.functions import Now

from ingestion.models import InboundEvent
from ingestion.processing import LEASE, handle

QUARANTINED = InboundEvent.Outcome.QUARANTINED

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Replayed:
    """How many events have which outcome now; how many had one already and kept it.

    An event without outcome failed again, and waits in the inbox for a worker.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    untouched: int = 0


def process_again(
    events: Sequence[InboundEvent], *, by: AbstractBaseUser | None, at: datetime
) -> Replayed:
    """Give quarantined events another try, one by one; others stay as they are."""
    replayed = Replayed()
    for event in events:
        if not _take(event, by=by, at=at):
            replayed.untouched += 1
            continue
        handle([event])
        event.refresh_from_db(fields=["outcome", "reason", "handled_at", "purchase"])
        replayed.outcomes[event.outcome] += 1
    log.info("events_processed_again", by=by and by.pk, **replayed.outcomes)
    return replayed


def _take(event: InboundEvent, *, by: AbstractBaseUser | None, at: datetime) -> bool:
    """Claim a quarantined event as a worker would; False where it is none any more."""
    claim = {"attempts": 1, "claimed_by": uuid4().hex}
    with transaction.atomic():
        taken = InboundEvent.objects.filter(pk=event.pk, outcome=QUARANTINED).update(
            outcome="", reason="", handled_at=None, claimed_until=Now() + LEASE, **claim
        )
        if taken and by:
            _note(event, by=by, at=at)
    for name, value in claim.items():
        setattr(event, name, value)
    return bool(taken)


def _note(event: InboundEvent, *, by: AbstractBaseUser, at: datetime) -> None:
    """Say in the event's history who did it, and what had been wrong."""
    LogEntry.objects.create(
        user_id=by.pk,
        action_time=at,
        content_type=ContentType.objects.get_for_model(event),
        object_id=str(event.pk),
        object_repr=str(event),
        action_flag=CHANGE,
        change_message=f"Processed again. It was quarantined: {event.reason}",
    )
