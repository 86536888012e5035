"""Purchases that time alone changes, and purchases that waited for an edition."""

from collections.abc import Sequence
from datetime import datetime

import structlog
from django.db import OperationalError
from django.db.models import Q, QuerySet

from rewards.models import Decision, Edition, Purchase
from rewards.settling.settlement import settle

BATCH = 50

log = structlog.get_logger(__name__)


def settle_due(*, at: datetime) -> int:
    """Settle every purchase that is due; how many there were."""
    return settle_all(Purchase.objects.filter(due_at__lte=at), at=at)


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


def settle_all(
    purchases: QuerySet[Purchase], *, decision: Decision | None = None, at: datetime
) -> int:
    """Settle these purchases in batches; how many there were.

    One that can't be settled is logged and stops none of the others.
    """
    last, settled = 0, 0
    while ids := _next(purchases, last):
        try:
            settle(purchases=ids, decision=decision, at=at)
        except OperationalError:
            raise  # the database's trouble, not a purchase's
        except Exception:
            _settle_each(ids, decision=decision, at=at)
        last, settled = ids[-1], settled + len(ids)
    return settled


def _settle_each(
    ids: Sequence[int], *, decision: Decision | None, at: datetime
) -> None:
    for id in ids:
        try:
            settle(purchases=[id], decision=decision, at=at)
        except Exception:
            log.exception("purchase_not_settled", purchase_id=id)


def _next(purchases: QuerySet[Purchase], last: int) -> Sequence[int]:
    following = purchases.filter(pk__gt=last).order_by("pk")
    return list(following.values_list("pk", flat=True)[:BATCH])
