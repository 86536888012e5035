"""Workers post the lines of a file, batch by batch, or take them back."""

from collections.abc import Callable, Sequence
from datetime import datetime

import structlog
from django.db import OperationalError, transaction
from django.db.models import F
from django.utils.translation import gettext as _

from rewards import adjustments, interlock
from rewards.leases import Busy, Lease, LeaseLost, hold
from rewards.models import Adjustment, Bulk
from rewards.refusals import Refused

BATCH = 50
UNDER_WAY = (Bulk.State.APPLYING, Bulk.State.UNDOING)

log = structlog.get_logger(__name__)


def work(*, at: datetime, expired: Callable[[], bool] = lambda: False) -> int:
    """Work every file that is under way, until ``expired``; how many lines it was.

    Whoever comes after a worker that died goes on where that one stopped.
    """
    waiting = Bulk.objects.filter(state__in=UNDER_WAY).order_by("pk")
    return sum(_work_on(bulk, at=at, expired=expired) for bulk in waiting)


def _work_on(bulk: Bulk, *, at: datetime, expired: Callable[[], bool]) -> int:
    try:
        with hold(bulk) as lease:
            bulk.refresh_from_db()
            return _work(bulk, lease, at=at, expired=expired)
    except (Busy, LeaseLost):
        return 0  # another worker is at it


def _work(
    bulk: Bulk, lease: Lease, *, at: datetime, expired: Callable[[], bool]
) -> int:
    worked = 0
    while bulk.state in UNDER_WAY and not expired():
        lines = _next(bulk)
        if lines:
            _take(bulk, lines, lease, at=at)
            worked += len(lines)
        else:
            _end(bulk)
    return worked


def _next(bulk: Bulk) -> list[Adjustment]:
    applying = bulk.state == Bulk.State.APPLYING
    state = Adjustment.State.WAITING if applying else Adjustment.State.POSTED
    left = bulk.adjustments.filter(line__gt=bulk.last, state=state)
    return list(left.select_related("member", "unit").order_by("line")[:BATCH])


def _take(
    bulk: Bulk, lines: Sequence[Adjustment], lease: Lease, *, at: datetime
) -> None:
    """Take a batch; a line that can't be taken stops none of the others."""
    try:
        _take_together(bulk, lines, lease, at=at)
    except (OperationalError, LeaseLost):
        raise  # no line's fault
    except Exception as fault:
        if len(lines) > 1:
            for line in lines:
                _take(bulk, [line], lease, at=at)
        else:
            _fail(bulk, lines[0], lease, fault)


def _take_together(
    bulk: Bulk, lines: Sequence[Adjustment], lease: Lease, *, at: datetime
) -> None:
    """Take these, and that they are taken, or neither."""
    with transaction.atomic():
        interlock.enter()
        lease.renew()
        if bulk.state == Bulk.State.APPLYING:
            by, when = bulk.approved_by, bulk.approved_at
            adjustments.post(lines, approved_by=by, approved_at=when, at=at)
        else:
            reason, by = bulk.why_ended, bulk.ended_by
            adjustments.take_back(lines, reason=reason, by=by, at=at)
        _note_progress(bulk, lines)


def _fail(bulk: Bulk, line: Adjustment, lease: Lease, fault: Exception) -> None:
    """Say why a line could not be posted; one to be taken back stays posted."""
    said = str(fault)
    if not isinstance(fault, Refused):
        log.error("line_not_worked", adjustment=line.pk, exc_info=fault)
        said = _("Something went wrong; the log says what.")
    with transaction.atomic():
        interlock.enter()  # an erasure locks lines before their file
        lease.renew()
        own = Adjustment.objects.filter(pk=line.pk)
        if bulk.state == Bulk.State.APPLYING:
            own.update(state=Adjustment.State.FAILED, failure=said)
        else:
            own.update(failure=said)
        _note_progress(bulk, [line], failed=1)


def _note_progress(bulk: Bulk, lines: Sequence[Adjustment], *, failed: int = 0) -> None:
    last = lines[-1].line
    Bulk.objects.filter(pk=bulk.pk).update(
        last=last, done=F("done") + len(lines), failed=F("failed") + failed
    )
    bulk.last = last or 0


def _end(bulk: Bulk) -> None:
    """All lines were worked; what could not be taken back can be tried again."""
    left = bulk.adjustments.filter(state=Adjustment.State.POSTED).exists()
    ended = Bulk.State.APPLIED if left else Bulk.State.UNDONE
    if bulk.state == Bulk.State.APPLYING:
        ended = Bulk.State.APPLIED
    Bulk.objects.filter(pk=bulk.pk, state=bulk.state).update(state=ended)
    bulk.refresh_from_db()
    log.info("bulk_ended", bulk=bulk.pk, state=bulk.state, failed=bulk.failed)
