"""Comparing with the network: per order, and to the cent per account.

The Transactions API is read by creation date, a week at a time, so that memory holds
one week. Nothing is written to any purchase: what differs is listed, and taken in by
one action, through the same inbox as everything else.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import transaction

from ingestion.alarms import end_alarm, raise_alarm
from ingestion.button.adapter import NotUnderstood, report_of_row
from ingestion.button.client import ButtonClient
from ingestion.button.envelope import polled_delivery
from ingestion.button.errors import Broken, ButtonError
from ingestion.models import (
    Alarm,
    Difference,
    InboundEvent,
    Poll,
    Reconciliation,
    Window,
)
from ingestion.polling import ask_for
from ingestion.windows import slices
from rewards.models import NetworkAccount, Purchase
from rewards.reports import PurchaseReport

COMPARED = (
    "status",
    "customer_id",
    "order_total",
    "order_currency",
    "commission",
    "currency",
)
LOOK_BACK = timedelta(days=30)
DAY = timedelta(days=1)
State = dict[str, Any]


@dataclass
class Comparison:
    """What a comparison has found so far, one account and one week after another."""

    differences: list[Difference] = field(default_factory=list)
    sums: dict[tuple[str, str, str], dict[str, int]] = field(default_factory=dict)
    orders: int = 0
    errors: list[str] = field(default_factory=list)

    def count(self, side: str, account: NetworkAccount, state: State) -> None:
        """Add one order's commission to one side's sum."""
        key = (account.external_id, state["currency"], state["status"])
        sums = self.sums.setdefault(
            key, dict.fromkeys(("our_count", "ours", "their_count", "theirs"), 0)
        )
        sums[side] += state["commission"]
        sums["our_count" if side == "ours" else "their_count"] += 1

    def sum_rows(self) -> list[dict[str, Any]]:
        """The sums as rows, to be stored."""
        names = ("account", "currency", "status")
        return [
            {**dict(zip(names, key, strict=True)), **sums}
            for key, sums in sorted(self.sums.items())
        ]


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
        _compare(week, theirs, into=into)
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


@dataclass(frozen=True, slots=True)
class Week:
    """One account's stretch that is compared; the network was asked at ``began_at``."""

    account: NetworkAccount
    start: datetime
    end: datetime
    began_at: datetime


@dataclass(frozen=True, slots=True)
class Theirs:
    """One order as the network has it, and the row that says so."""

    report: PurchaseReport
    digest: bytes


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


def _compare(week: Week, theirs: dict[str, Theirs], *, into: Comparison) -> None:
    ours, created = _ours(week, theirs)
    into.orders += len(ours.keys() | theirs.keys())
    for own in created.values():
        into.count("ours", week.account, _our_state(own))
    unheld = _unheld(theirs, ours)
    for key, told in theirs.items():
        purchase = ours.get(key)
        if purchase is not None and _is_newer(purchase, told.report, week):
            if key in created:
                into.count("theirs", week.account, _our_state(purchase))
            continue
        state = _their_state(told.report)
        into.count("theirs", week.account, state)
        reason = unheld.get(told.digest)
        if found := _difference(week.account, key, purchase, state, reason):
            into.differences.append(found)
    into.differences += [
        _one_sided(week.account, own)
        for key, own in created.items()
        if key not in theirs
    ]


def _ours(
    week: Week, theirs: dict[str, Theirs]
) -> tuple[dict[str, Purchase], dict[str, Purchase]]:
    """Our purchases by order: all that concern this week, and those created in it.

    One whose creation nobody told counts where the network lists it.
    """
    known = Purchase.objects.filter(account=week.account).select_related("report")
    known = known.defer("report__content", "report__digest")
    named = {p.order_key: p for p in known.filter(order_key__among=theirs)}
    undated = {key: p for key, p in named.items() if p.created_at is None}
    stretch = known.filter(created_at__gte=week.start, created_at__lt=week.end)
    created = {p.order_key: p for p in stretch} | undated
    return named | created, created


def _difference(
    account: NetworkAccount,
    key: str,
    purchase: Purchase | None,
    theirs: State,
    reason: str | None,
) -> Difference | None:
    """How one order differs; ``reason`` tells why what we have of it isn't settled."""
    row = Difference(account=account, order_key=key, purchase=purchase)
    row.theirs = theirs
    if purchase is None and reason is not None:
        row.kind, row.ours = Difference.Kind.NOT_SETTLED, {"reason": reason}
        return row
    if purchase is None:
        row.kind = Difference.Kind.MISSING_HERE
        return row
    ours = _our_state(purchase)
    if not theirs["customer_id"]:
        ours["customer_id"] = ""
    names = [name for name in COMPARED if ours[name] != theirs[name]]
    row.kind, row.ours = Difference.Kind.DIFFERENT, {n: ours[n] for n in names}
    return row if names else None


def _one_sided(account: NetworkAccount, purchase: Purchase) -> Difference:
    return Difference(
        kind=Difference.Kind.MISSING_THERE,
        account=account,
        order_key=purchase.order_key,
        purchase=purchase,
        ours=_our_state(purchase),
    )


def _is_newer(purchase: Purchase, told: PurchaseReport, week: Week) -> bool:
    """Whether we know a later state, told since the page came or by a transaction
    of the order that is listed elsewhere."""
    known = purchase.report
    if known is None or purchase.modified_at <= told.modified_at + timedelta(seconds=1):
        return False
    since = known.received_at >= week.began_at
    return since or known.transaction_id != told.transaction_id


def _our_state(purchase: Purchase) -> State:
    return {name: getattr(purchase, name) for name in COMPARED}


def _their_state(report: PurchaseReport) -> State:
    state = {name: getattr(report, name) for name in COMPARED}
    created = report.created_at or report.attributed_at
    return {
        **state,
        "order_total": report.order_total or 0,
        "commission": report.commission or 0,
        "created_at": created.isoformat(),
    }


def _unheld(theirs: dict[str, Theirs], ours: dict[str, Purchase]) -> dict[bytes, str]:
    """Rows that are in our inbox and became no purchase, with the reason."""
    digests = [told.digest for key, told in theirs.items() if key not in ours]
    found = InboundEvent.objects.filter(digest__in=digests, purchase=None)
    return {
        bytes(digest): reason or "It waits in the inbox."
        for digest, reason in found.values_list("digest", "reason")
    }


def _alarm(
    done: Reconciliation, differences: Sequence[Difference], *, at: datetime
) -> None:
    subject = f"{done.start:%Y-%m-%d} to {done.end:%Y-%m-%d}"
    if not differences:
        return end_alarm(Alarm.Kind.DIFFERENCES, subject=subject, at=at)
    raise_alarm(
        Alarm.Kind.DIFFERENCES,
        subject=subject,
        text=f"{len(differences)} of {done.orders} orders differ from the network.",
        at=at,
    )
    return None
