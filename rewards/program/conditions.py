"""What a rule asks of a purchase, one class a condition.

Evaluation only tests; the receipt also says what was wanted and what was found. Both
ask the same object, so they cannot disagree.
"""

from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Protocol

from merchants.currencies import EXPONENTS
from rewards.program import vocabulary
from rewards.reports import PurchaseReport


class Condition(Protocol):
    """``name`` is the program file's; wanted and found are for people."""

    @property
    def name(self) -> str: ...

    @property
    def wanted(self) -> str: ...

    def holds(self, purchase: PurchaseReport) -> bool: ...

    def found(self, purchase: PurchaseReport) -> str: ...


@dataclass(frozen=True)
class OneOf:
    """A text of the purchase is among those listed."""

    name: str
    attribute: str
    values: frozenset[str]

    @property
    def wanted(self) -> str:
        return ", ".join(sorted(self.values))

    def holds(self, purchase: PurchaseReport) -> bool:
        return getattr(purchase, self.attribute) in self.values

    def found(self, purchase: PurchaseReport) -> str:
        return getattr(purchase, self.attribute) or "none"


@dataclass(frozen=True)
class Starts:
    """Attributed at this instant or later."""

    at: datetime
    name: str = "starts_at"

    @property
    def wanted(self) -> str:
        return f"from {self.at.isoformat()}"

    def holds(self, purchase: PurchaseReport) -> bool:
        return purchase.attributed_at >= self.at

    def found(self, purchase: PurchaseReport) -> str:
        return purchase.attributed_at.isoformat()


@dataclass(frozen=True)
class Ends:
    """Attributed before this instant."""

    at: datetime
    name: str = "ends_at"

    @property
    def wanted(self) -> str:
        return f"before {self.at.isoformat()}"

    def holds(self, purchase: PurchaseReport) -> bool:
        return purchase.attributed_at < self.at

    def found(self, purchase: PurchaseReport) -> str:
        return purchase.attributed_at.isoformat()


@dataclass(frozen=True)
class OrderTotal:
    """The order total is at least, or at most, so many major units.

    ``limits`` has the bound in minor units, by number of decimals.
    """

    name: str
    bound: str
    limits: dict[int, Fraction]

    @property
    def at_least(self) -> bool:
        return self.name == "min_order_total"

    @property
    def wanted(self) -> str:
        return f"{'at least' if self.at_least else 'at most'} {self.bound}"

    def holds(self, purchase: PurchaseReport) -> bool:
        exponent = EXPONENTS.get(purchase.order_currency)
        if exponent is None:
            return False
        total, limit = purchase.order_total or 0, self.limits[exponent]
        return total >= limit if self.at_least else total <= limit

    def found(self, purchase: PurchaseReport) -> str:
        return major(purchase.order_total or 0, purchase.order_currency)


def _order_total(name: str, bound: str) -> OrderTotal:
    decimals = set(EXPONENTS.values())
    return OrderTotal(name, bound, {d: Fraction(bound) * 10**d for d in decimals})


def major(amount: int, currency: str) -> str:
    """Minor units as a plain decimal with the currency: 9100 USD is ``91.00 USD``."""
    exponent = EXPONENTS.get(currency, 0)
    sign, digits = "-" if amount < 0 else "", str(abs(amount)).rjust(exponent + 1, "0")
    text = f"{digits[:-exponent]}.{digits[-exponent:]}" if exponent else digits
    return f"{sign}{text} {currency}".rstrip()


def conditions(when: vocabulary.When) -> tuple[Condition, ...]:
    """Everything a rule asks, in the order in which it is told to people."""
    found: list[Condition] = []
    if when.merchants:
        found.append(OneOf("merchants", "merchant", frozenset(when.merchants)))
    if when.currencies:
        found.append(OneOf("currencies", "order_currency", frozenset(when.currencies)))
    if when.starts_at:
        found.append(Starts(when.starts_at))
    if when.ends_at:
        found.append(Ends(when.ends_at))
    if when.min_order_total:
        found.append(_order_total("min_order_total", when.min_order_total))
    if when.max_order_total:
        found.append(_order_total("max_order_total", when.max_order_total))
    return tuple(found)
