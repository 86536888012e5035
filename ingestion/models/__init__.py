"""What ingestion keeps: the inbox, how polling stands, what staff should know."""

from ingestion.models.alarms import Alarm, Refusal
from ingestion.models.inbox import InboundEvent, Sighting
from ingestion.models.jobs import Job
from ingestion.models.polling import Doubt, Poll, Window
from ingestion.models.reconciliation import Difference, Reconciliation

__all__ = [
    "Alarm",
    "Difference",
    "Doubt",
    "InboundEvent",
    "Job",
    "Poll",
    "Reconciliation",
    "Refusal",
    "Sighting",
    "Window",
]
