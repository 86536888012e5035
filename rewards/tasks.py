"""Celery's wake-up calls for what time changes."""

from datetime import UTC, datetime

from celery import shared_task

from rewards import due


@shared_task
def settle_due() -> int:
    """Settle purchases whose time has come."""
    return due.settle_due(at=datetime.now(UTC))
