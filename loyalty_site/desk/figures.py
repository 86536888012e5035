"""The program's figures at a glance: cheap to ask for, and a minute old at most."""

from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import wraps
from typing import Any, NamedTuple, TypeVar

from django.core.cache import cache
from django.db.models import Count, Q, Sum
from django.db.models.functions import TruncDate

from rewards.finance.margins import margins
from rewards.models import Account, Purchase, Unit
from rewards.reports import PENDING, VALIDATED

_T = TypeVar("_T")
DAYS = 14
OLD = 60
"""Seconds for which a figure is shown again instead of being asked for anew."""

DECIDED = (timedelta(days=90), timedelta(days=60))
"""How long ago orders were made of which most stores have said whether they stand."""


class Day(NamedTuple):
    """Orders of one day (UTC)."""

    day: date
    purchases: int


class Cost(NamedTuple):
    """Commission of the orders of DAYS that were not declined, and what their members
    get of it, in minor units. What has no worth in the currency is left out."""

    currency: str
    commission: int
    rewards: int


class Held(NamedTuple):
    """What all members together have, in a unit's smallest step."""

    unit: Unit
    pending: int
    available: int


class Rate(NamedTuple):
    """How many orders of DECIDED were validated, how many declined, and how many are
    still pending."""

    validated: int
    declined: int
    pending: int

    @property
    def percent(self) -> int | None:
        """Of those that are decided; None where none is."""
        decided = self.validated + self.declined
        return 100 * self.validated // decided if decided else None


def _remembered(ask: Callable[[datetime], _T]) -> Callable[[datetime], _T]:
    """Ask once a minute, whoever looks and however many."""

    @wraps(ask)
    def remembering(at: datetime) -> Any:
        return cache.get_or_set(f"desk-{ask.__name__}", lambda: ask(at), OLD)

    return remembering


@_remembered
def days(at: datetime) -> list[Day]:
    """Purchases by the day of their order, the oldest first, empty days too."""
    counted = (
        Purchase.objects.filter(attributed_at__gte=_since(at))
        .order_by()
        .values_list(TruncDate("attributed_at", tzinfo=UTC))
        .annotate(Count("pk"))
    )
    found = dict(counted)
    every = [_since(at).date() + timedelta(days=n) for n in range(DAYS)]
    return [Day(day, found.get(day, 0)) for day in every]


@_remembered
def costs(at: datetime) -> list[Cost]:
    """By currency of commission."""
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for store in margins(start=_since(at), end=at + timedelta(days=1), at=at):
        sums[store.currency][0] += store.commission
        sums[store.currency][1] += store.rewards
    return [Cost(currency, *both) for currency, both in sorted(sums.items())]


@_remembered
def held(at: datetime) -> list[Held]:
    """Of each unit that anybody holds."""
    kinds = (Account.Kind.PENDING, Account.Kind.AVAILABLE)
    rows = Account.objects.filter(member__isnull=False, kind__in=kinds).order_by()
    sums = {
        (unit_id, kind): total
        for unit_id, kind, total in rows.values_list("unit_id", "kind").annotate(
            Sum("balance")
        )
    }
    units = Unit.objects.filter(pk__in={unit_id for unit_id, _ in sums})
    return [
        Held(unit, *(sums.get((unit.pk, kind)) or 0 for kind in kinds))
        for unit in units.order_by("pk")
    ]


@_remembered
def validation(at: datetime) -> Rate:
    """What became of the orders of DECIDED."""
    earliest, latest = (at - ago for ago in DECIDED)
    orders = Purchase.objects.filter(attributed_at__range=(earliest, latest))
    counted = orders.aggregate(
        all=Count("pk"),
        validated=Count("pk", filter=Q(status=VALIDATED)),
        pending=Count("pk", filter=Q(status=PENDING)),
    )
    validated, pending = counted["validated"], counted["pending"]
    return Rate(validated, counted["all"] - validated - pending, pending)


def _since(at: datetime) -> datetime:
    """The first midnight (UTC) of the last DAYS days, today included."""
    today = datetime.combine(at.astimezone(UTC).date(), datetime.min.time(), tzinfo=UTC)
    return today - timedelta(days=DAYS - 1)
