"""How much a rule gives: exact ratios of integers, in the unit's smallest step."""

from collections.abc import Callable
from fractions import Fraction
from typing import NamedTuple

from merchants.currencies import EXPONENTS
from rewards.program import vocabulary
from rewards.program.conditions import major
from rewards.reports import PurchaseReport


class Exact(NamedTuple):
    """An exact amount: ``numerator / denominator`` smallest steps, and how it came."""

    numerator: int
    denominator: int
    why: str


Reward = Callable[[PurchaseReport], Exact | None]
"""None where the reward does not apply to this purchase at all."""


def reward(spec: vocabulary.Rule, *, decimals: int) -> Reward:
    """The arithmetic of one rule, for a unit with so many decimals."""
    match spec.reward:
        case vocabulary.Fixed():
            return _fixed(spec.reward, 10**decimals)
        case vocabulary.PerAmount():
            return _per_amount(spec.reward, 10**decimals)
        case vocabulary.Share():
            return _share(spec.reward, spec.unit)


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


def _fixed(spec: vocabulary.Fixed, scale: int) -> Reward:
    points = Fraction(spec.points) * scale
    exact = Exact(points.numerator, points.denominator, f"{spec.points} an order")

    def give(purchase: PurchaseReport) -> Exact | None:
        return exact if (purchase.order_total or 0) > 0 else None

    return give


def _per_amount(spec: vocabulary.PerAmount, scale: int) -> Reward:
    points, per = Fraction(spec.points) * scale, Fraction(spec.per)
    ratio = points / per
    basis = _basis(spec.of)
    said = f"{spec.points} per {'whole ' if spec.whole else ''}{spec.per} of"

    def give(purchase: PurchaseReport) -> Exact | None:
        amount, currency, exponent = basis(purchase)
        if exponent is None:
            return None
        why = f"{said} {major(amount, currency)}"
        if not spec.whole:
            minor = 10**exponent
            return Exact(ratio.numerator * amount, ratio.denominator * minor, why)
        steps = amount * per.denominator // (per.numerator * 10**exponent)
        return Exact(points.numerator * steps, points.denominator, why)

    return give


def _share(spec: vocabulary.Share, unit: str) -> Reward:
    share = Fraction(spec.percent) / 100
    basis = _basis(spec.of)

    def give(purchase: PurchaseReport) -> Exact | None:
        amount, currency, _ = basis(purchase)
        if currency != unit:
            return None
        why = f"{spec.percent} % of {major(amount, currency)}"
        return Exact(share.numerator * amount, share.denominator, why)

    return give


def _basis(
    of: str,
) -> Callable[[PurchaseReport], tuple[int, str, int | None]]:
    """The amount a reward is of, never below zero, its currency and its decimals."""
    if of == "commission":

        def commission(purchase: PurchaseReport) -> tuple[int, str, int | None]:
            amount = max(purchase.commission or 0, 0)
            return amount, purchase.currency, EXPONENTS.get(purchase.currency)

        return commission

    def order_total(purchase: PurchaseReport) -> tuple[int, str, int | None]:
        amount = max(purchase.order_total or 0, 0)
        return amount, purchase.order_currency, EXPONENTS.get(purchase.order_currency)

    return order_total
