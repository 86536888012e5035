"""Reading again, in case something was missed: open orders daily, everything monthly.

Webhooks get lost after three days, windows overlap by an hour, and rows move while a
list is read. What all of that leaves behind is found here.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db.models import F, Min, Q
from django.db.models.functions import TruncDay

from ingestion.button.client import ButtonClient
from ingestion.button.errors import ButtonError
from ingestion.models import Poll, Reconciliation, Refusal, Window
from ingestion.polling import ask_for
from ingestion.reconciliation import begin, compare, take_in
from ingestion.windows import slices
from rewards.leases import Busy, LeaseLost, hold
from rewards.models import NetworkAccount, Purchase

REACH = timedelta(days=400)  # thirteen months
KEPT = timedelta(days=7)
DAY = timedelta(days=1)
LONGEST = timedelta(minutes=5)  # that one week of one account may take to compare
AFTER_FAILURE = timedelta(hours=1)


def reread_open_orders(*, at: datetime) -> int:
    """Ask for every stretch in which open orders were created; how many there are."""
    stretches = [
        (poll.account, start, end)
        for poll in Poll.objects.filter(enabled=True).select_related("account")
        for start, end in open_stretches(poll.account)
    ]
    for account, start, end in stretches:
        ask_for(
            account,
            purpose=Window.Purpose.OPEN,
            by=Window.By.CREATED,
            start=start,
            end=end,
            at=at,
        )
    return len(stretches)


def open_stretches(account: NetworkAccount) -> Iterator[tuple[datetime, datetime]]:
    """The days on which the account's pending orders were created, joined together."""
    days = (
        Purchase.objects.filter(
            account=account,
            status=Purchase.Status.PENDING,
            created_at__isnull=False,
        )
        .annotate(day=TruncDay("created_at"))
        .values_list("day", flat=True)
        .distinct()
        .order_by("day")
    )
    first: datetime | None = None
    last: datetime | None = None
    for day in days:
        if first is not None and last is not None and day - last > DAY:
            yield first, last + DAY
            first = None
        first, last = first or day, day
    if first is not None and last is not None:
        yield first, last + DAY


def sweep(*, at: datetime) -> int:
    """Ask for a comparison of each week of thirteen months, to be taken in; how many.

    Counts and contents both: every order is compared. What was never polled is left
    alone.
    """
    earliest = Poll.objects.filter(enabled=True).aggregate(Min("since"))["since__min"]
    if earliest is None:
        return 0
    weeks = slices(max(at - REACH, earliest), at, now=at)
    for start, end in weeks:
        begin(start=start, end=end or at, take_in=True, at=at)
    return len(weeks)


def compare_next(client: ButtonClient, *, at: datetime) -> Reconciliation | None:
    """Work on the oldest comparison that was asked for, and take in what it missed.

    What staff wait for comes before the weeks of a sweep. One that can't be made is
    tried again in an hour, and blocks none of the others.
    """
    now = Q(retry_at=None) | Q(retry_at__lte=at)
    staff_first = F("take_in_asked_at").asc(nulls_first=True)
    waiting = Reconciliation.objects.filter(now, finished_at=None)
    waiting = waiting.order_by(staff_first, "pk")
    found = next((row for row in waiting if _compare(row, client, at=at)), None)
    asked = Reconciliation.objects.filter(
        finished_at__isnull=False, take_in_asked_at__isnull=False, taken_in_at=None
    )
    for done in asked:
        take_in(done, at=at)
    return found


def _compare(row: Reconciliation, client: ButtonClient, *, at: datetime) -> bool:
    """Make one comparison; False where somebody else makes it, or it failed."""
    try:
        with hold(row, length=LONGEST) as lease:
            compare(row, client, at=at, progressed=lease.renew)
    except (Busy, LeaseLost):
        return False
    except ButtonError as error:
        again = {"error": str(error), "retry_at": at + AFTER_FAILURE}
        Reconciliation.objects.filter(pk=row.pk, finished_at=None).update(**again)
        return False
    return True


def prune(*, at: datetime) -> int:
    """Forget what was read to its end, and refused, a week ago; how many rows."""
    old = Window.objects.filter(
        purpose__in=(Window.Purpose.FOLLOW, Window.Purpose.OPEN),
        finished_at__lt=at - KEPT,
    )
    refused = Refusal.objects.filter(minute__lt=at - KEPT)
    return old.delete()[0] + refused.delete()[0]
