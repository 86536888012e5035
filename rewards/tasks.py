"""Celery's wake-up calls for what time changes."""

from datetime import UTC, datetime
from time import monotonic

import structlog
from celery import shared_task

from rewards import reruns
from rewards.backtests import running
from rewards.bulks import working
from rewards.ledger import expiries
from rewards.outbox import sending
from rewards.program import reproduction
from rewards.settling import due

# In seconds. With a call every five, two workers at once are busy with backtests, and
# the others stay free for orders.
BACKTESTING_TIME = 10
RERUNNING_TIME = 20
BULK_TIME = 20
SENDING_TIME = 10
EXPIRING_TIME = 20

log = structlog.get_logger(__name__)


@shared_task
def settle_due() -> int:
    """Settle purchases whose time has come."""
    return due.settle_due(at=datetime.now(UTC))


@shared_task
def expire_points() -> int:
    """Let lots go whose time is over, and warn of those that go soon."""
    at, until = datetime.now(UTC), monotonic() + EXPIRING_TIME
    expiries.warn(at=at)
    return expiries.expire(at=at, expired=lambda: monotonic() > until)


@shared_task
def verify_receipts() -> int:
    """Work a sample of current awards out again; how many differ."""
    sample = reproduction.some(reproduction.SAMPLE)
    found = list(reproduction.differences(sample))
    for difference in found:
        log.error("receipt_not_reproduced", purchase=difference.purchase.pk)
    return len(found)


@shared_task(soft_time_limit=240, time_limit=270)  # below the visibility timeout
def work_backtests() -> int:
    """Work on backtests that were asked for; the next call goes on."""
    until = monotonic() + BACKTESTING_TIME
    return running.work(expired=lambda: monotonic() > until)


@shared_task
def work_reruns() -> int:
    """Settle what is left of re-runs under way; how many purchases were."""
    until = monotonic() + RERUNNING_TIME
    return reruns.work_reruns(at=datetime.now(UTC), expired=lambda: monotonic() > until)


@shared_task
def work_bulks() -> int:
    """Post or take back what is left of files under way; how many lines were."""
    until = monotonic() + BULK_TIME
    return working.work(at=datetime.now(UTC), expired=lambda: monotonic() > until)


@shared_task
def send_messages() -> int:
    """Send what the outbox holds that is due; how many attempts were made."""
    until = monotonic() + SENDING_TIME
    return sending.work(at=datetime.now(UTC), expired=lambda: monotonic() > until)
