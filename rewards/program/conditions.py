"""What a rule asks of a purchase, one class a condition.

Evaluation only tests; the receipt also says what was wanted and what was found. Both
ask the same object, so they cannot disagree.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Protocol
from zoneinfo import ZoneInfo

from merchants.currencies import EXPONENTS
from rewards.program import expressions, vocabulary
from rewards.program.expressions import Expression
from rewards.program.facts import Facts


class Condition(Protocol):
    """``name`` is the program file's; wanted and found are for people."""

    @property
    def name(self) -> str: ...

    @property
    def wanted(self) -> str: ...

    def holds(self, facts: Facts) -> bool: ...

    def found(self, facts: Facts) -> str: ...


@dataclass(frozen=True, slots=True)
class OneOf:
    """A text of the purchase is among those listed."""

    name: str
    values: frozenset[str]
    told: Callable[[Facts], str]

    @property
    def wanted(self) -> str:
        return ", ".join(sorted(self.values))

    def holds(self, facts: Facts) -> bool:
        return self.told(facts) in self.values

    def found(self, facts: Facts) -> str:
        return self.told(facts) or "none"


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one of several texts is among those listed."""

    name: str
    values: frozenset[str]
    told: Callable[[Facts], Iterable[str]]

    @property
    def wanted(self) -> str:
        return ", ".join(sorted(self.values))

    def holds(self, facts: Facts) -> bool:
        return not self.values.isdisjoint(self.told(facts))

    def found(self, facts: Facts) -> str:
        return ", ".join(self.told(facts)) or "none"


@dataclass(frozen=True, slots=True)
class Starts:
    """Attributed at this instant or later."""

    at: datetime
    name: str = "starts_at"

    @property
    def wanted(self) -> str:
        return f"from {self.at.isoformat()}"

    def holds(self, facts: Facts) -> bool:
        return facts.report.attributed_at >= self.at

    def found(self, facts: Facts) -> str:
        return facts.report.attributed_at.isoformat()


@dataclass(frozen=True, slots=True)
class Ends:
    """Attributed before this instant."""

    at: datetime
    name: str = "ends_at"

    @property
    def wanted(self) -> str:
        return f"before {self.at.isoformat()}"

    def holds(self, facts: Facts) -> bool:
        return facts.report.attributed_at < self.at

    def found(self, facts: Facts) -> str:
        return facts.report.attributed_at.isoformat()


@dataclass(frozen=True, slots=True)
class Weekdays:
    """Attributed on one of these days, as the zone's calendar has it; Monday is 0."""

    days: frozenset[int]
    zone: ZoneInfo
    name: str = "weekdays"

    @property
    def wanted(self) -> str:
        days = ", ".join(vocabulary.WEEKDAYS[day] for day in sorted(self.days))
        return f"{days} ({self.zone.key})"

    def holds(self, facts: Facts) -> bool:
        return facts.report.attributed_at.astimezone(self.zone).weekday() in self.days

    def found(self, facts: Facts) -> str:
        local = facts.report.attributed_at.astimezone(self.zone)
        return vocabulary.WEEKDAYS[local.weekday()]


@dataclass(frozen=True, slots=True)
class OrderTotal:
    """The order total is at least, or at most, so many major units.

    ``limits`` has the bound by currency, as the last whole minor unit that holds.
    """

    name: str
    bound: str
    limits: Mapping[str, int]

    @property
    def at_least(self) -> bool:
        return self.name == "min_order_total"

    @property
    def wanted(self) -> str:
        return f"{'at least' if self.at_least else 'at most'} {self.bound}"

    def holds(self, facts: Facts) -> bool:
        limit = self.limits.get(facts.report.order_currency)
        if limit is None:
            return False
        total = facts.report.order_total or 0
        return total >= limit if self.at_least else total <= limit

    def found(self, facts: Facts) -> str:
        return major(facts.report.order_total or 0, facts.report.order_currency)


@dataclass(frozen=True, slots=True)
class FirstPurchase:
    """No earlier order of the member counts against it, anywhere or at this store."""

    scope: str
    name: str = "first_purchase"

    @property
    def wanted(self) -> str:
        return f"the first {self.scope}"

    def holds(self, facts: Facts) -> bool:
        return self.scope in facts.about.first

    def found(self, facts: Facts) -> str:
        return "the first" if self.holds(facts) else "an earlier order"


@dataclass(frozen=True, slots=True)
class Holds:
    """An expression is true. Raises ExpressionFailed where it can't be worked out."""

    expression: Expression
    name: str = "expression"

    @property
    def wanted(self) -> str:
        return self.expression.text

    def holds(self, facts: Facts) -> bool:
        return self.expression.holds(facts)

    def found(self, facts: Facts) -> str:
        try:
            return "true" if self.holds(facts) else "false"
        except expressions.ExpressionFailed as error:
            return str(error)


def _order_total(name: str, bound: str, currencies: Iterable[str]) -> OrderTotal:
    whole = math.ceil if name == "min_order_total" else math.floor
    limits = {
        code: whole(Fraction(bound) * 10 ** EXPONENTS[code]) for code in currencies
    }
    return OrderTotal(name, bound, limits)


def major(amount: int, currency: str) -> str:
    """Minor units as a plain decimal with the currency: 9100 USD is ``91.00 USD``."""
    exponent, digits = EXPONENTS.get(currency, 0), str(amount)
    if not exponent:
        return f"{digits} {currency}".rstrip()
    if len(digits) <= exponent or amount < 0:
        sign, digits = "-" if amount < 0 else "", str(abs(amount))
        digits = sign + digits.rjust(exponent + 1, "0")
    return f"{digits[:-exponent]}.{digits[-exponent:]} {currency}"


def conditions(when: vocabulary.When, *, zone: str = "UTC") -> tuple[Condition, ...]:
    """Everything a rule asks, in the order in which it is told to people.

    What costs most to ask comes last. ``zone`` is the program's, for weekdays.
    """
    return (
        *_listed(when),
        *_timed(when, zone),
        *(
            _order_total(name, bound, when.currencies)
            for name in ("min_order_total", "max_order_total")
            if (bound := getattr(when, name))
        ),
        *([FirstPurchase(when.first_purchase)] if when.first_purchase else ()),
        *([Holds(expressions.compiled(when.expression))] if when.expression else ()),
    )


def _listed(when: vocabulary.When) -> Iterator[Condition]:
    for name, told in _TEXTS.items():
        if wanted := getattr(when, name):
            if name == "countries":
                wanted = [code.upper() for code in wanted]
            yield OneOf(name, frozenset(wanted), told)
    for name, several in _LISTS.items():
        if wanted := getattr(when, name):
            yield AnyOf(name, frozenset(wanted), several)


def _timed(when: vocabulary.When, zone: str) -> Iterator[Condition]:
    if when.starts_at:
        yield Starts(when.starts_at)
    if when.ends_at:
        yield Ends(when.ends_at)
    if when.weekdays:
        days = frozenset(vocabulary.WEEKDAYS.index(day) for day in when.weekdays)
        yield Weekdays(days, ZoneInfo(when.time_zone or zone))


_TEXTS: dict[str, Callable[[Facts], str]] = {
    "merchants": lambda facts: facts.report.merchant,
    "currencies": lambda facts: facts.report.order_currency,
    "order_categories": lambda facts: facts.report.category,
    "countries": lambda facts: facts.country.upper(),
    "channels": lambda facts: facts.channel,
    "accounts": lambda facts: facts.report.account,
}
_LISTS: dict[str, Callable[[Facts], Iterable[str]]] = {
    "merchant_categories": lambda facts: facts.about.merchant_categories,
    "segments": lambda facts: facts.about.segments,
}
