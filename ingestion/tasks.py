"""Celery's wake-up calls. Tables say what is to be done: losing one loses nothing."""

from datetime import UTC, datetime
from time import monotonic

import structlog
from celery import shared_task
from django.conf import settings

from ingestion import jobs, polling, processing, replaying, verification
from ingestion.button.client import ButtonClient

# All in seconds, and together below the limits of a task: the place is kept after each
# page, and the next call goes on.
POLLING_TIME = 20
PATIENCE = {"attempts": 2, "total": 15}
REPLAYING_TIME = 200

log = structlog.get_logger(__name__)


@shared_task
def drain_inbox() -> int:
    """Handle what waits in the inbox; the next tick goes on where time runs out."""
    return processing.drain(seconds=20)


@shared_task
def poll_accounts() -> int:
    """Read what the accounts are due; how many had something to read."""
    if not settings.BUTTON_API_KEY:
        return 0
    until = monotonic() + POLLING_TIME
    with ButtonClient.from_settings(**PATIENCE) as client:
        return polling.poll_due(
            client, at=datetime.now(UTC), expired=lambda: monotonic() > until
        )


@shared_task(soft_time_limit=240, time_limit=270)  # below the visibility timeout
def run_jobs() -> list[str]:
    """Run the periodic work that is due; its names."""
    with ButtonClient.from_settings(**PATIENCE) as client:
        return jobs.run_due(client, at=datetime.now(UTC))


@shared_task(soft_time_limit=240, time_limit=270)  # below the visibility timeout
def verify_ledger() -> int:
    """Check every invariant and freeze what breaks one; how many are violated."""
    checks = verification.checks(at=datetime.now(UTC))
    # One by one: what is settled until then is not frozen yet, and a replay knows.
    return sum(verification.act_on([c], at=datetime.now(UTC)) for c in checks)


@shared_task(soft_time_limit=240, time_limit=270)
def replay_ledger() -> int:
    """Settle everything again and freeze what comes out otherwise; how much did.

    It only reads, so two at once do no harm.
    """
    until = monotonic() + REPLAYING_TIME
    found = replaying.replay(expired=lambda: monotonic() > until)
    verification.act_on_replay(found, at=datetime.now(UTC))
    return len(found.differences)
