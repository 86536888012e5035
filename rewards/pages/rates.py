"""What a store promises, in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _

from merchants.models import Offer
from rewards.models import Unit
from rewards.money import currency_amount, unit_amount
from rewards.promises import EXCLUSION, Promise, Rate
from rewards.sampling import Amount


@dataclass(frozen=True, slots=True)
class Figure:
    """``earned``: $4.12 + 350 points; ``basis``: on an order of $100.00."""

    earned: str
    basis: str


@dataclass(frozen=True, slots=True)
class Line:
    """One kind of goods. ``figures`` is empty where they earn nothing."""

    goods: str
    tag: str
    figures: Sequence[Figure]
    excluded: bool


@dataclass(frozen=True, slots=True)
class Shown:
    """A store's rates for people: the most that it gives, and each kind of goods."""

    headline: Sequence[Figure]
    up_to: bool
    lines: Sequence[Line]


def units_by_code() -> dict[str, Unit]:
    return {unit.code: unit for unit in Unit.objects.all()}


def in_words(promise: Promise, units: Mapping[str, Unit]) -> Shown:
    return Shown(
        headline=figures(promise.headline, units),
        up_to=promise.up_to,
        lines=[_line(rate, promise, units) for rate in promise.rates],
    )


def figures(amounts: Sequence[Amount], units: Mapping[str, Unit]) -> list[Figure]:
    """One figure for each currency, its units side by side."""
    together: dict[tuple[str, int, str], list[str]] = {}
    for amount in amounts:
        basis = (amount.currency, amount.per, amount.of)
        words = unit_amount(amount.amount, unit=units[amount.unit])
        together.setdefault(basis, []).append(words)
    return [
        Figure(" + ".join(words), _basis(*basis)) for basis, words in together.items()
    ]


def _line(rate: Rate, promise: Promise, units: Mapping[str, Unit]) -> Line:
    return Line(
        goods=rate.label or _goods(rate, alone=len(promise.rates) == 1),
        tag=rate.tag,
        figures=figures(rate.amounts, units),
        excluded=rate.kind == EXCLUSION,
    )


def _goods(rate: Rate, *, alone: bool) -> str:
    """What to call goods that the store gave no name."""
    if alone:
        return _("Everything")
    return str(Offer.Kind(rate.kind).label).capitalize()


def _basis(currency: str, per: int, of: str) -> str:
    total = {"amount": currency_amount(per, currency=currency)}
    if of == "commission":
        return _("of each %(amount)s that the store pays us") % total
    return _("on an order of %(amount)s") % total
