"""Numbers, amounts, times and lists as they stand in a sentence about a rule."""

from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from merchants.currencies import EXPONENTS
from rewards.program import vocabulary

MOST_NAMED = 7


def number(text: str) -> str:
    """A decimal with the decimals it was written with, in the reader's signs."""
    decimals = len(text.partition(".")[2])
    return number_format(Decimal(text), decimals, use_l10n=True, force_grouping=True)


def counted(text: str, unit: vocabulary.Unit) -> str:
    """So many of a unit, from a decimal: "2 points", "1.50 USD"."""
    if unit.code in EXPONENTS:
        return f"{number(text)} {unit.code}"
    name = unit.name if Decimal(text) == 1 else unit.name_plural
    return f"{number(text)} {name}"


def moment(at: datetime | None, *, zone: ZoneInfo) -> str:
    """An instant as a clock there shows it: 1 December 2026, 00:00 (Europe/Madrid)."""
    if at is None:
        return ""
    local = at.astimezone(zone)
    shape = _("j F Y, H:i:s") if local.second else _("j F Y, H:i")
    return f"{date_format(local, shape)} ({zone.key})"


def either(texts: Sequence[str]) -> str:
    """A or B; of very many the first, and how many more there are."""
    named, more = list(texts[:MOST_NAMED]), len(texts) - MOST_NAMED
    if more > 0:
        named.append(ngettext("%d more", "%d more", more) % more)
    if len(named) < 2:
        return "".join(named)
    *some, last = named
    return _("%(some)s or %(last)s") % {"some": ", ".join(some), "last": last}


def money_in(currencies: Sequence[str]) -> Callable[[str | None], str]:
    """How to say amounts of any of these currencies: "1.00 USD or EUR"."""

    def said(amount: str | None) -> str:
        return f"{number(amount)} {either(currencies)}".strip() if amount else ""

    return said
