"""How much a rule gives: exact ratios of integers, in the unit's smallest step."""

from collections.abc import Callable
from fractions import Fraction
from typing import NamedTuple

from merchants.currencies import EXPONENTS
from rewards.program import vocabulary
from rewards.program.conditions import major
from rewards.program.facts import Facts
from rewards.program.items import Filter, left, line_filter, matching


class Exact(NamedTuple):
    """An exact amount: ``numerator / denominator`` smallest steps, and how it came."""

    numerator: int
    denominator: int
    why: str


Basis = tuple[int, str, int]
"""The amount a reward is of: minor units, their currency, and how many of them make a
major unit; 0 where there is nothing to be of."""

Given = tuple[int, int, str]
"""The same as a plain tuple, which is made much faster."""

_MINOR = {currency: 10**exponent for currency, exponent in EXPONENTS.items()}

Reward = Callable[[Facts], Given | None]
"""None where the reward does not apply to this purchase at all."""


def reward(spec: vocabulary.Rule, *, decimals: int) -> Reward:
    """The arithmetic of one rule, for a unit with so many decimals.

    A multiplier and a top-up can only be asked whether they apply: what they give
    follows from the unit's other rules.
    """
    counts = line_filter(spec.items)
    match spec.reward:
        case vocabulary.Fixed():
            return _fixed(spec.reward, 10**decimals, counts)
        case vocabulary.PerAmount():
            return _per_amount(spec.reward, 10**decimals, counts)
        case vocabulary.Share():
            return _share(spec.reward, spec.unit, counts)
        case vocabulary.TopUp():
            return _where_something_is_left(_nothing_yet(spec.reward.kind), counts)
        case vocabulary.Multiplier():
            exact = _nothing_yet(spec.reward.kind)
            if spec.group == "base":
                return lambda facts: None  # it multiplies a base, so it is none
            if counts:
                return _where_something_is_left(exact, counts)
            return lambda facts: exact


def rounded(numerator: int, denominator: int, mode: str) -> int:
    """The integer that a ratio rounds to; ratio and denominator are not negative."""
    whole, rest = divmod(numerator, denominator)
    if not rest or mode == "floor":
        return whole
    if mode == "ceil":
        return whole + 1
    if 2 * rest != denominator:
        return whole + (2 * rest > denominator)
    return whole + (mode == "half_up" or whole % 2)


def _nothing_yet(kind: str) -> Given:
    return 0, 1, kind


def _fixed(spec: vocabulary.Fixed, scale: int, counts: Filter | None) -> Reward:
    points = Fraction(spec.points) * scale
    exact = (points.numerator, points.denominator, f"{spec.points} an order")
    return _where_something_is_left(exact, counts)


def _where_something_is_left(exact: Given, counts: Filter | None) -> Reward:
    """So much for any order, or matching line, that has not been given back."""
    if counts is None:
        return lambda facts: exact if (facts.report.order_total or 0) > 0 else None
    return lambda facts: exact if left(matching(facts.report.lines, counts)) else None


def _per_amount(
    spec: vocabulary.PerAmount, scale: int, counts: Filter | None
) -> Reward:
    points, per = Fraction(spec.points) * scale, Fraction(spec.per)
    ratio = points / per
    more, of = ratio.numerator, ratio.denominator
    basis = _basis(spec.of, counts)
    said = f"{spec.points} per {'whole ' if spec.whole else ''}{spec.per} of"

    def give(facts: Facts) -> Given | None:
        amount, currency, minor = basis(facts)
        if not minor:
            return None
        return more * amount, of * minor, f"{said} {major(amount, currency)}"

    def give_whole(facts: Facts) -> Given | None:
        amount, currency, minor = basis(facts)
        if not minor:
            return None
        steps = amount * per.denominator // (per.numerator * minor)
        why = f"{said} {major(amount, currency)}"
        return points.numerator * steps, points.denominator, why

    return give_whole if spec.whole else give


def _share(spec: vocabulary.Share, unit: str, counts: Filter | None) -> Reward:
    share = Fraction(spec.percent) / 100
    more, of = share.numerator, share.denominator
    basis = _basis(spec.of, counts)

    def give(facts: Facts) -> Given | None:
        amount, currency, minor = basis(facts)
        if not minor or currency != unit:
            return None
        return more * amount, of, f"{spec.percent} % of {major(amount, unit)}"

    return give


def _basis(of: str, counts: Filter | None) -> Callable[[Facts], Basis]:
    """The amount a reward is of, never below zero."""
    whole = _commission if of == "commission" else _order_total
    if counts is None:
        return whole
    name = "commission" if of == "commission" else "total"

    def of_lines(facts: Facts) -> Basis:
        _, currency, minor = whole(facts)
        lines = matching(facts.report.lines, counts)
        amount = sum(getattr(line, name) for line in lines)
        # Lines that were given back are told as zero, or are not told at all.
        return (amount, currency, minor) if amount > 0 else (0, currency, 0)

    return of_lines


def _commission(facts: Facts) -> Basis:
    currency, amount = facts.report.currency, facts.report.commission
    minor = _MINOR.get(currency, 0)
    return (amount, currency, minor) if amount and amount > 0 else (0, currency, minor)


def _order_total(facts: Facts) -> Basis:
    currency, amount = facts.report.order_currency, facts.report.order_total
    minor = _MINOR.get(currency, 0)
    return (amount, currency, minor) if amount and amount > 0 else (0, currency, minor)
