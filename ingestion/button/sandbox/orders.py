"""What happened at the shops: facts of one transaction, and how they add up."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from ingestion.button.sandbox.catalogue import Brand, Rate

PENDING, VALIDATED, DECLINED = "pending", "validated", "declined"
APP_INSTALL = "app-install"
INSTALL_COMMISSION = 150
DISCOUNT = "DISCOUNT"


class Refused(Exception):
    """What was asked can't happen to an order; the message says why."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line: ``price`` of one piece and ``commission`` of all, in minor units."""

    identifier: str
    description: str
    category: str
    quantity: int
    price: int
    commission: int

    @property
    def total(self) -> int:
        return self.price * self.quantity

    def with_quantity(self, quantity: int, *, rate: Rate) -> "Line":
        commission = rate.commission(self.price, quantity=quantity)
        return replace(self, quantity=quantity, commission=commission)


@dataclass(frozen=True, slots=True)
class Transaction:
    """The whole state of one transaction, in our own words. Times are UTC.

    ``order_total`` and ``commission`` are minor units of ``currency``. An app install
    has no order: ``order_id`` is empty, and there are no lines.
    """

    id: str
    order_id: str
    account: str
    currency: str
    store: str
    customer: str | None
    status: str
    category: str
    lines: tuple[Line, ...]
    order_total: int
    commission: int
    created_at: datetime
    modified_at: datetime
    purchased_at: datetime
    validated_at: datetime | None = None
    pub_ref: str | None = None
    token: str | None = None
    country: str = "US"
    channel: str = "webview"
    order_number: str | None = None

    @property
    def key(self) -> str:
        return self.order_id or self.id

    @property
    def final(self) -> bool:
        return self.status != PENDING


@dataclass(frozen=True, slots=True)
class Truth:
    """Where one order of one account stands, to compute balances from."""

    order_id: str
    transaction_id: str
    account: str
    customer: str | None
    store: str
    category: str
    status: str
    currency: str
    order_total: int
    commission: int
    purchased_at: datetime


def basket(
    brand: Brand, pieces: Iterable[tuple[str, str, int, int]], *, currency: str
) -> tuple[Line, ...]:
    """Lines from (description, category, quantity, price of one)."""
    return tuple(
        Line(
            f"L{number}",
            description,
            category,
            quantity,
            price,
            brand.rate(category, currency=currency).commission(
                price, quantity=quantity
            ),
        )
        for number, (description, category, quantity, price) in enumerate(pieces, 1)
    )


def with_lines(transaction: Transaction, lines: Sequence[Line]) -> Transaction:
    """The same with other lines, and what they add up to. Raises Refused below 0."""
    total = sum(line.total for line in lines)
    if total < 0:
        raise Refused("An order's total can't be below zero.")
    commission = sum(line.commission for line in lines)
    return replace(
        transaction, lines=tuple(lines), order_total=total, commission=commission
    )


def adding_up_to(
    total: int, lines: Sequence[Line], *, brand: Brand, currency: str
) -> list[Line]:
    """Lines of this total: the last ones go, or become cheaper or dearer."""
    if total < 0:
        raise Refused("An order's total can't be below zero.")
    kept, left = list[Line](), total
    for line in (line for line in lines if line.total >= 0):
        if left <= 0 and kept:
            break
        kept.append(line if line.total <= left else _costing(left, line))
        left -= kept[-1].total
    if left and kept:
        kept.append(_costing(kept[-1].total + left, kept.pop()))
    return [
        line.with_quantity(
            line.quantity, rate=brand.rate(line.category, currency=currency)
        )
        for line in kept
    ]


def _costing(price: int, line: Line) -> Line:
    return replace(line, quantity=1, price=price)


def without(
    lines: Sequence[Line], identifier: str, quantity: int, *, rate: Rate
) -> list[Line]:
    """Lines after some pieces of one came back; a line of none left goes."""
    changed = []
    for line in lines:
        if line.identifier != identifier:
            changed.append(line)
        elif line.quantity > quantity:
            changed.append(line.with_quantity(line.quantity - quantity, rate=rate))
    return changed
