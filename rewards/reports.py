"""What a network said about one purchase, in our own words.

The contract between the apps: an adapter such as ingestion.button builds a
PurchaseReport, and rewards knows nothing else of where it came from.
"""

from dataclasses import dataclass, field, fields
from datetime import datetime
from functools import cached_property, lru_cache
from hashlib import blake2b
from typing import Any, Self

from django.conf import settings
from pydantic_core import to_json

PENDING, VALIDATED, DECLINED = "pending", "validated", "declined"
STATUS_RANK = {PENDING: 0, VALIDATED: 1, DECLINED: 2}
APP_INSTALL = "app-install"
REWARDED_CATEGORIES = ("new-user-order", "existing-user-order")


@dataclass(frozen=True, slots=True)
class LineItem:
    """One line of an order. Amounts are minor units of the order's currency."""

    identifier: str = ""
    sku: str = ""
    gtin: str = ""
    categories: tuple[str, ...] = ()
    subcategories: tuple[str, ...] = ()
    description: str = ""
    quantity: int = 0
    amount: int = 0
    total: int = 0
    commission: int = 0
    attributes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class PurchaseReport:
    """The whole state of one transaction, never a delta.

    Amounts are minor units: ``commission`` of ``currency``, ``order_total`` and lines
    of ``order_currency``. Times are UTC. Text that was not given is empty.
    ``confirmed`` is the number of the read that was asked for because earlier reports
    left a doubt; 0 for all others.
    """

    network: str
    account: str
    transaction_id: str
    order_id: str
    status: str
    category: str
    modified_at: datetime
    attributed_at: datetime
    merchant: str = ""
    merchant_name: str = ""
    customer_id: str = ""
    click_reference: str = ""
    order_number: str = ""
    currency: str = ""
    commission: int | None = None
    order_currency: str = ""
    order_total: int | None = None
    lines: tuple[LineItem, ...] = ()
    country: str = ""
    channel: str = ""
    created_at: datetime | None = None
    purchased_at: datetime | None = None
    validated_at: datetime | None = None
    confirmed: int = 0

    @property
    def order_key(self) -> str:
        """Names the order inside its account, also where it has no order id."""
        return self.order_id or self.transaction_id

    @property
    def terminal(self) -> bool:
        return self.status != PENDING

    @property
    def rewarded(self) -> bool:
        """Whether the category is one that may ever earn; app installs never may."""
        return self.category in REWARDED_CATEGORIES

    def differs_materially(self, other: Self) -> bool:
        """Whether the two say different things about worth; dates and ids don't count.

        A report without lines says nothing about them, and their order nothing ever.
        """
        if self._worth() != other._worth():
            return True
        if not self.lines or not other.lines:
            return False
        return sorted(map(repr, self.lines)) != sorted(map(repr, other.lines))

    def covers(self, other: Self) -> bool:
        """Whether the other says nothing of the same second that this doesn't say.

        One route tells fractions of a second, the store's order number, or a country
        that the other leaves out.
        """
        ours, theirs = self.modified_at, other.modified_at
        if theirs.microsecond > ours.microsecond:
            return False
        if theirs.replace(microsecond=0) != ours.replace(microsecond=0):
            return False
        return all(
            _blank(told := getattr(other, name)) or told == getattr(self, name)
            for name in _SAID
        )

    @property
    def _fullness(self) -> int:
        """How much is said. What covers another report thereby outranks it, so that
        it doesn't matter which of the two came first."""
        return sum(not _blank(getattr(self, name)) for name in _SAID)

    def _worth(self) -> tuple[object, ...]:
        return (
            self.status,
            self.currency,
            self.commission or 0,
            self.order_currency,
            self.order_total or 0,
        )

    @cached_property
    def content(self) -> str:
        """The report as JSON, without what is stored in columns of its own."""
        return to_json({name: getattr(self, name) for name in _CONTENT}).decode()

    @cached_property
    def saying(self) -> bytes:
        """What is said in which second, as a keyed digest.

        One network writes the same instant with and without milliseconds. Keyed, so
        that an erased customer id can't be guessed.
        """
        return _say(self.content, self.customer_id, self.modified_at)

    @cached_property
    def digest(self) -> bytes:
        """Same digest, same report: what is said, the fraction of its second, and
        whether it was read on purpose."""
        return _extend(self.saying, self.modified_at, self.confirmed)

    @property
    def rank(self) -> tuple[object, ...]:
        """The total order in which the greatest report is the state."""
        return (
            self.terminal,
            int(self.modified_at.timestamp()),
            self.confirmed,
            STATUS_RANK[self.status],
            self.modified_at.microsecond,
            self._fullness,
            self.digest,
        )

    @classmethod
    def restore(
        cls,
        content: dict[str, Any],
        *,
        customer_id: str,
        modified_at: datetime,
        confirmed: int = 0,
        digest: bytes = b"",
    ) -> Self:
        """The report again, from what is stored of it.

        It keeps the ``digest`` that it was stored with: one that named a customer who
        has been erased since would have another, and another rank.
        """
        values = dict(content)
        for name in _TIMES:
            if values.get(name) is not None:
                values[name] = datetime.fromisoformat(values[name])
        values["lines"] = tuple(_restore_line(line) for line in values["lines"])
        report = cls(
            **values,
            customer_id=customer_id,
            modified_at=modified_at,
            confirmed=confirmed,
        )
        if digest:
            vars(report)["digest"] = bytes(digest)  # where cached_property keeps it
        return report


_CONTENT = tuple(
    f.name
    for f in fields(PurchaseReport)
    if f.name not in ("customer_id", "modified_at", "confirmed")
)
_SAID = (*(name for name in _CONTENT if name != "merchant_name"), "customer_id")
_TIMES = ("attributed_at", "created_at", "purchased_at", "validated_at")
_LINE_FIELDS = tuple(f.name for f in fields(LineItem))
_LINE_TUPLES = ("categories", "subcategories")


def _blank(told: object) -> bool:
    """Whether nothing is said. Zero says something: an order may be worth nothing."""
    return told is None or told in ("", ())


def stored_digest(
    content: dict[str, Any], *, customer_id: str, modified_at: datetime, confirmed: int
) -> bytes:
    """The digest of the report that is stored so, without restoring it."""
    lines = [{name: line[name] for name in _LINE_FIELDS} for line in content["lines"]]
    told = {name: content[name] for name in _CONTENT} | {"lines": lines}
    saying = _say(to_json(told).decode(), customer_id, modified_at)
    return _extend(saying, modified_at, confirmed)


def _say(content: str, customer_id: str, modified_at: datetime) -> bytes:
    second = int(modified_at.timestamp())
    said = f"{content}\0{customer_id}\0{second}".encode()
    return blake2b(said, key=digest_key(), digest_size=12).digest()


def _extend(saying: bytes, modified_at: datetime, confirmed: int) -> bytes:
    number = confirmed.to_bytes(6, "big") if confirmed else b""
    return saying + modified_at.microsecond.to_bytes(4, "big") + number


def digest_key() -> bytes:
    """The key of stored digests, in the 64 bytes that BLAKE2 takes."""
    return _of_64_bytes(settings.DIGEST_KEY)


@lru_cache(maxsize=1)
def _of_64_bytes(key: str) -> bytes:
    return blake2b(key.encode()).digest()


def _restore_line(line: dict[str, Any]) -> LineItem:
    values = dict(line)
    for name in _LINE_TUPLES:
        values[name] = tuple(values[name])
    values["attributes"] = tuple((key, text) for key, text in values["attributes"])
    return LineItem(**values)


@dataclass(frozen=True)
class Arrival:
    """A report and how it came: ``received_at`` UTC, ``source`` webhook or poll."""

    report: PurchaseReport
    source: str
    received_at: datetime


@dataclass(frozen=True)
class Outcome:
    """What settling made of one arrival.

    ``doubt`` is the second at which only the network can say what holds, where this
    arrival has left one. ``erased``: it is about a member who was erased, so that
    nothing of it may stay.
    """

    kind: str
    reason: str = ""
    purchase_id: int | None = field(default=None)
    doubt: datetime | None = None
    erased: bool = False
