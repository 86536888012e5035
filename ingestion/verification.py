"""Every invariant of the server: the ledger's, and the inbox's own."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

import structlog
from django.db.models import Exists, OuterRef, Q, QuerySet

from ingestion.alarms import end_alarm, raise_alarm
from ingestion.models import Alarm, InboundEvent
from ingestion.replaying import REPLAYED, Replay
from rewards import freezes, verification
from rewards.models import Report
from rewards.verification import Check
from rewards.verification.checking import Broken

LONGEST_WAIT = timedelta(minutes=10)
SETTLED_SOMETHING = ("settled", "unchanged", "review")

_OUTCOME = InboundEvent.Outcome
_LEFT = Report.objects.filter(
    purchase=OuterRef("purchase"),
    source=OuterRef("source"),
    received_at=OuterRef("received_at"),
    settlement__settled_at=OuterRef("handled_at"),
)

log = structlog.get_logger(__name__)


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
        "an event that was quarantined names no purchase",
        events.filter(outcome=_OUTCOME.QUARANTINED).exclude(purchase=None),
    )
    yield _check(
        "an event that settled something left its report with its purchase, then",
        events.filter(~Exists(_LEFT), outcome__in=(_OUTCOME.SETTLED, _OUTCOME.REVIEW)),
    )
    yield _check(
        "no event waits for more than ten minutes",
        events.filter(waiting, received_at__lt=at - LONGEST_WAIT),
    )


def act_on(found: Iterable[Check], *, at: datetime) -> int:
    """Freeze what these checks found broken and nothing else, and tell staff.

    Returns how many checks were violated. What holds again ends its alarm; the freeze
    stays until staff lift it.
    """
    violated = 0
    for check in found:
        if not check.violations:
            end_alarm(Alarm.Kind.BOOKS, subject=check.name, at=at)
            continue
        violated += 1
        log.error("invariant_violated", name=check.name, count=check.violations)
        new = freezes.freeze(check, at=at)
        text = (
            f"{check.violations} rows: {', '.join(check.examples)}. {new} frozen now."
        )
        raise_alarm(Alarm.Kind.BOOKS, subject=check.name, text=text, at=at)
    return violated


def act_on_replay(found: Replay, *, at: datetime) -> None:
    """Freeze what came out otherwise when everything was settled again, and tell."""
    if found.complete:
        act_on([found.check], at=at)
    else:
        text = (
            f"Time was up after {found.done} steps. Let `manage.py replay` run by a"
            " schedule of your own."
        )
        raise_alarm(Alarm.Kind.BOOKS, subject=REPLAYED, text=text, at=at)


def _check(name: str, broken: QuerySet[InboundEvent]) -> Check:
    rows = broken.values_list("pk", "purchase_id")
    return Check.of(name, [Broken(pk, purchase_id=id) for pk, id in rows])
