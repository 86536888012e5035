"""Where ingestion stands at an instant: figures that several places show."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Max, Min, QuerySet, Sum

from ingestion.models import Alarm, InboundEvent, Poll, Refusal, Window
from merchants.models import CatalogueSync

HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Inbox:
    """How many events have no outcome yet, and when the oldest of them came."""

    waiting: int
    oldest: datetime | None

    @classmethod
    def now(cls) -> "Inbox":
        waiting = InboundEvent.objects.filter(outcome="")
        counted = waiting.aggregate(n=Count("pk"), oldest=Min("received_at"))
        return cls(counted["n"], counted["oldest"])


def open_alarms() -> QuerySet[Alarm]:
    return Alarm.objects.filter(ended_at=None)


def alarms_by_kind() -> dict[str, int]:
    """How many alarms of every kind are open, zeros too."""
    counts = open_alarms().values_list("kind").annotate(n=Count("pk")).order_by("kind")
    return dict.fromkeys(Alarm.Kind.values, 0) | dict(counts)


def events_by_outcome(*, at: datetime) -> list[tuple[str, str, int]]:
    """(outcome, source, count) of the events received in the last hour."""
    received = InboundEvent.objects.filter(received_at__gt=at - HOUR)
    counted = received.values_list("outcome", "source").annotate(n=Count("pk"))
    return list(counted.order_by("outcome", "source"))


def refusals_by_status(*, at: datetime) -> dict[int, int]:
    """Refused webhooks of the last hour, by the status they were answered with."""
    refused = Refusal.objects.filter(minute__gte=at - HOUR).values_list("status")
    return dict(refused.annotate(n=Sum("count")).order_by("status"))


def polls() -> QuerySet[Poll]:
    return Poll.objects.select_related("account").order_by("account__external_id")


def unfinished_windows() -> QuerySet[Window]:
    return Window.objects.filter(finished_at=None).select_related("account")


def catalogue_syncs() -> dict[str, datetime]:
    """When the catalogue of each network was last synced without an error."""
    good = CatalogueSync.objects.filter(error="").values_list("network")
    return dict(good.annotate(at=Max("synced_at")).order_by("network"))


def progress(window: Window, *, at: datetime) -> int | None:
    """How much of a window is read, in percent; None where nobody can tell.

    Pages come in no promised order, so this is how far the newest change seen lies
    into the window. Of a window over creation times changes say nothing.
    """
    if window.finished_at:
        return 100
    end = window.end or at
    if window.by != Window.By.MODIFIED or window.newest is None or end <= window.start:
        return None
    done = (window.newest - window.start) / (end - window.start)
    return round(100 * min(max(done, 0), 1))
