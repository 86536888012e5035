"""Purchases that time alone changes, and purchases that waited for an edition."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db.models import Q, QuerySet

from rewards.models import Decision, Edition, Purchase
from rewards.settlement import settle

BATCH = 50
STRAGGLING = timedelta(hours=1)


def settle_due(*, at: datetime) -> int:
    """Settle every purchase that is due; how many were."""
    due = Purchase.objects.filter(due_at__lte=at)
    settled = _settle_stragglers(at=at)
    while ids := list(
        due.order_by("due_at", "pk").values_list("pk", flat=True)[:BATCH]
    ):
        settle(purchases=ids, at=at)
        settled += len(ids)
    return settled


def settle_without_edition(*, at: datetime) -> int:
    """Settle what no edition held for, now that the first one is published."""
    first = Edition.objects.standing().order_by("number").first()
    if first is None:
        return 0
    waiting = Purchase.objects.filter(
        Q(settlement=None) | Q(settlement__edition=None), review="", due_at=None
    )
    if first.effective_from:
        waiting = waiting.filter(attributed_at__gte=first.effective_from)
    return settle_all(waiting, at=at)


def _settle_stragglers(*, at: datetime) -> int:
    """Settle what another worker was settling while the first edition was published.

    It may have looked for an edition just before and committed just after.
    """
    editions = Edition.objects.values_list("published_at", flat=True)[:2]
    new = len(editions) == 1 and at - editions[0] < STRAGGLING
    return settle_without_edition(at=at) if new else 0


def settle_all(
    purchases: QuerySet[Purchase], *, decision: Decision | None = None, at: datetime
) -> int:
    """Settle these purchases in batches; how many there were."""
    last, settled = 0, 0
    while ids := _next(purchases, last):
        settle(purchases=ids, decision=decision, at=at)
        last, settled = ids[-1], settled + len(ids)
    return settled


def _next(purchases: QuerySet[Purchase], last: int) -> Sequence[int]:
    following = purchases.filter(pk__gt=last).order_by("pk")
    return list(following.values_list("pk", flat=True)[:BATCH])
