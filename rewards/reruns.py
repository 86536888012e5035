"""Putting past purchases under another edition on purpose, and taking that back.

Publishing never moves what was earned; this does. A re-run is previewed, approved,
applied by workers batch by batch through the same settling as everything else, and
undone by one action.
"""

from collections.abc import Callable, Iterable
from datetime import datetime

import structlog
from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, User
from django.db import OperationalError, transaction
from django.db.models import F, QuerySet

from merchants.models import Merchant
from rewards import interlock
from rewards.leases import Busy, Lease, LeaseLost, hold
from rewards.models import Decision, Edition, Purchase, Rerun, Settlement
from rewards.refusals import Refused
from rewards.reports import REWARDED_CATEGORIES
from rewards.settling.settlement import settle

BATCH = 50
UNDER_WAY = (Rerun.State.APPLYING, Rerun.State.UNDOING)
PERMISSION = "rewards.change_rerun"

log = structlog.get_logger(__name__)


def ask(
    *,
    edition: Edition,
    start: datetime,
    end: datetime,
    merchants: Iterable[Merchant] = (),
    reason: str,
    by: AbstractBaseUser | None,
    at: datetime,
) -> Rerun:
    """Write down a re-run of purchases attributed from ``start`` until before ``end``.

    Of these merchants; of all where none is named. Moves nothing. Raises Refused.
    """
    if not reason.strip():
        raise Refused("Say why: the reason stays with every purchase of the re-run.")
    if start >= end:
        raise Refused("The re-run ends before it begins.")
    if edition.withdrawn_at:
        raise Refused(f"{edition} was withdrawn.")
    if edition.effective_from and edition.effective_from > at:
        raise Refused(f"{edition} does not hold yet.")
    rerun = Rerun.objects.create(
        edition=edition,
        start=start,
        end=end,
        reason=reason.strip(),
        asked_by=by,  # type: ignore[misc]
        asked_at=at,
    )
    rerun.merchants.set(merchants)
    return rerun


def purchases(rerun: Rerun) -> QuerySet[Purchase]:
    """The purchases that a re-run is about; app installs never are."""
    found = Purchase.objects.filter(
        attributed_at__gte=rerun.start,
        attributed_at__lt=rerun.end,
        category__in=REWARDED_CATEGORIES,
    )
    merchants = list(rerun.merchants.values_list("pk", flat=True))
    return found.filter(merchant__in=merchants) if merchants else found


def touched(rerun: Rerun) -> QuerySet[Purchase]:
    """The purchases that a re-run has settled."""
    settled = Settlement.objects.filter(
        decision__rerun=rerun, decision__kind=Decision.Kind.RERUN
    )
    return Purchase.objects.filter(pk__in=settled.values("purchase_id"))


def approve(rerun: Rerun, *, by: AbstractBaseUser, at: datetime) -> None:
    """Approve of a re-run that somebody else asked for. Raises Refused."""
    if not isinstance(by, User) or not by.has_perm(PERMISSION):
        raise Refused("Only who may change re-runs can approve of one.")
    if rerun.asked_by_id == by.pk:
        raise Refused("Whoever asked for a re-run can't approve of it.")
    waiting = Rerun.objects.filter(
        pk=rerun.pk, state=Rerun.State.DRAFT, approved_at=None
    )
    if not waiting.update(approved_by=by, approved_at=at):
        raise Refused("It is approved, applied or dropped already.")
    rerun.refresh_from_db()


def drop(rerun: Rerun, *, by: AbstractBaseUser | None) -> None:
    """Give up a re-run that was never applied. Raises Refused."""
    _advance(rerun, Rerun.State.DRAFT, Rerun.State.DROPPED)
    log.info("rerun_dropped", rerun=rerun.pk, by=by and by.pk)


def apply(rerun: Rerun, *, by: AbstractBaseUser | None, at: datetime) -> Decision:
    """Decide that workers apply a previewed re-run. Raises Refused."""
    with transaction.atomic():
        interlock.close()  # one at a time decides what follows
        rerun.refresh_from_db()
        _refuse_unready(rerun)
        total = purchases(rerun).count()
        _advance(rerun, Rerun.State.DRAFT, Rerun.State.APPLYING, total=total)
        return _decide(Decision.Kind.RERUN, rerun, rerun.reason, by=by, at=at)


def undo(
    rerun: Rerun, *, reason: str, by: AbstractBaseUser | None, at: datetime
) -> Decision:
    """Decide that workers make the earlier awards current again. Raises Refused."""
    if not reason.strip():
        raise Refused("Say why: the reason stays with every purchase of the re-run.")
    with transaction.atomic():
        interlock.close()
        _refuse_another_under_way(rerun)
        _refuse_followed(rerun)
        total = touched(rerun).count()
        _advance(rerun, Rerun.State.APPLIED, Rerun.State.UNDOING, total=total)
        kind = Decision.Kind.UNDO_RERUN
        return _decide(kind, rerun, reason.strip(), by=by, at=at)


def work_reruns(*, at: datetime, expired: Callable[[], bool] = lambda: False) -> int:
    """Work every re-run that is under way; how many purchases were settled."""
    waiting = Rerun.objects.filter(state__in=UNDER_WAY).order_by("pk")
    return sum(work(rerun, at=at, expired=expired) for rerun in waiting)


def work(
    rerun: Rerun, *, at: datetime, expired: Callable[[], bool] = lambda: False
) -> int:
    """Settle what is left of a re-run, until ``expired``; how many purchases.

    Whoever comes after a worker that died goes on where that one stopped.
    """
    try:
        with hold(rerun) as lease:
            rerun.refresh_from_db()
            return _work(rerun, lease, at=at, expired=expired)
    except (Busy, LeaseLost):
        return 0  # another worker is at it


def _work(
    rerun: Rerun, lease: Lease, *, at: datetime, expired: Callable[[], bool]
) -> int:
    if rerun.state not in UNDER_WAY:
        return 0
    decision = rerun.decisions.select_related("rerun").latest("pk")
    applying = rerun.state == Rerun.State.APPLYING
    concerned = purchases(rerun) if applying else touched(rerun)
    settled = 0
    while not expired():
        left = concerned.filter(pk__gt=rerun.last).order_by("pk")
        ids = list(left.values_list("pk", flat=True)[:BATCH])
        if not ids:
            done = Rerun.State.APPLIED if applying else Rerun.State.UNDONE
            _advance(rerun, Rerun.State(rerun.state), done)
            break
        _settle(rerun, ids, lease, decision, at=at)
        settled += len(ids)
    rerun.refresh_from_db()
    return settled


def _settle(
    rerun: Rerun, ids: list[int], lease: Lease, decision: Decision, *, at: datetime
) -> None:
    """Settle a batch; where one can't be settled, it stops none of the others."""
    try:
        _settle_together(rerun, ids, lease, decision, at=at)
    except (OperationalError, LeaseLost):
        raise  # no purchase's fault
    except Exception:
        if len(ids) > 1:
            for id in ids:
                _settle(rerun, [id], lease, decision, at=at)
        else:
            log.exception("purchase_not_settled", purchase_id=ids[0])
            _note_progress(rerun, ids, failed=1)


def _settle_together(
    rerun: Rerun, ids: list[int], lease: Lease, decision: Decision, *, at: datetime
) -> None:
    """Settle these, and that they are settled, or neither."""
    with transaction.atomic():
        lease.renew()
        settle(purchases=ids, decision=decision, at=at)
        _note_progress(rerun, ids)


def _note_progress(rerun: Rerun, ids: list[int], *, failed: int = 0) -> None:
    rerun.last = ids[-1]
    Rerun.objects.filter(pk=rerun.pk).update(
        last=rerun.last, done=F("done") + len(ids), failed=F("failed") + failed
    )


def _refuse_unready(rerun: Rerun) -> None:
    if settings.REQUIRE_APPROVAL and not rerun.approved_at:
        raise Refused("A second person has to approve of it first.")
    preview = getattr(rerun, "preview", None)
    if preview is None or preview.finished_at is None or preview.cancelled_at:
        raise Refused("Preview it first: nobody knows yet what it would change.")
    if preview.error:
        raise Refused("Its preview failed. Preview it again first.")
    _refuse_another_under_way(rerun)


def _refuse_another_under_way(rerun: Rerun) -> None:
    other = Rerun.objects.filter(state__in=UNDER_WAY).exclude(pk=rerun.pk).first()
    if other:
        raise Refused(f"{other} is under way. Wait until it has ended.")


def _refuse_followed(rerun: Rerun) -> None:
    """What a later re-run builds on can only be undone after that one."""
    first = rerun.decisions.order_by("pk").first()
    later = Rerun.objects.filter(
        state=Rerun.State.APPLIED,
        decisions__kind=Decision.Kind.RERUN,
        decisions__pk__gt=first.pk if first else 0,
        decisions__settlements__purchase__in=touched(rerun),
    )
    if follower := later.exclude(pk=rerun.pk).first():
        raise Refused(f"{follower} came later and touched the same. Undo that first.")


def _decide(
    kind: Decision.Kind,
    rerun: Rerun,
    reason: str,
    *,
    by: AbstractBaseUser | None,
    at: datetime,
) -> Decision:
    return Decision.objects.create(
        kind=kind,
        rerun=rerun,
        reason=reason,
        decided_by=by,  # type: ignore[misc]
        decided_at=at,
    )


def _advance(
    rerun: Rerun, state: Rerun.State, following: Rerun.State, **values: int
) -> None:
    """Go on to the next state. Raises Refused where another has changed it."""
    own = Rerun.objects.filter(pk=rerun.pk, state=state)
    begins = following in UNDER_WAY
    progress = {"last": 0, "done": 0, "failed": 0, **values} if begins else {}
    if not own.update(state=following, **progress):
        raise Refused(f"It is {rerun.get_state_display()}.")
    rerun.refresh_from_db()
