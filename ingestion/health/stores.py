"""Stores of which nothing is heard, and stores whose orders never become final."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db.models import (
    Case,
    Count,
    DateTimeField,
    F,
    Max,
    Min,
    OuterRef,
    Q,
    Subquery,
    Value,
    When,
)

from ingestion.health.conditions import Finding, Kind
from ingestion.models import Alarm
from merchants.models import Merchant
from rewards.models import Purchase

LOOKED_AT = timedelta(days=30)
FEWEST_ORDERS = 10
SHORTEST_GAP = timedelta(hours=1)
TIMES_ITS_GAP = 3
USUAL_WINDOW = timedelta(days=90)  # of a store that doesn't say
LONGEST_WINDOW = 10 * 365 * 24 * 60  # minutes
MARGIN = timedelta(days=7)
PENDING = Purchase.Status.PENDING


def silent(*, at: datetime) -> Iterator[Finding]:
    """Stores from which no order arrived for three times their usual gap.

    The usual gap is the mean one between the orders of 30 days. Once a store is
    found silent it stays so until an order of it arrives, though those 30 days pass.
    """
    quiet = {
        merchant: (gap, seen)
        for merchant, gap, seen in _rhythms(at)
        if at - seen > TIMES_ITS_GAP * gap
    }
    found = set()
    for merchant in Merchant.objects.filter(pk__among=quiet, gone_at=None):
        gap, seen = quiet[merchant.pk]
        found.add(merchant.external_id)
        yield Finding(
            Kind.STORE_SILENT,
            merchant.external_id,
            f"No order of {merchant} has arrived since {seen:%Y-%m-%d %H:%M} UTC."
            f" One usually comes every {_hours(gap)}.",
        )
    yield from _still_silent(found)


def _rhythms(at: datetime) -> Iterator[tuple[int, timedelta, datetime]]:
    """Each busy store's id, usual gap, and when its last order arrived."""
    orders = Purchase.objects.filter(
        attributed_at__gt=at - LOOKED_AT, merchant__isnull=False
    )
    rows = (
        orders.values("merchant")
        .annotate(
            n=Count("pk"),
            first=Min("attributed_at"),
            last=Max("attributed_at"),
            seen=Max("first_seen_at"),
        )
        .filter(n__gte=FEWEST_ORDERS)
        .order_by("merchant")
    )
    for row in rows:
        gap = (row["last"] - row["first"]) / (row["n"] - 1)
        yield row["merchant"], max(gap, SHORTEST_GAP), row["seen"]


def _still_silent(found: set[str]) -> Iterator[Finding]:
    """Alarms of which the reason left the 30 days, and no order has arrived since."""
    alarms = Alarm.objects.filter(kind=Kind.STORE_SILENT, ended_at=None)
    left = {a.subject: a for a in alarms if a.subject not in found}
    if not left:
        return
    newest = Purchase.objects.filter(merchant=OuterRef("pk")).order_by("-pk")
    stores = Merchant.objects.filter(external_id__in=left, gone_at=None).annotate(
        seen=Subquery(newest.values("first_seen_at")[:1])
    )
    for store in stores:
        alarm = left[store.external_id]
        if store.seen is None or store.seen <= alarm.raised_at:
            yield Finding(alarm.kind, alarm.subject, alarm.text)


def _hours(gap: timedelta) -> str:
    hours = round(gap / timedelta(hours=1))
    if hours > 48:
        return f"{round(hours / 24)} days"
    return "hour" if hours == 1 else f"{hours} hours"


def overdue(*, at: datetime) -> Iterator[Finding]:
    """Orders still pending a week after their store should have made them final."""
    pending = Purchase.objects.filter(merchant=OuterRef("pk"), status=PENDING)
    late = pending.filter(attributed_at__lt=OuterRef("latest")).order_by()
    oldest = pending.order_by("attributed_at").values("attributed_at")[:1]
    # Store by store, since the databases would rather read every pending order.
    stores = Merchant.objects.annotate(
        latest=_latest(at),
        oldest=Subquery(oldest),
        late=Subquery(late.values("merchant").annotate(n=Count("pk")).values("n")),
    )
    for store in stores.filter(oldest__lt=F("latest")):
        yield _overdue(store.external_id, str(store), store.late, store.oldest)
    homeless = Purchase.objects.filter(
        merchant=None, status=PENDING, attributed_at__lt=_final(at, USUAL_WINDOW)
    )
    rest = homeless.aggregate(n=Count("pk"), oldest=Min("attributed_at"))
    if rest["n"]:
        yield _overdue("", "no known store", rest["n"], rest["oldest"])


def _overdue(subject: str, name: str, count: int, oldest: datetime) -> Finding:
    text = (
        f"Orders of {name} that should be final by now and are pending: {count},"
        f" the oldest of {oldest:%Y-%m-%d}."
    )
    return Finding(Kind.OVERDUE, subject, text)


def _latest(at: datetime) -> Case:
    """Before which time an order of a store must have been made to be late.

    Stores share few windows, so the query has one case for each.
    """
    windows = Merchant.objects.filter(finalization_minutes__isnull=False)
    known = windows.values_list("reporting_days", "finalization_minutes").distinct()
    cases = [
        When(
            _same("reporting_days", days) & Q(finalization_minutes=minutes),
            then=_instant(_final(at, _window(days, minutes))),
        )
        for days, minutes in known.order_by()
    ]
    return Case(*cases, default=_instant(_final(at, USUAL_WINDOW)))


def _window(days: int | None, minutes: int | None) -> timedelta:
    """How long an order may stay pending; what a store says may be absurd."""
    whole = (days or 0) * 24 * 60 + (minutes or 0)
    return timedelta(minutes=min(whole, LONGEST_WINDOW))


def _same(field: str, value: int | None) -> Q:
    return Q(**{f"{field}__isnull": True}) if value is None else Q(**{field: value})


def _final(at: datetime, window: timedelta) -> datetime:
    return at - window - MARGIN


def _instant(at: datetime) -> Value:
    return Value(at, output_field=DateTimeField())
