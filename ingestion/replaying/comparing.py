"""Where the real database and the one that was rebuilt differ, row by row."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple

from django.db.models import Model

from ingestion.replaying.scratch import SOURCE
from rewards import ledger
from rewards.models import (
    Account,
    Award,
    Budget,
    Draw,
    Lot,
    Purchase,
    Report,
    Settlement,
    Transfer,
)
from rewards.settling.cases import ROW
from rewards.verification.checking import Broken

_CHUNK = 2_000
_POSTINGS = ("purchase_id", "redemption_id", "adjustment_id")


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that comes out otherwise: what it is about, and in which respect."""

    kind: str
    id: int
    said: str
    member_id: int | None = None
    purchase_id: int | None = None

    def __str__(self) -> str:
        about = ""
        if self.purchase_id and self.kind != "purchase":
            about = f" (purchase {self.purchase_id})"
        elif self.member_id:
            about = f" (member {self.member_id})"
        return f"{self.kind} {self.id}{about}: {self.said}"

    @property
    def broken(self) -> Broken:
        """As a check finds it."""
        return Broken(f"{self.kind} {self.id}", self.member_id, self.purchase_id)


class Compared(NamedTuple):
    """A table: by what its rows are found, what is compared, and whom it concerns."""

    model: type[Model]
    key: str
    columns: tuple[str, ...]
    purchase: str = ""
    member: str = ""


_PURCHASES = (
    Compared(
        Purchase,
        "id",
        (*ROW[1:], "settlement_id", "due_at", "account_id", "twin", "first_seen_at"),
        "id",
    ),
    Compared(
        Settlement,
        "id",
        (
            *("purchase_id", "report_id", "edition_id", "member_id", "decision_id"),
            *("facts", "pinned", "status", "commission", "currency", "in_review"),
            "settled_at",
        ),
        "purchase_id",
    ),
    Compared(
        Report,
        "id",
        (
            *("purchase_id", "settlement_id", "transaction_id", "status"),
            *("order_total", "commission", "customer_id", "modified_at", "confirmed"),
            *("source", "received_at"),
        ),
        "purchase_id",
    ),
    Compared(
        Award,
        "settlement_id",
        (
            *("rule", "unit_id", "wanted", "granted", "why"),
            *("held_until", "expires_after_days"),
        ),
        "settlement__purchase_id",
    ),
)
_BALANCES = (
    Compared(
        Transfer,
        "id",
        (
            *("from_account_id", "to_account_id", "amount", "settlement_id"),
            *(*_POSTINGS, "source", "reference", "effective_at", "recorded_at"),
        ),
        "purchase_id",
        "from_account__member_id",
    ),
    Compared(
        Lot,
        "id",
        (
            *("account_id", "transfer_id", "purchase_id", "adjustment_id", "amount"),
            *("remaining", "days", "expires_at", "since"),
        ),
        member="account__member_id",
    ),
    Compared(
        Draw, "transfer_id", ("lot_id", "amount"), member="lot__account__member_id"
    ),
    Compared(
        Account, "id", ("member_id", "unit_id", "kind", "balance"), member="member_id"
    ),
    Compared(Budget, "unit_id", ("rule", "used")),
)


def differences(purchases: Collection[int] | None) -> Iterator[Difference]:
    """Every row that differs; of a part of the purchases, without balances and lots.

    Those are of all that a member did.
    """
    for table in _PURCHASES:
        yield from _differences(table, purchases)
    if purchases is None:
        for table in _BALANCES:
            yield from _differences(table, None)
    else:
        yield from _sums(sorted(purchases))


def _differences(
    table: Compared, purchases: Collection[int] | None
) -> Iterator[Difference]:
    real, again = _rows(table, SOURCE, purchases), _rows(table, "default", None)
    one, other = next(real, None), next(again, None)
    while one or other:
        keys = [row[0] for row in (one, other) if row]
        key = min(keys)
        mine = one[1] if one and one[0] == key else []
        theirs = other[1] if other and other[0] == key else []
        if mine != theirs:
            yield _difference(table, key, mine, theirs)
        one = next(real, None) if one and one[0] == key else one
        other = next(again, None) if other and other[0] == key else other


Row = tuple[int, list[tuple[Any, ...]]]


def _rows(
    table: Compared, alias: str, purchases: Collection[int] | None
) -> Iterator[Row]:
    """What is compared, by key, in the order of keys."""
    rows = table.model._default_manager.using(alias)
    if purchases is not None:
        name = table.purchase.removesuffix("_id")
        lookup = f"{name}__among" if name == "id" else f"{name}__id__among"
        rows = rows.filter(**{lookup: purchases})
    about = [column or table.key for column in (table.purchase, table.member)]
    found = rows.order_by(table.key).values_list(table.key, *about, *table.columns)
    for key, group in groupby(found.iterator(_CHUNK), key=lambda row: row[0]):
        yield key, sorted((row[1:] for row in group), key=repr)


def _difference(
    table: Compared,
    key: int,
    mine: list[tuple[Any, ...]],
    theirs: list[tuple[Any, ...]],
) -> Difference:
    purchase_id, member_id = (mine or theirs)[0][:2]
    kind = str(table.model._meta.verbose_name)
    if table.key != "id":
        kind = f"{kind} of {table.key.removesuffix('_id')}"
    return Difference(
        kind,
        key,
        _said(table.columns, [row[2:] for row in mine], [row[2:] for row in theirs]),
        member_id if table.member else None,
        purchase_id if table.purchase else None,
    )


def _said(
    columns: tuple[str, ...],
    mine: list[tuple[Any, ...]],
    theirs: list[tuple[Any, ...]],
) -> str:
    if len(mine) == len(theirs) == 1:
        pairs = zip(columns, mine[0], theirs[0], strict=True)
        return ", ".join(f"{c} is {a}, not {b}" for c, a, b in pairs if a != b)
    if not mine:
        return f"is missing: {theirs[0]}"
    if not theirs:
        return "should not be there"
    gone = [row for row in theirs if row not in mine]
    more = [row for row in mine if row not in theirs]
    return f"is {more}, not {gone}"


def _sums(purchases: list[int]) -> Iterator[Difference]:
    """Purchases for which something else is posted."""
    for first in range(0, len(purchases), _CHUNK):
        part = purchases[first : first + _CHUNK]
        real, again = ledger.posted(part, using=SOURCE), ledger.posted(part)
        for id in part:
            mine, theirs = real.get(id), again.get(id)
            if (mine and mine.vector) != (theirs and theirs.vector):
                said = f"posted is {mine}, not {theirs}"
                yield Difference("purchase", id, said, purchase_id=id)
