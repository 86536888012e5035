"""Raising alarms and ending them: one open alarm of a kind about a subject."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain

import structlog
from django.contrib.auth.models import AbstractBaseUser
from django.db import connection, transaction
from django.db.models import QuerySet

from ingestion.health import conditions, outbox, stores
from ingestion.health.conditions import Finding
from ingestion.models import Alarm
from rewards import bulk

Kind = Alarm.Kind
Condition = Callable[..., Iterator[Finding]]
Conditions = Mapping[Condition, Sequence[str]]
# Which alarms each condition raises, and ends.
EACH_MINUTE: Conditions = {
    conditions.intake: (Kind.WEBHOOKS_FAILING, Kind.SIGNATURES_FAILING),
    conditions.inbox: (Kind.INBOX_STUCK,),
    conditions.polling: (Kind.POLL_FAILING,),
    conditions.jobs: (Kind.JOB_FAILING,),
    outbox.unsent: (Kind.OUTBOX_STUCK, Kind.OUTBOX_FAILED),
}
# These look at a month of orders, and what they tell is hours old at least.
EACH_QUARTER: Conditions = {
    stores.silent: (Kind.STORE_SILENT,),
    stores.overdue: (Kind.OVERDUE,),
}
CONDITIONS: Conditions = {**EACH_MINUTE, **EACH_QUARTER}
# These end with their cause; of all the others staff say that they have seen them.
WATCHED = frozenset(chain.from_iterable(CONDITIONS.values()))
_COLUMNS = ("kind", "subject", "text", "raised_at", "seen_at")

log = structlog.get_logger(__name__)


def raise_alarm(kind: str, *, subject: str = "", text: str, at: datetime) -> Alarm:
    """Raise an alarm; one that is open already gets the newer text and time.

    Safe to call at once from anywhere: a unique constraint keeps it single.
    """
    found = Finding(kind, subject[:255], text)
    if not _raise([found], at=at):
        _open(found).update(text=text, seen_at=at)
    return Alarm.objects.filter(kind=kind, subject=found.subject).latest("pk")


def end_alarm(kind: str, *, subject: str = "", at: datetime) -> None:
    """End an alarm whose cause is gone; nothing happens where none is open."""
    _end(_open(Finding(kind, subject[:255], "")), at=at)


def mark_seen(
    alarms: QuerySet[Alarm], *, by: AbstractBaseUser, at: datetime
) -> list[Alarm]:
    """End open alarms that tell of a happening; which of them were.

    One that watches a condition stays open for as long as it holds.
    """
    told = alarms.filter(ended_at=None).exclude(kind__in=WATCHED)
    return [
        alarm
        for alarm in told
        if Alarm.objects.filter(pk=alarm.pk, ended_at=None).update(
            ended_at=at, ended_by=by
        )
    ]


def check(*, at: datetime, looking: Conditions = CONDITIONS) -> int:
    """Look at conditions; raise, renew and end their alarms. How many hold.

    Two checks at once do no harm. The number of queries is constant.
    """
    findings = chain.from_iterable(condition(at=at) for condition in looking)
    found = {(f.kind, f.subject): f for f in findings}
    kinds = list(chain.from_iterable(looking.values()))
    alarms = Alarm.objects.filter(kind__in=kinds, ended_at=None)
    known = {(alarm.kind, alarm.subject): alarm.pk for alarm in alarms}
    renewed = [(known[k], found[k].text) for k in sorted(found.keys() & known)]
    gone = [known[key] for key in known.keys() - found.keys()]
    with transaction.atomic():
        _raise([found[key] for key in sorted(found.keys() - known.keys())], at=at)
        bulk.update(Alarm, ("id", "text"), renewed, alike={"seen_at": at})
        if gone:
            _end(Alarm.objects.filter(pk__among=gone, ended_at=None), at=at)
    return len(found)


def _open(found: Finding) -> QuerySet[Alarm]:
    return Alarm.objects.filter(kind=found.kind, subject=found.subject, ended_at=None)


def _raise(findings: Sequence[Finding], *, at: datetime) -> int:
    """Open the alarms that are not open yet; how many were not. Each is logged once."""
    if not findings:
        return 0
    now = connection.ops.adapt_datetimefield_value(at)
    rows = [(f.kind, f.subject, f.text, now, now) for f in findings]
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO ingestion_alarm ({', '.join(_COLUMNS)})"
            f" VALUES {', '.join(['(%s, %s, %s, %s, %s)'] * len(rows))}"
            " ON CONFLICT DO NOTHING RETURNING kind, subject, text",
            list(chain.from_iterable(rows)),
        )
        raised = cursor.fetchall()
    for kind, subject, text in raised:
        log.error("alarm_raised", kind=kind, subject=subject, text=text)
    return len(raised)


def _end(alarms: QuerySet[Alarm], *, at: datetime) -> None:
    ending = list(alarms.values_list("kind", "subject"))
    if ending and alarms.update(ended_at=at):
        for kind, subject in ending:
            log.info("alarm_ended", kind=kind, subject=subject)
