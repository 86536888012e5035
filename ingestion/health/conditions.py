"""What must not stay as it is: each condition that raises an alarm, and ends with it.

Every condition asks a constant number of questions of the database, however many
stores and accounts there are. Texts are stored, and so not translated.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Count, Min, Q, Sum
from django.utils.timesince import timesince

from ingestion.models import Alarm, InboundEvent, Job, Poll, Refusal, Sighting
from rewards.models import Report

Kind = Alarm.Kind
HOUR = timedelta(hours=1)
FAILURES = {
    401: "a wrong signature",
    405: "another method than POST",
    413: "too large",
    503: "could not be stored",
}
FEWEST_FAILURES = 3
FEWEST_WRONG_SIGNATURES = 3
ONE_IN = 20  # 5 %; Button pauses an endpoint at more than 10 %
LONGEST_WAIT = timedelta(minutes=10)
LATE_POLLS = 3


@dataclass(frozen=True, slots=True)
class Finding:
    """A condition that holds: the alarm's kind, what it is about, and what is wrong."""

    kind: str
    subject: str
    text: str


def intake(*, at: datetime) -> Iterator[Finding]:
    """Webhooks that were refused in the last hour."""
    refused = _refused(at - HOUR)
    yield from _webhooks(refused, at=at)
    yield from _signatures(refused)


def _refused(since: datetime) -> dict[tuple[int, bool], int]:
    counted = Refusal.objects.filter(minute__gte=since).values_list("status", "genuine")
    sums = counted.annotate(n=Sum("count")).order_by("status")
    return {(status, genuine): n for status, genuine, n in sums}


def _webhooks(
    refused: dict[tuple[int, bool], int], *, at: datetime
) -> Iterator[Finding]:
    counts = {s: n for (s, genuine), n in refused.items() if genuine and s in FAILURES}
    failed = sum(counts.values())
    if failed < FEWEST_FAILURES:
        return
    total = failed + _accepted(at - HOUR)
    if failed * ONE_IN < total:
        return
    said = ", ".join(f"{n} with {s} ({FAILURES[s]})" for s, n in counts.items())
    yield Finding(
        Kind.WEBHOOKS_FAILING,
        "",
        f"Of Button's {total} webhooks in the last hour {failed} were refused: {said}."
        " Button pauses the endpoint when more than 10 % fail, and at least 5.",
    )


def _accepted(since: datetime) -> int:
    webhook = Report.Source.WEBHOOK
    events = InboundEvent.objects.filter(received_at__gte=since, source=webhook)
    sightings = Sighting.objects.filter(seen_at__gte=since, source=webhook)
    return events.count() + sightings.count()


def _signatures(refused: dict[tuple[int, bool], int]) -> Iterator[Finding]:
    genuine, others = refused.get((401, True), 0), refused.get((401, False), 0)
    if genuine + others < FEWEST_WRONG_SIGNATURES:
        return
    advice = (
        "If the secret was changed at Button, add it to BUTTON_WEBHOOK_SECRETS."
        if genuine
        else "Somebody else may be trying the address."
    )
    yield Finding(
        Kind.SIGNATURES_FAILING,
        "",
        f"{genuine + others} webhooks in the last hour had a wrong signature;"
        f" {genuine} of them called themselves Button's. {advice}",
    )


def inbox(*, at: datetime) -> Iterator[Finding]:
    """Events that wait too long for an outcome."""
    late = Q(received_at__lt=at - LONGEST_WAIT)
    # The time is no condition of the query: its index would lead through all events.
    counted = InboundEvent.objects.filter(outcome="").aggregate(
        n=Count("pk", filter=late), oldest=Min("received_at")
    )
    if counted["n"]:
        yield Finding(
            Kind.INBOX_STUCK,
            "",
            f"Events that wait for more than ten minutes: {counted['n']}, the oldest"
            f" for {lasting(counted['oldest'], at)}. See that workers and beat run.",
        )


def polling(*, at: datetime) -> Iterator[Finding]:
    """Accounts that are not read; nothing is while there is no key."""
    if not settings.BUTTON_API_KEY:
        return
    for poll in Poll.objects.filter(enabled=True).select_related("account"):
        if fault := _fault_of_poll(poll, at=at):
            yield Finding(Kind.POLL_FAILING, str(poll.account), fault)


def _fault_of_poll(poll: Poll, *, at: datetime) -> str:
    if poll.read_at is None and _held(poll, at):
        return ""  # its first reading takes as long as it takes
    since = poll.read_at or poll.account.first_seen_at
    read = lasting(since, at)
    how = f"was last read to its end {read} ago" if poll.read_at else "was never read"
    if poll.error and since < at - HOUR:
        return f"{poll.account} {how}: {poll.error}"
    if since < at - timedelta(minutes=LATE_POLLS * poll.quiet_minutes):
        return f"{poll.account} {how}. See that workers and beat run."
    return ""


def jobs(*, at: datetime) -> Iterator[Finding]:
    """Periodic work that failed, or that nobody began.

    While there is no key, what asks Button is not begun.
    """
    known = Job.objects.all()
    if not settings.BUTTON_API_KEY:
        known = known.filter(name__in=Job.ASK_NOBODY)
    for job in known:
        late = job.due_at and job.due_at < at - LONGEST_WAIT and not _held(job, at)
        if job.error:
            yield Finding(Kind.JOB_FAILING, job.name, f"{job.name}: {job.error}")
        elif job.due_at and late:
            text = f"{job.name} has been due for {lasting(job.due_at, at)}."
            yield Finding(Kind.JOB_FAILING, job.name, text)


def _held(row: Poll | Job, at: datetime) -> bool:
    return row.held_until is not None and row.held_until > at


def lasting(since: datetime, at: datetime) -> str:
    """How long it has lasted, as people say it: "3 hours"."""
    return timesince(since, at, depth=1).replace("\u00a0", " ")
