"""Following the accounts: what to read next, and how often.

Everything about one account happens under its lease: what is new first, then what
staff or a doubt asked for, a page at a time, so that stopping anywhere loses nothing.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from random import uniform
from typing import Any

import structlog
from celery.exceptions import SoftTimeLimitExceeded
from django.db import transaction
from django.db.models import Case, IntegerField, Q, QuerySet, Value, When

from ingestion import doubts
from ingestion.button.client import ButtonClient
from ingestion.button.errors import ButtonError, Throttled
from ingestion.models import Doubt, InboundEvent, Poll, Window
from ingestion.windows import OutOfTime, Reading, read, slices
from rewards.leases import Busy, LeaseLost, hold, wait_for
from rewards.models import NetworkAccount

OVERLAP = timedelta(hours=1)
FIRST = timedelta(days=30)
AFTER_TROUBLE = timedelta(minutes=5)
AFTER_FAILURE = timedelta(minutes=10)
Purpose = Window.Purpose
URGENCY = (
    Purpose.FOLLOW,
    Purpose.CONFIRM,
    Purpose.TAKE_IN,
    Purpose.OPEN,
    Purpose.BACKFILL,
)

log = structlog.get_logger(__name__)


def follow(poll: Poll, reading: Reading, *, at: datetime) -> None:
    """Read what is new in an account, to the newest. Raises what ``read`` raises.

    The mark moves with each window that was read to its end, to the newest time that
    stood in it: never by our own clock, which may be wrong. A time ahead of our clock
    doesn't move it: one row from tomorrow would hide what comes today.
    """
    for window in _following(poll, at=at):
        read(window, reading)
        with transaction.atomic():
            reading.lease.renew()
            _move_mark(poll, window)


def ask_for(
    account: NetworkAccount,
    *,
    purpose: Purpose,
    by: Window.By = Window.By.MODIFIED,
    start: datetime,
    end: datetime | None,
    at: datetime,
) -> list[Window]:
    """The windows that read a stretch, or what an interrupted reading of it left."""
    asked: dict[str, Any] = {"account": account, "purpose": purpose, "by": by}
    with transaction.atomic():
        if left := _left(asked, start=start, end=end):
            return left
        _reaches_back(account, start)
        return [
            Window.objects.create(**asked, start=first, end=last, opened_at=at)
            for first, last in slices(start, end, now=at)
        ]


def _left(
    asked: dict[str, Any], *, start: datetime, end: datetime | None
) -> list[Window]:
    """What is unfinished of the newest reading of this very stretch.

    Windows that were asked for together were opened at the same instant.
    """
    opened = (
        Window.objects.filter(**asked, finished_at=None)
        .order_by("-opened_at")
        .values_list("opened_at", flat=True)
    )
    for instant in opened.distinct():
        together = list(
            Window.objects.filter(**asked, opened_at=instant)
            .select_related("account")
            .order_by("start")
        )
        if (together[0].start, together[-1].end) == (start, end):
            return [window for window in together if window.finished_at is None]
    return []


def _reaches_back(account: NetworkAccount, start: datetime) -> None:
    """Remember the earliest instant from which this account was ever read."""
    polls = Poll.objects.filter(account=account)
    polls.filter(Q(since=None) | Q(since__gt=start)).update(since=start)


def poll_now(poll: Poll, reading: Reading, *, at: datetime) -> None:
    """Follow an account whether it is due or not. Raises what ``read`` raises."""
    follow(poll, reading, at=at)
    _note_success(poll, at=datetime.now(UTC))


def backfill(
    poll: Poll, windows: Iterable[Window], reading: Reading
) -> Iterator[Window]:
    """Read a stretch of the past; each window once it is read.

    It never moves the mark. An account that is due in the meantime is followed.
    Raises what ``read`` raises.
    """
    for window in windows:
        read(window, reading)
        yield window
        if poll.mark and is_due(poll, at=datetime.now(UTC)):
            poll_now(poll, reading, at=datetime.now(UTC))


def is_due(poll: Poll, *, at: datetime) -> bool:
    """Whether its time has come, or orders have come since it seemed quiet."""
    if poll.due_at is None or poll.due_at <= at:
        return True
    if poll.error or poll.read_at is None:
        return False
    soonest = poll.read_at + timedelta(minutes=poll.busy_minutes)
    return soonest <= at and _is_busy(poll, at=at)


def work(poll: Poll, reading: Reading, *, at: datetime) -> None:
    """Read what an account is due, then what else was asked for, most urgent first.

    A window that fails is tried again later, and stops none of the others. Raises
    OutOfTime or LeaseLost, and ButtonError where following fails.
    """
    if is_due(poll, at=at):
        poll_now(poll, reading, at=at)
    doubts.open_windows(poll.account, at=at)
    for window in _asked(poll.account, at=at):
        try:
            read(window, reading)
        except ButtonError as error:
            _put_off(window, error, at=at)
        if reading.expired():
            raise OutOfTime


def poll_due(client: ButtonClient, *, at: datetime, **reading: Any) -> int:
    """Work on every account that has something to read; how many there were."""
    polls = Poll.objects.filter(enabled=True).select_related("account")
    waiting = [
        poll for poll in polls.order_by("due_at", "pk") if _has_work(poll, at=at)
    ]
    return sum(attempt(poll, client, at=at, **reading) for poll in waiting)


def attempt(poll: Poll, client: ButtonClient, *, at: datetime, **reading: Any) -> bool:
    """Work on one account unless somebody does already; whether it was our turn.

    What goes wrong is noted on the poll, and tried again in a few minutes.
    """
    try:
        with hold(poll) as lease:
            poll.refresh_from_db()
            if poll.enabled:
                work(poll, Reading(client, lease, **reading), at=at)
    except (Busy, LeaseLost):
        return False
    except OutOfTime:
        pass
    except SoftTimeLimitExceeded:
        raise
    except Exception as error:
        note_trouble(poll, error, at=at)
    return True


def note_trouble(poll: Poll, error: Exception, *, at: datetime) -> None:
    """Say what kept an account from being followed, and when it is tried again."""
    known = isinstance(error, ButtonError | LeaseLost)
    log.warning("poll_failed", account=str(poll.account), exc_info=not known)
    pause = min(AFTER_TROUBLE, timedelta(minutes=poll.quiet_minutes))
    poll.error = str(error) if known else f"{type(error).__name__}: {error}"[:1000]
    poll.due_at = at + max(pause, _asked_pause(error))
    poll.save(update_fields=["error", "due_at"])


def _asked_pause(error: Exception) -> timedelta:
    """The pause that Button asked for; none, mostly."""
    wait = error.wait if isinstance(error, Throttled) else None
    return timedelta(seconds=wait or 0)


def _put_off(window: Window, error: ButtonError, *, at: datetime) -> None:
    log.warning("window_failed", window=window.pk, error=str(error))
    pause = max(AFTER_FAILURE, _asked_pause(error))
    Window.objects.filter(pk=window.pk).update(note=str(error), retry_at=at + pause)


def pace(poll: Poll, *, at: datetime) -> timedelta:
    """How long until the account is read again, by what its last hour brought.

    A little by chance, so that accounts don't all come at once.
    """
    busy = _is_busy(poll, at=at)
    minutes = poll.busy_minutes if busy else poll.quiet_minutes
    return timedelta(minutes=minutes) * uniform(1, 1.1)


def _is_busy(poll: Poll, *, at: datetime) -> bool:
    recent = InboundEvent.objects.filter(
        received_at__gt=at - timedelta(hours=1), purchase__account=poll.account
    )
    return recent[: poll.busy_from].count() >= poll.busy_from


def _following(poll: Poll, *, at: datetime) -> Iterator[Window]:
    """The windows from the mark to the newest, one after the other."""
    asked = {"account": poll.account, "purpose": Purpose.FOLLOW}
    unfinished = Window.objects.filter(**asked, finished_at=None)
    left = unfinished.select_related("account").first()
    if left:
        yield left
        if left.end is None:
            return
    start = left.end if left and left.end else _start(poll, at=at)
    _reaches_back(poll.account, start)
    for first, last in slices(start, None, now=at):
        yield Window.objects.create(**asked, start=first, end=last, opened_at=at)


def _start(poll: Poll, *, at: datetime) -> datetime:
    """Where following goes on: before the mark, since rows move while they are read."""
    return poll.mark - OVERLAP if poll.mark else at - FIRST


def _move_mark(poll: Poll, window: Window) -> None:
    if window.newest and (poll.mark is None or window.newest > poll.mark):
        poll.mark = window.newest
        poll.save(update_fields=["mark"])


def _note_success(poll: Poll, *, at: datetime) -> None:
    poll.error = ""
    poll.read_at = at
    poll.due_at = at + pace(poll, at=at)
    poll.save(update_fields=["error", "read_at", "due_at"])


def _asked(account: NetworkAccount, *, at: datetime) -> Iterable[Window]:
    """Unfinished windows, most urgent first; following has its own way."""
    order = Case(
        *(When(purpose=purpose, then=rank) for rank, purpose in enumerate(URGENCY)),
        default=Value(len(URGENCY)),
        output_field=IntegerField(),
    )
    waiting = _waiting(account, at=at).order_by(order, "start", "pk")
    return waiting.select_related("account")


def _waiting(account: NetworkAccount, *, at: datetime) -> QuerySet[Window]:
    unfinished = Window.objects.filter(account=account, finished_at=None)
    now = Q(retry_at=None) | Q(retry_at__lte=at)
    return unfinished.filter(now).exclude(purpose=Purpose.FOLLOW)


def _has_work(poll: Poll, *, at: datetime) -> bool:
    if is_due(poll, at=at) or _waiting(poll.account, at=at).exists():
        return True
    unasked = Doubt.objects.filter(window=None, settled_at=None, due_at__lte=at)
    return unasked.filter(purchase__account=poll.account).exists()


def read_asked(windows: Iterable[Window], client: ButtonClient) -> int:
    """Read these windows now, whatever else is due; how many reports were new.

    Waits for a busy account. Raises ButtonError or LeaseLost.
    """
    news = 0
    for window in windows:
        with wait_for(Poll.objects.get(account=window.account)) as lease:
            window.refresh_from_db()
            if window.finished_at is None:
                read(window, Reading(client, lease))
        news += window.news
    return news
