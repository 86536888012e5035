"""What a unit was worth in money when a day ended, as exact ratios."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from fractions import Fraction
from typing import Any

from django.db.models import Q

from merchants.currencies import EXPONENTS
from rewards.models import Edition, Unit

Worths = Mapping[int, tuple[str, Fraction]]
"""By unit id: a currency, and how much of its minor unit the smallest step is worth."""


def worths(*, until: datetime) -> dict[int, tuple[str, Fraction]]:
    """By the newest edition that knew the unit and held before that time.

    A unit that nobody has given a worth is left out.
    """
    ids = dict(Unit.objects.values_list("code", "id"))
    found = {}
    for unit in _units(until):
        if unit["code"] in ids and (worth := _worth(unit)):
            found[ids[unit["code"]]] = worth
    return found


def _units(until: datetime) -> Iterator[Any]:
    """The units of every edition, so that a later one's come later."""
    held = Q(effective_from=None) | Q(effective_from__lt=until)
    editions = Edition.objects.standing().filter(held).order_by("number")
    for content in editions.values_list("content", flat=True):
        yield from content["units"]


def _worth(unit: Mapping[str, Any]) -> tuple[str, Fraction] | None:
    step = Fraction(1, 10 ** unit.get("decimals", 0))
    if unit["code"] in EXPONENTS:
        return unit["code"], step * 10 ** EXPONENTS[unit["code"]]
    if not (value := unit.get("value")):
        return None
    exponent = EXPONENTS[value["currency"]]
    return value["currency"], step * Fraction(value["amount"]) * 10**exponent
