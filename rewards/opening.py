"""Opening a batch: every purchase found, locked, and folded with what is new."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from rewards import bulk
from rewards.cases import Case
from rewards.history import History, decided, histories
from rewards.models import Decision, NetworkAccount, Purchase, Report
from rewards.reports import Arrival
from rewards.standing import advance

Key = tuple[int, str]
"""Account id and order key."""


class Locked(NamedTuple):
    """What a locked purchase row said before this batch; defaults where none was."""

    id: int
    account_id: int
    order_key: str
    member_id: int | None = None
    review: str = ""
    settlement_id: int | None = None
    report_id: int | None = None
    due_at: datetime | None = None

    @property
    def settled(self) -> bool:
        return self.report_id is not None


def open_cases(
    arrivals: Sequence[Arrival],
    *,
    purchases: Iterable[int],
    decision: Decision | None,
    at: datetime,
) -> list[Case]:
    """Find and lock every purchase concerned, in order, and fold in what is new.

    A purchase that nobody has seen is opened without a row; the unique constraint
    decides who makes it.
    """
    accounts = _accounts(
        {(a.report.network, a.report.account) for a in arrivals}, at=at
    )
    keys = _keys(arrivals, accounts)
    cases = _locked(set(keys), set(purchases))
    for index, (key, arrival) in enumerate(zip(keys, arrivals, strict=True)):
        cases[key].add(arrival, index)
    if decision and decision.purchase_id:
        case = next(c for c in cases.values() if c.id == decision.purchase_id)
        case.standing = advance(case.standing, decided(decision, case.history))
    return list(cases.values())


def _accounts(
    names: set[tuple[str, str]], *, at: datetime
) -> dict[tuple[str, str], int]:
    found = _account_ids(names)
    if unseen := sorted(names - found.keys()):
        columns = ("network", "external_id", "rewarding", "first_seen_at")
        rows = [(*name, None, at) for name in unseen]
        bulk.insert_missing(NetworkAccount, columns, rows)
        found = _account_ids(names)
    return found


def _account_ids(names: set[tuple[str, str]]) -> dict[tuple[str, str], int]:
    known = NetworkAccount.objects.filter(external_id__among={id for _, id in names})
    rows = known.values_list("network", "external_id", "id")
    return {(network, external_id): pk for network, external_id, pk in rows}


def _keys(
    arrivals: Sequence[Arrival], accounts: dict[tuple[str, str], int]
) -> list[Key]:
    """Which purchase each arrival speaks of.

    A transaction may be told first without its order and later with it, or the other
    way round: the transaction id then finds the purchase it already has.
    """
    reports = [arrival.report for arrival in arrivals]
    known = _known_transactions(
        with_order={r.transaction_id for r in reports if r.order_id},
        without_order={
            r.transaction_id for r in reports if not r.order_id and r.rewarded
        },
    )
    ids = [accounts[report.network, report.account] for report in reports]
    return [
        (id, known.get((id, report.transaction_id), report.order_key))
        for id, report in zip(ids, reports, strict=True)
    ]


def _known_transactions(
    *, with_order: set[str], without_order: set[str]
) -> dict[Key, str]:
    found: dict[Key, str] = {}
    if with_order:
        early = Purchase.objects.filter(order_key__among=with_order)
        for account_id, key in early.values_list("account_id", "order_key"):
            found[account_id, key] = key
    if without_order:
        told = Report.objects.filter(transaction_id__among=without_order)
        for account_id, transaction_id, key in told.values_list(
            "purchase__account_id", "transaction_id", "purchase__order_key"
        ):
            found[account_id, transaction_id] = key
    return found


def _locked(keys: set[Key], purchases: set[int]) -> dict[Key, Case]:
    """Lock the rows there are, and the same orders in other accounts, by id."""
    order_keys = {order_key for _, order_key in keys}
    if purchases:
        named = Purchase.objects.filter(pk__among=purchases)
        order_keys.update(named.values_list("order_key", flat=True))
    rows = [
        Locked(*row)
        for row in Purchase.objects.filter(order_key__among=order_keys)
        .order_by("pk")
        .select_for_update(no_key=True)
        .values_list(*Locked._fields)
    ]
    rows += _unseen(keys - {(row.account_id, row.order_key) for row in rows})
    accounts = NetworkAccount.objects.in_bulk({row.account_id for row in rows})
    elders = _elders(rows, accounts)
    concerned = [
        row
        for row in rows
        if (row.account_id, row.order_key) in keys or row.id in purchases
    ]
    known = histories([row.id for row in concerned if row.settled])
    return {
        (row.account_id, row.order_key): Case(
            id=row.id,
            account=accounts[row.account_id],
            order_key=row.order_key,
            member_before=row.member_id,
            review_before=row.review,
            settlement_before=row.settlement_id,
            due_before=row.due_at,
            elder=elders.get(row.id),
            history=known.get(row.id) or History(),
            recheck=row.id in purchases,
        )
        for row in concerned
    }


def _unseen(keys: set[Key]) -> list[Locked]:
    """Places for purchases that nobody has seen."""
    ids = bulk.reserve_ids(Purchase, len(keys)) if keys else []
    return [Locked(id, *key) for id, key in zip(ids, sorted(keys), strict=True)]


def _elders(
    rows: Sequence[Locked], accounts: dict[int, NetworkAccount]
) -> dict[int, NetworkAccount]:
    """For each purchase whose order an earlier purchase has too: that one's account."""
    first: dict[tuple[str, str], NetworkAccount] = {}
    elders = {}
    for row in rows:
        account = accounts[row.account_id]
        order = (account.network, row.order_key)
        if order in first:
            elders[row.id] = first[order]
        elif account.rewarding is not False:
            first[order] = account
    return elders
