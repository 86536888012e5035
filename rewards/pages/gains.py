"""What a rule gave, and how that came, for the member who got it.

What the store pays us, and how much of that we pass on, is nobody else's business: of
such a reward the amount alone is told.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from merchants.currencies import EXPONENTS
from rewards.money import Counted, currency_amount, unit_amount, unit_number
from rewards.pages.labels import goods, in_language, listed
from rewards.program.limits import BUDGET, PER_MEMBER, PER_MEMBER_COUNT, PER_ORDER
from rewards.program.phrases import number
from rewards.program.trials import Tried
from rewards.program.vocabulary import Fixed, Multiplier, PerAmount, Share, TopUp
from rewards.reports import PurchaseReport


@dataclass(frozen=True, slots=True)
class Gave:
    """A rule that counted, what it gave, and how that came, in sentences."""

    label: str
    amount: str
    why: list[str]


def gave(
    tried: Tried,
    report: PurchaseReport,
    unit: Counted,
    *,
    rounding: str,
    held_until: datetime | None,
) -> Gave:
    """``rounding`` is the unit's mode; ``held_until`` the end of a hold, if known."""
    how = f"{_how(tried, report, unit)}{_on_items(tried, report)}"
    if tried.given is not None and tried.given.denominator != 1:
        how = f"{how}, {_rounded(rounding)}"
    said = [f"{how}.", limit_reached(tried, unit), _hold(tried, held_until)]
    amount = unit_amount(tried.granted, unit=unit)
    return Gave(in_language(tried.label), amount, [s for s in said if s])


def limit_reached(tried: Tried, unit: Counted) -> str:
    """Which limit cut the reward, and what was left of it; empty where none did.

    A budget's size is not told.
    """
    if tried.exact is None or tried.given is None or tried.given >= tried.exact:
        return ""
    rooms = [use for use in tried.limits if use.room is not None]
    tightest = min(rooms, key=lambda use: use.room or 0)
    cap = unit_amount(tightest.cap, unit=unit)
    said = {
        PER_ORDER: _("This offer gives at most %(cap)s for one order"),
        PER_MEMBER: _member_limit(tried),
        PER_MEMBER_COUNT: ngettext(
            "This offer is for %(times)d order of a member, and you have had it",
            "This offer is for %(times)d orders of a member, and you have had them",
            tightest.cap,
        ),
        BUDGET: _("All that this offer had to give is given"),
    }[tightest.limit] % {"cap": cap, "times": tightest.cap}
    if _of_commission(tried):
        return f"{said}."
    return _("%(limit)s: %(granted)s of %(wanted)s were added.") % {
        "limit": said,
        "granted": unit_number(tried.granted, unit=unit),
        "wanted": unit_amount(tried.wanted, unit=unit),
    }


def money(text: str, currency: str) -> str:
    """Major units of a currency; as they were written where it has no such coins."""
    minor: Any = Decimal(text).scaleb(EXPONENTS.get(currency, 0))
    if minor != int(minor):
        return f"{number(text)} {currency}"
    return currency_amount(int(minor), currency=currency)


def _how(tried: Tried, report: PurchaseReport, unit: Counted) -> str:
    reward = tried.spec.reward
    if _of_commission(tried):
        return _("A share of what the store pays us for your order")
    match reward:
        case Fixed(points=points):
            return _("%s for your order") % _points(points, unit)
        case PerAmount(points=points, per=per, whole=whole):
            words = _("%(points)s for each %(per)s of %(basis)s")
            if whole:
                words = _("%(points)s for each full %(per)s of %(basis)s")
            return words % {
                "points": _points(points, unit),
                "per": money(per, report.order_currency),
                "basis": _basis(tried, report),
            }
        case Share(percent=percent):
            said = {"percent": number(percent), "basis": _basis(tried, report)}
            return _("%(percent)s %% of %(basis)s") % said
        case Multiplier(factor=factor):
            return _("What your basic reward times %s adds to it") % number(factor)
        case TopUp(points=points):
            return _("Raises your reward to %s at least") % _points(points, unit)


def _of_commission(tried: Tried) -> bool:
    return getattr(tried.spec.reward, "of", "") == "commission"


def _basis(tried: Tried, report: PurchaseReport) -> str:
    if tried.lines is None:
        total = max(report.order_total or 0, 0)
        amount = currency_amount(total, currency=report.order_currency)
        return _("your order of %s") % amount
    total = sum(report.lines[place].total for place in tried.lines)
    return currency_amount(total, currency=report.order_currency)


def _on_items(tried: Tried, report: PurchaseReport) -> str:
    if tried.lines is None:
        return ""
    names = [goods(report.lines[place]) for place in tried.lines]
    words = ngettext(
        ", on %(some)d of %(all)d item: %(names)s",
        ", on %(some)d of %(all)d items: %(names)s",
        len(report.lines),
    )
    return words % {
        "some": len(names),
        "all": len(report.lines),
        "names": listed(names),
    }


def _points(text: str, unit: Counted) -> str:
    steps: Any = Decimal(text).scaleb(unit.decimals)
    if steps != int(steps):
        return f"{number(text)} {unit.name_plural}"
    return unit_amount(int(steps), unit=unit)


def _rounded(mode: str) -> str:
    said = {"floor": _("rounded down"), "ceil": _("rounded up")}
    return said.get(mode, _("rounded"))


def _member_limit(tried: Tried) -> str:
    most = tried.spec.limits.per_member
    said = {
        "day": _("You reached the daily limit of %(cap)s for this offer"),
        "week": _("You reached the weekly limit of %(cap)s for this offer"),
        "month": _("You reached the monthly limit of %(cap)s for this offer"),
        "year": _("You reached the yearly limit of %(cap)s for this offer"),
    }
    ever = _("You reached the limit of %(cap)s for this offer")
    return said.get(most.period, ever) if most else ever


def _hold(tried: Tried, until: datetime | None) -> str:
    if until:
        day = date_format(localtime(until), "DATE_FORMAT")
        return _("Available from %s on.") % day
    if days := tried.spec.hold_days:
        words = ngettext(
            "Available %d day after the store confirms the order.",
            "Available %d days after the store confirms the order.",
            days,
        )
        return words % days
    return ""
