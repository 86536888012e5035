"""The admin pages of ingestion, a module a noun."""

from ingestion.admin import (
    alarms,
    events,
    health,
    polling,
    purchases,
    reconciliation,
)

__all__ = ["alarms", "events", "health", "polling", "purchases", "reconciliation"]
