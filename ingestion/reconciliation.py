"""Comparing with the network: per order, and to the cent per account.

The Transactions API is read by creation date, a week at a time, so that memory holds
one week. Nothing is written to any purchase: what differs is listed, and taken in by
one action, through the same inbox as everything else.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

from django.db import transaction

from ingestion.alarms import end_alarm, raise_alarm
from ingestion.button.adapter import NotUnderstood, report_of_row
from ingestion.button.client import ButtonClient
from ingestion.button.envelope import polled_delivery
from ingestion.button.errors import Broken, ButtonError
from ingestion.comparison import Comparison, Theirs, Week, is_kept_out, weigh
from ingestion.models import Alarm, Difference, Poll, Reconciliation, Window
from ingestion.polling import ask_for
from ingestion.windows import slices
from rewards.models import NetworkAccount

LOOK_BACK = timedelta(days=30)
DAY = timedelta(days=1)


def begin(
    *, start: datetime, end: datetime, take_in: bool = False, at: datetime
) -> Reconciliation:
    """Ask for a comparison; with ``take_in`` what it misses is read in afterwards."""
    return Reconciliation.objects.create(
        start=start, end=end, began_at=at, take_in_asked_at=at if take_in else None
    )


def compare(
    asked: Reconciliation,
    client: ButtonClient,
    *,
    at: datetime,
    progressed: Callable[[], object] = lambda: None,
) -> None:
    """Compare every followed account's orders of that stretch.

    ``progressed`` is told after each week of each account. An account that can't be
    read stops no other, and is named in ``error``; raises ButtonError where none can.
    """
    found = Comparison()
    polls = list(Poll.objects.filter(enabled=True).select_related("account"))
    failed: list[ButtonError] = []
    for poll in polls:
        try:
            _compare_account(asked, poll, client, into=found, progressed=progressed)
        except ButtonError as error:
            failed.append(error)
            found.errors.append(f"{poll}: {error}")
    if failed and len(failed) == len(polls):
        raise failed[0]
    if _finish(asked, found):
        _alarm(asked, found.differences, at=at)


def _compare_account(
    asked: Reconciliation,
    poll: Poll,
    client: ButtonClient,
    *,
    into: Comparison,
    progressed: Callable[[], object],
) -> None:
    for start, end in slices(_first(asked, poll), asked.end, now=asked.began_at):
        theirs = _theirs(client, poll.account, start=start, end=end)
        week = Week(poll.account, start, end or asked.end, began_at=asked.began_at)
        weigh(week, theirs, into=into)
        progressed()


def _first(asked: Reconciliation, poll: Poll) -> datetime:
    """Where to begin. What is taken in unasked reaches no further back than polling
    ever did: a new server must not pay for the year before it."""
    if asked.take_in_asked_at is None:  # staff look first
        return asked.start
    return min(max(asked.start, poll.since or asked.end), asked.end)


def _finish(asked: Reconciliation, found: Comparison) -> bool:
    """Write what was found; False where another process has done so meanwhile."""
    result = {
        "orders": found.orders,
        "sums": found.sum_rows(),
        "error": "\n".join(found.errors),
        "finished_at": datetime.now(UTC),
    }
    with transaction.atomic():
        ours = Reconciliation.objects.filter(pk=asked.pk, finished_at=None)
        if not ours.update(**result):
            return False
        for difference in found.differences:
            difference.reconciliation = asked
        Difference.objects.bulk_create(found.differences)
    asked.refresh_from_db()
    return True


def take_in(done: Reconciliation, *, at: datetime) -> list[Window]:
    """Ask for the days of every order that is missing or different; their windows."""
    kinds = (Difference.Kind.MISSING_HERE, Difference.Kind.DIFFERENT)
    days: dict[NetworkAccount, set[datetime]] = {}
    for difference in done.differences.filter(kind__in=kinds).select_related("account"):
        created = datetime.fromisoformat(difference.theirs["created_at"])
        day = created.replace(hour=0, minute=0, second=0, microsecond=0)
        days.setdefault(difference.account, set()).add(day)
    windows = [
        window
        for account, found in days.items()
        for day in sorted(found)
        for window in ask_for(
            account,
            purpose=Window.Purpose.TAKE_IN,
            by=Window.By.CREATED,
            start=day,
            end=day + DAY,
            at=at,
        )
    ]
    done.taken_in_at = at
    done.take_in_asked_at = done.take_in_asked_at or at
    done.save(update_fields=["taken_in_at", "take_in_asked_at"])
    return windows


def _theirs(
    client: ButtonClient,
    account: NetworkAccount,
    *,
    start: datetime,
    end: datetime | None,
) -> dict[str, Theirs]:
    """The network's orders by key: of several transactions, the one that holds."""
    orders: dict[str, Theirs] = {}
    now, name = datetime.now(UTC), account.external_id
    for row in _rows(client, account, start=start, end=end):
        try:
            report = report_of_row(row, received_at=now, account=name)
        except NotUnderstood:
            continue  # by poll it stands in quarantine, which has a page of its own
        before = orders.get(report.order_key)
        if before is None or before.report.rank < report.rank:
            orders[report.order_key] = Theirs(report, polled_delivery(row).digest)
    return orders


def _rows(
    client: ButtonClient,
    account: NetworkAccount,
    *,
    start: datetime,
    end: datetime | None,
) -> Iterator[bytes]:
    cursor, seen = "", {""}
    while True:
        page = client.transactions(
            account.external_id, by="created", start=start, end=end, cursor=cursor
        )
        yield from page.rows
        if not page.cursor:
            return
        if page.cursor in seen:
            raise Broken("The list of transactions leads back to a page that was read.")
        seen.add(cursor := page.cursor)


def _alarm(
    done: Reconciliation, differences: Sequence[Difference], *, at: datetime
) -> None:
    subject = f"{done.start:%Y-%m-%d} to {done.end:%Y-%m-%d}"
    differences = [one for one in differences if not is_kept_out(one)]
    if not differences:
        return end_alarm(Alarm.Kind.DIFFERENCES, subject=subject, at=at)
    raise_alarm(
        Alarm.Kind.DIFFERENCES,
        subject=subject,
        text=f"{len(differences)} of {done.orders} orders differ from the network.",
        at=at,
    )
    return None
