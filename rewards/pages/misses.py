"""Why a rule gave a member nothing, as far as that is the member's to know.

Which segments, accounts, countries or expressions a rule asks for stays with staff, and
so does an offer that has not begun: a rule that failed on one of those is not told at
all. Nor is one for other stores, of which there may be hundreds.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from rewards.money import Counted, currency_amount
from rewards.pages.gains import limit_reached, money
from rewards.pages.labels import in_language
from rewards.program.phrases import either, moment
from rewards.program.trials import APPLIED, NO_ITEMS, NOT_MATCHED, STOOD_BACK, Tried
from rewards.program.vocabulary import WEEKDAYS, When
from rewards.reports import PurchaseReport

A_MONDAY = date(2024, 1, 1).toordinal()


@dataclass(frozen=True, slots=True)
class GaveNothing:
    """A rule that did not count, and the one reason."""

    label: str
    reason: str


@dataclass(frozen=True, slots=True)
class Order:
    """What the reasons speak of: the order, and the rules' own zone."""

    report: PurchaseReport
    zone: ZoneInfo

    def moment(self, at: datetime | None) -> str:
        return moment(at, zone=self.zone)

    @property
    def total(self) -> str:
        total = self.report.order_total or 0
        return currency_amount(total, currency=self.report.order_currency)


def gave_nothing(
    rules: Sequence[Tried], order: Order, units: Mapping[str, Counted]
) -> list[GaveNothing]:
    """The rules that gave nothing, each with what was missing."""
    return [
        GaveNothing(in_language(tried.label), reason)
        for tried in rules
        if (reason := _reason(tried, order, units[tried.unit]))
    ]


def tells(tried: Tried) -> bool:
    """Whether everything that this rule missed may be known."""
    return all(a.held or a.condition in _SENTENCES for a in tried.conditions)


def _reason(tried: Tried, order: Order, unit: Counted) -> str:
    """The reason in a sentence; empty where the rule gave something or is not told."""
    if not tells(tried) or tried.granted:
        return ""
    if tried.outcome == APPLIED:
        rounded = _("What it gives for this order rounds to nothing.")
        return limit_reached(tried, unit) or rounded
    if tried.outcome == NOT_MATCHED and tried.failed:
        say = _SENTENCES[tried.failed.condition]
        return say(tried.spec.when, order)
    if tried.outcome == STOOD_BACK and tried.stood_before:
        first = in_language(tried.stood_before.label)
        return _("“%s” counts in its place.") % first
    if tried.outcome == NO_ITEMS:
        return _no_items(tried, order)
    return _("It gives nothing for this order.")


def _no_items(tried: Tried, order: Order) -> str:
    if not order.report.lines:
        return _("It is for certain items, and the store did not tell us yours.")
    if not (wanted := tried.spec.items.categories):
        return _("It is for certain items, and none of yours counts.")
    return _("It is for items in %s, and none of yours counts.") % either(wanted)


def _currencies(when: When, order: Order) -> str:
    return _("It is for orders in %(wanted)s; this one is in %(found)s.") % {
        "wanted": either(sorted(when.currencies)),
        "found": order.report.order_currency,
    }


def _ends(when: When, order: Order) -> str:
    return _("It is for orders before %(wanted)s; this one is of %(found)s.") % {
        "wanted": order.moment(when.ends_at),
        "found": order.moment(order.report.attributed_at),
    }


def _weekdays(when: When, order: Order) -> str:
    zone = ZoneInfo(when.time_zone) if when.time_zone else order.zone
    ordered = order.report.attributed_at.astimezone(zone)
    return _("It is for orders made on a %(wanted)s; this one is of a %(found)s.") % {
        "wanted": either([_day(WEEKDAYS.index(day)) for day in when.weekdays]),
        "found": _day(ordered.weekday()),
    }


def _day(number: int) -> str:
    return date_format(date.fromordinal(A_MONDAY + number), "l")


def _least(when: When, order: Order) -> str:
    bound = money(when.min_order_total or "0", order.report.order_currency)
    return _("It is for orders of at least %(wanted)s; this one is %(found)s.") % {
        "wanted": bound,
        "found": order.total,
    }


def _most(when: When, order: Order) -> str:
    bound = money(when.max_order_total or "0", order.report.order_currency)
    return _("It is for orders of at most %(wanted)s; this one is %(found)s.") % {
        "wanted": bound,
        "found": order.total,
    }


def _first(when: When, order: Order) -> str:
    if when.first_purchase == "merchant":
        return _("It is for a first order at this store; you had one before.")
    return _("It is for a first order; you had one before.")


_SENTENCES: dict[str, Callable[[When, Order], str]] = {
    "currencies": _currencies,
    "ends_at": _ends,
    "weekdays": _weekdays,
    "min_order_total": _least,
    "max_order_total": _most,
    "first_purchase": _first,
}
