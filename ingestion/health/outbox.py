"""Messages that do not leave us: failed for good, or waiting for too long."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from django.db.models import Count, Min, Q

from ingestion.health.conditions import LONGEST_WAIT, Finding, Kind, lasting
from rewards.models import Message, Redemption
from rewards.outbox.sending import not_stopped

TRIES = 6
"""All in vain: for three quarters of an hour at least."""
State = Message.State


def unsent(*, at: datetime) -> Iterator[Finding]:
    """What each endpoint, and mail, should have got and didn't.

    Late is what was tried often in vain, and what is due while nobody tries.
    """
    for row in _by_receiver(at):
        name = row["endpoint__name"] or ""
        what = f"Messages to {name}" if name else "Mail"
        if row["failed"]:
            yield Finding(
                Kind.OUTBOX_FAILED,
                name,
                f"{what} that failed for good: {row['failed']}, the first of"
                f" {row['gave_up']:%Y-%m-%d %H:%M} UTC. Mend the receiver, then choose"
                " them in the outbox and send them again, or drop them.",
            )
        if row["late"]:
            yield Finding(
                Kind.OUTBOX_STUCK,
                name,
                f"{what} still waiting: {row['late']}, the oldest for"
                f" {lasting(row['oldest'], at)}. {_advice(row)}",
            )


def _by_receiver(at: datetime) -> Iterable[Any]:
    """A row for each receiver that lacks something."""
    # What a call that failed was for was given back: nothing is left to do.
    failed = Q(state=State.FAILED) & ~Q(kind=Message.Kind.CALL)
    overdue = Q(due_at__lt=at - LONGEST_WAIT) & not_stopped(at=at)
    late = Q(state=State.WAITING) & (Q(attempts__gte=TRIES) | overdue)
    late &= Q(redemption=None) | Q(redemption__status__in=Redemption.OPEN)
    # Without what was sent: an index has the rest, which is little.
    unsent = Message.objects.exclude(state=State.SENT).filter(failed | late)
    return (
        unsent.values("endpoint__name", "endpoint__active")
        .annotate(
            failed=Count("pk", filter=failed),
            gave_up=Min("ended_at", filter=failed),
            late=Count("pk", filter=~failed),
            untried=Count("pk", filter=Q(state=State.WAITING, attempts=0)),
            oldest=Min("created_at", filter=~failed),
        )
        .order_by("endpoint__name")
    )


def _advice(row: Any) -> str:
    if row["endpoint__active"] is False:
        return (
            "It is switched off: switch it on, or drop them in the outbox; a call is"
            " dropped with its redemption."
        )
    if row["untried"] == row["late"]:
        return "None was tried: see that workers and beat run."
    return "The outbox says what came back. See that the receiver answers."
