"""A backtest's figures in words and signs, for the admin and the command line."""

from fractions import Fraction
from typing import Any

from django.utils.translation import gettext as _

from rewards.models import Backtest
from rewards.money import currency_amount, unit_amount
from rewards.program import vocabulary


def amount(steps: int, unit: dict[str, Any]) -> str:
    """So many smallest steps of a unit, as a result holds it: ``600 points``."""
    return unit_amount(steps, unit=vocabulary.Unit.model_validate(unit))


def unit_change(steps: int, unit: dict[str, Any]) -> str:
    """A difference, with its sign."""
    return signed(amount(steps, unit), steps)


def money_change(minor: int, currency: str) -> str:
    return signed(currency_amount(minor, currency=currency), minor)


def signed(text: str, number: int) -> str:
    return f"+{text}" if number > 0 else text


def percent(share: str | None) -> str:
    """An exact share, to a tenth of a per cent; a dash where there is none."""
    if share is None:
        return "-"
    tenths = round(Fraction(share) * 1000)
    sign, tenths = "-" if tenths < 0 else "", abs(tenths)
    return f"{sign}{tenths // 10}.{tenths % 10} %"


def compared_with(backtest: Backtest) -> str:
    """What its draft is compared with."""
    if backtest.rerun_id:
        return _("what these purchases earn now")
    if backtest.baseline:
        return str(backtest.baseline)
    return _("no edition: nothing was live")


def unvalued(result: dict[str, Any]) -> list[str]:
    """The units that no money is said of, so that they are in no cost."""
    return [
        row["unit"]["name_plural"] for row in result["units"] if not row["in_money"]
    ]
