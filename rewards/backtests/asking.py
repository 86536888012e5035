"""Asking for a backtest, giving it up, and finding one that counts."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import Count, Max, Min, QuerySet, Sum

from rewards.backtests import history
from rewards.models import Backtest, BacktestPart, Rerun
from rewards.program import editions, vocabulary

PART = 50_000
"""About how many purchases one part has: what a worker does between two leases, and
what it can lose when it is killed."""
LEAST_PARTS = 8


def ask(
    content: dict[str, Any],
    *,
    start: datetime | None = None,
    end: datetime | None = None,
    rerun: Rerun | None = None,
    by: AbstractBaseUser | None = None,
    at: datetime,
) -> Backtest:
    """Ask workers to try a program on purchases attributed in that stretch.

    ``content`` is a checked program's plain data. It is compared with the edition that
    is live at ``at``; as a preview of ``rerun``, with the awards of its purchases.
    A preview replaces the one before.
    """
    with transaction.atomic():
        if rerun:
            Backtest.objects.filter(rerun=rerun).delete()
        backtest = Backtest.objects.create(
            digest=vocabulary.digest(content),
            content=content,
            baseline=None if rerun else editions.live(now=at),
            rerun=rerun,
            start=start,
            end=end,
            asked_by=by,  # type: ignore[misc]
            asked_at=at,
        )
        found = history.considered(backtest).aggregate(
            total=Count("pk"), first=Min("member_id"), last=Max("member_id")
        )
        backtest.total = found["total"]
        backtest.save(update_fields=["total"])
        members = range(found["first"] or 0, (found["last"] or 0) + 1)
        BacktestPart.objects.bulk_create(_parts(backtest, members))
    return backtest


def _parts(backtest: Backtest, members: range) -> Iterator[BacktestPart]:
    """Stretches of member ids of one length."""
    count = min(len(members), max(LEAST_PARTS, backtest.total // PART))
    length = -(-len(members) // count)
    for number, first in enumerate(members[::length]):
        yield BacktestPart(
            backtest=backtest,
            number=number,
            first_member=first,
            last_member=first + length - 1,
        )


def cancel(backtest: Backtest, *, at: datetime) -> bool:
    """Give it up; False where it had come to its end before."""
    return bool(unfinished().filter(pk=backtest.pk).update(cancelled_at=at))


def unfinished() -> QuerySet[Backtest]:
    """Those that workers still have to do, oldest first."""
    return Backtest.objects.filter(finished_at=None, cancelled_at=None).order_by("pk")


def percent_done(backtest: Backtest, *, done: int | None = None) -> int:
    """How much of it is done, in whole per cent.

    ``done`` is its purchases done, where the caller knows them already.
    """
    if done is None:
        done = backtest.parts.aggregate(done=Sum("done"))["done"] or 0
    # Orders that came since it was asked for may be among those done.
    return min(100 * done // backtest.total, 100) if backtest.total else 0
