"""Celery's wake-up calls. The inbox table is the queue, so losing one loses nothing."""

from datetime import UTC, datetime

import structlog
from celery import shared_task

from ingestion import processing, verification

log = structlog.get_logger(__name__)


@shared_task
def drain_inbox() -> int:
    """Handle what waits in the inbox; the next tick goes on where time runs out."""
    return processing.drain(seconds=20)


@shared_task
def verify_ledger() -> int:
    """Check every invariant; how many are violated."""
    checks = verification.checks(at=datetime.now(UTC))
    violated = [check for check in checks if check.violations]
    for check in violated:
        log.error("invariant_violated", name=check.name, count=check.violations)
    return len(violated)
