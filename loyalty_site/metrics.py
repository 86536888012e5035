"""/metrics: how the server fares, for Prometheus; read from the database when asked.

So any number of processes give the same answer, and none has to remember anything.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from ipaddress import ip_address
from secrets import compare_digest
from typing import Any

from django.conf import settings
from django.db import Error as NoDatabase
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ingestion.health import lag, parity, standing
from rewards.models import Purchase

# What proxies add. One that adds none of them must not pass /metrics on.
FORWARDED = ("HTTP_X_FORWARDED", "HTTP_FORWARDED", "HTTP_VIA", "HTTP_X_REAL_IP")

# What a browser on this machine sends for a name that somebody made lead here, is none.
_THIS_MACHINE = re.compile(
    r"(localhost|127(\.[0-9]{1,3}){3}|\[::1\])(:[0-9]{1,5})?", re.IGNORECASE
)


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """For whoever has the token, and for this very machine without a proxy."""
    if not (_has_token(request.META) or _is_direct(request.META)):
        return HttpResponse(status=403)
    registry = CollectorRegistry()
    registry.register(Standing(at=datetime.now(UTC)))
    try:
        text = generate_latest(registry)
    except NoDatabase:
        return HttpResponse(status=503)
    return HttpResponse(text, content_type=CONTENT_TYPE_LATEST)


def _has_token(environ: Mapping[str, Any]) -> bool:
    if not settings.METRICS_TOKEN:
        return False
    scheme, _, token = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    return scheme.lower() == "bearer" and compare_digest(
        token.strip().encode("utf-8", "replace"), settings.METRICS_TOKEN.encode()
    )


def _is_direct(environ: Mapping[str, Any]) -> bool:
    """Whether it came from this machine's loopback, by its name, and by no proxy."""
    if any(name.startswith(FORWARDED) for name in environ):
        return False
    if not _THIS_MACHINE.fullmatch(environ.get("HTTP_HOST", "")):
        return False
    try:
        return ip_address(environ.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False


class Standing(Collector):
    """Every figure, as of one instant."""

    def __init__(self, *, at: datetime) -> None:
        self.at = at

    def collect(self) -> Iterable[Metric]:
        yield from self._inbox()
        yield from self._webhooks()
        yield from self._quality()
        yield from self._polling()
        yield from self._people()

    def _inbox(self) -> Iterator[Metric]:
        inbox = standing.Inbox.now()
        yield _gauge("inbox_events", "Events without an outcome", inbox.waiting)
        oldest = self._age(inbox.oldest) if inbox.oldest else 0
        yield _gauge("inbox_oldest_seconds", "Age of the oldest of them", oldest)
        yield _gauges(
            "events_last_hour",
            "Events received in the last hour",
            ("outcome", "source"),
            (
                ((outcome or "waiting", source), n)
                for outcome, source, n in standing.events_by_outcome(at=self.at)
            ),
        )

    def _webhooks(self) -> Iterator[Metric]:
        refused = standing.refusals_by_status(at=self.at)
        yield _gauges(
            "webhooks_refused_last_hour",
            "Webhooks refused in the last hour",
            ("status",),
            (((str(status),), n) for status, n in refused.items()),
        )

    def _quality(self) -> Iterator[Metric]:
        states = parity.of_last_day(at=self.at)
        yield _gauges(
            "parity_states_last_day",
            "States that first came in the last day, by the way they came",
            ("by",),
            (((by,), getattr(states, by)) for by in ("webhook", "poll", "both")),
        )
        lags = lag.of_last_day(at=self.at)
        stages = {"arrival": lags.arrival, "settling": lags.settling}
        yield _gauges(
            "lag_seconds",
            "From order to first event, and from event to balance, in the last day",
            ("stage", "quantile"),
            (
                ((stage, quantile), value.total_seconds())
                for stage, quantiles in stages.items()
                for quantile, value in quantiles.items()
            ),
        )

    def _polling(self) -> Iterator[Metric]:
        yield _gauges(
            "poll_age_seconds",
            "Since an account that is polled was last read to its end",
            ("account",),
            (
                ((str(poll.account),), self._age(poll.read_at))
                for poll in standing.polls()
                if poll.enabled and poll.read_at
            ),
        )
        windows = standing.unfinished_windows().count()
        yield _gauge("windows_unfinished", "Polling windows not read yet", windows)
        yield _gauges(
            "catalogue_age_seconds",
            "Since the catalogue was last synced without an error",
            ("network",),
            (
                ((network,), self._age(synced))
                for network, synced in standing.catalogue_syncs().items()
            ),
        )

    def _people(self) -> Iterator[Metric]:
        """What waits for somebody to act."""
        yield _gauges(
            "alarms_open",
            "Open alarms",
            ("kind",),
            (((kind,), n) for kind, n in standing.alarms_by_kind().items()),
        )
        review = Purchase.objects.exclude(review="").count()
        yield _gauge("purchases_in_review", "Purchases that staff must look at", review)

    def _age(self, since: datetime) -> float:
        return (self.at - since).total_seconds()


def _gauge(name: str, documentation: str, value: float) -> Metric:
    return GaugeMetricFamily(f"loyalty_{name}", documentation, value=value)


def _gauges(
    name: str,
    documentation: str,
    labels: tuple[str, ...],
    values: Iterable[tuple[tuple[str, ...], float]],
) -> Metric:
    family = GaugeMetricFamily(f"loyalty_{name}", documentation, labels=labels)
    for found, value in values:
        family.add_metric(found, value)
    return family
