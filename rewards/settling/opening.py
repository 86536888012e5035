"""Opening a batch: every purchase found, locked, and folded with what is new."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from rewards import bulk
from rewards.models import Decision, NetworkAccount, Purchase, Report
from rewards.races import Raced
from rewards.reports import REWARDED_CATEGORIES, Arrival, PurchaseReport
from rewards.settling.cases import Case
from rewards.settling.history import History, histories

Key = tuple[int, str]
"""Account id and order key, or account id and transaction id."""


class Locked(NamedTuple):
    """What a locked purchase row said before this batch; defaults where none was."""

    id: int
    account_id: int
    order_key: str
    member_id: int | None = None
    merchant_id: int | None = None
    review: str = ""
    settlement_id: int | None = None
    report_id: int | None = None
    due_at: datetime | None = None
    pinned_id: int | None = None

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

    A purchase that nobody has seen is opened without a row; unique constraints decide
    who makes it.
    """
    accounts = _accounts(
        {(a.report.network, a.report.account) for a in arrivals}, at=at
    )
    places = _places([arrival.report for arrival in arrivals], accounts)
    wanted = set(purchases)
    cases = _cases(_lock(places, wanted), {*places, *wanted}, wanted)
    for index, (place, arrival) in enumerate(zip(places, arrivals, strict=True)):
        if place not in cases:
            raise Raced  # another worker has renamed it since we looked
        cases[place].add(arrival, index)
    if decision:
        for id in wanted & cases.keys():
            cases[id].decide(decision)
    return list({case.id: case for case in cases.values()}.values())


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


def _places(
    reports: Sequence[PurchaseReport], accounts: dict[tuple[str, str], int]
) -> list[Key | int]:
    """Where each report belongs: the id of a purchase, or the key of a new one.

    By its order. A transaction may also be told with its order at one time and
    without it at another, here or before: then, and only then, it joins them.
    """
    keyed, told = _known(reports)
    places: list[Key | int] = []
    for report in reports:
        account_id = accounts[report.network, report.account]
        key = (account_id, report.order_key)
        by_transaction = (account_id, report.transaction_id)
        place = keyed.get(key)
        if place is None and report.rewarded:
            place = (keyed if report.order_id else told).get(by_transaction)
        if place is None:
            place = key
        if report.rewarded and (report.order_id or place == key):
            keyed.setdefault(key, place)
        if report.order_id:
            told.setdefault(by_transaction, place)
        places.append(place)
    return places


Places = dict[Key, Key | int]


def _known(reports: Sequence[PurchaseReport]) -> tuple[Places, Places]:
    """Purchases by what they are keyed by, and by transactions that they were told of.

    An app install is keyed by its transaction too, but it is nobody's order.
    """
    keyed: Places = {}
    told: Places = {}
    orders = {report.order_key for report in reports}
    bare = {r.transaction_id for r in reports if not r.order_id and r.rewarded}
    rows = Purchase.objects.filter(
        order_key__among=orders | {report.transaction_id for report in reports}
    )
    for account_id, name, pk, category in rows.values_list(
        "account_id", "order_key", "pk", "category"
    ):
        if name in orders or category in REWARDED_CATEGORIES:
            keyed[account_id, name] = pk
    if bare:
        found = Report.objects.filter(transaction_id__among=bare).order_by("-pk")
        for account_id, name, pk in found.values_list(
            "purchase__account_id", "transaction_id", "purchase_id"
        ):
            told[account_id, name] = pk
    return keyed, told


def _lock(places: Sequence[Key | int], purchases: set[int]) -> list[Locked]:
    """Lock these purchases, and the same orders in other accounts, in order of id.

    Places for new ones follow, in order of arrival.
    """
    keys = dict.fromkeys(place for place in places if isinstance(place, tuple))
    ids = purchases.union(place for place in places if isinstance(place, int))
    order_keys = {order_key for _, order_key in keys}
    if ids:
        named = Purchase.objects.filter(pk__among=ids)
        order_keys.update(named.values_list("order_key", flat=True))
    rows = [
        Locked(*row)
        for row in Purchase.objects.filter(order_key__among=order_keys)
        .order_by("pk")
        .select_for_update(no_key=True)
        .values_list(*Locked._fields)
    ]
    taken = {(row.account_id, row.order_key) for row in rows}
    if any(key in taken for key in keys):
        raise Raced  # it has been made since we looked
    numbers = bulk.reserve_ids(Purchase, len(keys)) if keys else []
    return rows + [Locked(id, *key) for id, key in zip(numbers, keys, strict=True)]


def _cases(
    rows: Sequence[Locked], concerned: set[Key | int], wanted: set[int]
) -> dict[Key | int, Case]:
    """A case for each purchase concerned, by id and by key."""
    accounts = NetworkAccount.objects.in_bulk({row.account_id for row in rows})
    elders = _elders(rows, accounts)
    firsts = {row.order_key: row.id for row in reversed(rows)}
    mine = [
        row
        for row in rows
        if row.id in concerned or (row.account_id, row.order_key) in concerned
    ]
    known = histories([row.id for row in mine if row.settled])
    cases: dict[Key | int, Case] = {}
    for row in mine:
        cases[row.id] = cases[row.account_id, row.order_key] = Case(
            id=row.id,
            account=accounts[row.account_id],
            order_key=row.order_key,
            member_before=row.member_id,
            merchant_before=row.merchant_id,
            review_before=row.review,
            settlement_before=row.settlement_id,
            due_before=row.due_at,
            pinned_id=row.pinned_id,
            elder=elders.get(row.id),
            twin=firsts[row.order_key] != row.id,
            history=known.get(row.id) or History(),
            recheck=row.id in wanted,
        )
    return cases


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
