"""Smallest steps of units as money, added up exactly and rounded once."""

from collections.abc import Iterable
from fractions import Fraction
from math import floor

from rewards.closing.unit_worths import Worths


def value(
    amounts: Iterable[tuple[int, int]], *, currency: str, worths: Worths
) -> tuple[int, dict[int, int]]:
    """Minor units of a currency, rounded down, and what has no worth in it.

    ``amounts`` are smallest steps by unit id; what has no worth is given back by unit.
    """
    exact, apart = Fraction(), dict[int, int]()
    for unit_id, steps in amounts:
        worth = worths.get(unit_id)
        if worth and worth[0] == currency:
            exact += steps * worth[1]
        elif steps:
            apart[unit_id] = apart.get(unit_id, 0) + steps
    return floor(exact), apart
