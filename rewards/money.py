"""Amounts for people, in their language. Integers in, text out, never a float.

And the way back, for what staff type or upload, in one form that can't be misread.
"""

import re
from decimal import Decimal
from typing import Protocol

from babel import Locale, UnknownLocaleError
from babel.numbers import NumberPattern, parse_pattern
from django.utils.translation import get_language, to_locale
from django.utils.translation import gettext as _

from merchants.currencies import EXPONENTS

NO_BREAK = "\u00a0"
FALLBACK = "en"
_TYPED = re.compile(r"-?(?:0|[1-9][0-9]{0,14})(?:\.([0-9]+))?")


class Counted(Protocol):
    """What a unit says about itself, in the draft and in an edition alike."""

    @property
    def code(self) -> str: ...

    @property
    def name(self) -> str: ...

    @property
    def name_plural(self) -> str: ...

    @property
    def decimals(self) -> int: ...


def unit_amount(amount: int, *, unit: Counted) -> str:
    """So many smallest steps with their name: ``600 points``, ``$3.02``."""
    if unit.code in EXPONENTS:
        return currency_amount(amount, currency=unit.code)
    number = unit_number(amount, unit=unit)
    return f"{number}{NO_BREAK}{unit_name(amount, unit=unit)}"


def unit_number(amount: int, *, unit: Counted) -> str:
    """The figure alone; a currency keeps its sign, which is part of the figure."""
    if unit.code in EXPONENTS:
        return currency_amount(amount, currency=unit.code)
    return _decimal(amount, unit.decimals)


def unit_name(amount: int, *, unit: Counted) -> str:
    """What the unit is called beside this amount: one point, two points."""
    return unit.name if abs(amount) == 10**unit.decimals else unit.name_plural


def currency_amount(amount: int, *, currency: str) -> str:
    """Minor units of a currency, with the decimals that ISO 4217 gives it.

    Babel's own number of decimals is the one used in shops, which differs for some.
    """
    exponent = EXPONENTS.get(currency)
    if exponent is None:
        return f"{_decimal(amount, 0)}{NO_BREAK}{currency}".strip()
    pattern = _locale().currency_formats["standard"]
    return _written(amount, exponent, pattern, currency=currency)


def plain(amount: int, *, unit: Counted) -> str:
    """The figure as ``typed`` takes it: ``-3.02``."""
    return f"{Decimal(amount).scaleb(-unit.decimals):f}"


def typed(text: str, *, unit: Counted) -> int:
    """What somebody typed, in smallest steps: a dot, and exactly the unit's decimals.

    So 302 is never taken for 3.02, nor a thousands separator for a dot. Raises
    ValueError, which says how to write it.
    """
    found = _TYPED.fullmatch(text)
    if not found or len(found[1] or "") != unit.decimals:
        example = plain(302, unit=unit)
        raise ValueError(
            _("“%(text)s” is no amount of %(unit)s: write it like %(example)s.")
            % {"text": text[:40], "unit": unit.code, "example": example}
        )
    return int(text.replace(".", ""))


def _decimal(amount: int, decimals: int) -> str:
    return _written(amount, decimals, _locale().decimal_formats[None])


def _written(
    amount: int, decimals: int, shared: NumberPattern, *, currency: str | None = None
) -> str:
    """By the locale's pattern, but with exactly so many decimals."""
    pattern = parse_pattern(shared.pattern)
    pattern.frac_prec = (decimals, decimals)
    value = Decimal(amount).scaleb(-decimals)
    return pattern.apply(value, _locale(), currency=currency, currency_digits=False)


def _locale() -> Locale:
    """The active language's, with its own grouping of digits and signs."""
    try:
        return Locale.parse(to_locale(get_language() or FALLBACK))
    except (UnknownLocaleError, ValueError):
        return Locale(FALLBACK)
