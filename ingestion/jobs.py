"""Periodic work: each job holds a lease, and is idempotent.

Two beats that fire at once, or a beat that was away for a day, change nothing: a job
is due by its row, not by who woke it.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import structlog
from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.db import connection, models

from ingestion import alarms, closing, sweeps
from ingestion.accounts import discover, tell_new
from ingestion.button.client import ButtonClient
from ingestion.button.errors import ButtonError
from ingestion.catalogue import sync_catalogue
from ingestion.models import Job
from rewards.leases import Busy, hold

AFTER_TROUBLE = timedelta(minutes=10)
LONGEST = timedelta(minutes=5)  # no job may take longer; see its task's limit
OUT_OF_TIME = "It was stopped when the four minutes of a worker were over."
Work = Callable[[ButtonClient, datetime], object]

log = structlog.get_logger(__name__)


class Periodic(NamedTuple):
    """A job's rhythm, and the command that does the same without a limit of time."""

    every: timedelta
    work: Work
    by_hand: str = ""


def _tell(client: ButtonClient, at: datetime) -> None:
    tell_new(at=at)
    alarms.check(at=at, looking=alarms.EACH_MINUTE)


PERIODIC = {
    "accounts": Periodic(timedelta(days=1), lambda c, at: discover(c, at=at)),
    "catalogue": Periodic(
        timedelta(hours=6), lambda c, at: sync_catalogue(c, at=at), "sync_catalogue"
    ),
    "open orders": Periodic(
        timedelta(days=1), lambda c, at: sweeps.reread_open_orders(at=at)
    ),
    "sweep": Periodic(timedelta(days=30), lambda c, at: sweeps.sweep(at=at)),
    "comparisons": Periodic(
        timedelta(minutes=1), lambda c, at: sweeps.compare_next(c, at=at)
    ),
    "alarms": Periodic(timedelta(minutes=1), _tell),
    "stores": Periodic(
        timedelta(minutes=15),
        lambda c, at: alarms.check(at=at, looking=alarms.EACH_QUARTER),
    ),
    Job.CLOSES: Periodic(
        timedelta(minutes=10), lambda c, at: closing.close_days(at=at), "close_days"
    ),
    "pruning": Periodic(timedelta(days=1), lambda c, at: sweeps.prune(at=at)),
}


def run_due(client: ButtonClient, *, at: datetime) -> list[str]:
    """Run each job that is due and that nobody else runs; the names of those run."""
    return [name for name in PERIODIC if _run(name, client, at=at)]


def _run(name: str, client: ButtonClient, *, at: datetime) -> bool:
    if not settings.BUTTON_API_KEY and name not in Job.ASK_NOBODY:
        return False
    job, _ = Job.objects.get_or_create(name=name)
    try:
        with hold(job, length=LONGEST):
            job.refresh_from_db()
            if job.due_at and job.due_at > at:
                return False
            _work(job, PERIODIC[name], client, at=at)
    except Busy:
        return False
    return True


def _work(job: Job, periodic: Periodic, client: ButtonClient, *, at: datetime) -> None:
    again = at + min(AFTER_TROUBLE, periodic.every)
    try:
        periodic.work(client, at)
    except SoftTimeLimitExceeded:
        connection.close()  # it may be in the middle of a query
        log.error("job_out_of_time", job=job.name)
        _note(job, due_at=again, error=OUT_OF_TIME + _advice(periodic))
        raise
    except ButtonError as error:
        log.warning("job_failed", job=job.name, error=str(error))
        _note(job, due_at=again, error=str(error))
    except Exception as error:
        log.exception("job_failed", job=job.name)
        what = f"{type(error).__name__}: {error}"[:1000]
        _note(job, due_at=again, error=what)
    else:
        done = datetime.now(UTC)
        _note(job, due_at=at + periodic.every, error="", finished_at=done)


def _advice(periodic: Periodic) -> str:
    if not periodic.by_hand:
        return ""
    return f" Run `manage.py {periodic.by_hand}` once: it takes as long as it takes."


def _note(job: Job, **values: object) -> None:
    rows: models.QuerySet[Job] = Job.objects.filter(pk=job.pk)
    rows.update(**values)
