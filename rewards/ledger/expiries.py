"""Expiry: lots whose time is over move to the program, and members are warned ahead."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from operator import attrgetter
from typing import NamedTuple

import structlog
from django.db import OperationalError, transaction
from django.db.models import Count, Exists, Max, OuterRef, Q, QuerySet, Sum

from rewards import interlock, ledger
from rewards.ledger.postings import Posting, Pot
from rewards.models import Account, Freeze, Lot, Member, Terms, Transfer, Unit
from rewards.models.adjustments import WARN_DAYS
from rewards.outbox import writing

BATCH = 100

log = structlog.get_logger(__name__)


class Expiring(NamedTuple):
    """What of a member's balance expires at one instant, in smallest steps."""

    unit: Unit
    amount: int
    expires_at: datetime


def expiring(member: Member) -> list[Expiring]:
    """What expires when, soonest first; what lives for ever is left out."""
    rows = (
        Lot.objects.filter(
            account__member=member, remaining__gt=0, expires_at__isnull=False
        )
        .order_by("expires_at", "account__unit_id")
        .values_list("account__unit_id", "expires_at")
        .annotate(amount=Sum("remaining"))
    )
    units = Unit.objects.in_bulk()
    return [Expiring(units[unit_id], amount, at) for unit_id, at, amount in rows]


def expire(*, at: datetime, expired: Callable[[], bool] = lambda: False) -> int:
    """Let every lot go whose time is over, until ``expired``; how many there were.

    Repeatable, by any number of workers at once. One that fails stops no other, and a
    frozen member's wait.
    """
    last, done = 0, 0
    due = _open_lots().filter(expires_at__lte=at)
    while not expired():
        ids = list(
            due.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:BATCH]
        )
        if not ids:
            break
        done += _expire(ids, at=at)
        last = ids[-1]
    return done


def let_go(member: Member, *, at: datetime) -> None:
    """Let a member's lots go whose time is over, before anything is spent of them.

    Inside the caller's transaction.
    """
    due = Lot.objects.filter(account__member=member, expires_at__lte=at)
    if ids := list(due.filter(remaining__gt=0).values_list("pk", flat=True)):
        expire_together(ids, at=at)


def warn(*, at: datetime) -> int:
    """Tell host applications what expires soon, once for each lot; how many lots."""
    days = dict(Terms.objects.values_list("unit_id", "warn_days"))
    return sum(
        _warn(unit_id, timedelta(days=days.get(unit_id, WARN_DAYS)), at=at)
        for unit_id in Unit.objects.values_list("pk", flat=True)
    )


def _open_lots() -> QuerySet[Lot]:
    frozen = Freeze.objects.filter(member=OuterRef("account__member"), lifted_at=None)
    return Lot.objects.filter(~Exists(frozen), remaining__gt=0)


def _expire(ids: Sequence[int], *, at: datetime) -> int:
    """Let these go together; where that fails, one by one."""
    try:
        return expire_together(ids, at=at)
    except OperationalError:
        raise  # the database's trouble, not a lot's
    except Exception:
        if len(ids) > 1:
            return sum(_expire([id], at=at) for id in ids)
        log.exception("lot_not_expired", lot=ids[0])
        return 0


def expire_together(ids: Sequence[int], *, at: datetime) -> int:
    """Let these go, all of them or none; how many still had something."""
    with transaction.atomic():
        interlock.enter()
        lots = _lock(ids)
        ledger.post([_posting(lot) for lot in lots], at=at)
        told = (_fact("points.expired", _name(lot), lot) for lot in lots)
        writing.emit(*told, at=at)
    return len(lots)


def _name(lot: Lot) -> str:
    """Of this expiry: a cancel may give back to a lot that has expired before."""
    return f"{lot.pk}.{lot.drawn}"  # type: ignore[attr-defined]


def _lock(ids: Sequence[int]) -> list[Lot]:
    """What is left of these lots once nobody else can spend of them."""
    owners = Account.objects.filter(lots__in=ids).values("member_id")
    # All of theirs, in the order in which the ledger's writer locks them.
    accounts = Account.objects.filter(member__in=owners).order_by("pk")
    list(accounts.select_for_update(no_key=True).values_list("pk"))
    draws = {"drawn": Count("draws"), "drawn_at": Max("draws__transfer__effective_at")}
    lots = _open_lots().filter(pk__in=ids).annotate(**draws)
    return list(lots.select_related("account__member", "account__unit").order_by("pk"))


def _posting(lot: Lot) -> Posting:
    account = lot.account
    assert account.member_id and lot.expires_at  # it is a member's, and was due
    pot = Pot(account.member_id, account.unit_id, account.kind)
    drawn_at = lot.drawn_at or lot.expires_at  # type: ignore[attr-defined]
    return Posting(
        {pot: -lot.remaining},
        Transfer.Source.EXPIRY,
        _name(lot),
        counter=Account.Kind.EXPIRED,
        may_owe=False,
        # What a cancel gave back was spent, on paper, while its lot expired.
        effective_at=max(lot.expires_at, drawn_at),
        spends={lot.pk: lot.remaining},
    )


def _warn(unit_id: int, ahead: timedelta, *, at: datetime) -> int:
    soon = _open_lots().filter(
        Q(account__unit_id=unit_id, warned_at=None),
        expires_at__gt=at,
        expires_at__lte=at + ahead,
    )
    named = soon.select_related("account__member", "account__unit")
    # In one order: another worker may tell of the same ones, and each is told once.
    lots = sorted(named[:BATCH], key=attrgetter("pk"))
    with transaction.atomic():
        ids = [lot.pk for lot in lots]
        Lot.objects.filter(pk__in=ids, warned_at=None).update(warned_at=at)
        told = (_fact("points.expiring", str(lot.pk), lot) for lot in lots)
        writing.emit(*told, at=at)
    return len(lots)


def _fact(type: str, key: str, lot: Lot) -> writing.Fact:
    member = lot.account.member
    assert member is not None and lot.expires_at is not None  # it is a member's lot
    data = {
        "customer_id": member.customer_id,
        "unit": lot.account.unit.code,
        "amount": lot.remaining,
        "expires_at": lot.expires_at.isoformat(),
    }
    return writing.Fact(type, key, data, member)
