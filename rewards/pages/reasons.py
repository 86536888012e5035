"""Why a purchase earned what it did, in plain words."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.utils.formats import date_format
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from merchants.currencies import EXPONENTS
from merchants.models import Merchant
from rewards.models import Purchase, Unit
from rewards.money import currency_amount, unit_amount
from rewards.program.receipts import (
    APPLIED,
    STOOD_BACK,
    Failed,
    Receipt,
    Tried,
    receipt,
)
from rewards.reports import LineItem, PurchaseReport

MOST_NAMED = 4


@dataclass(frozen=True, slots=True)
class Gave:
    """A rule that counted, what it gave, and the arithmetic."""

    label: str
    amount: str
    why: str


@dataclass(frozen=True, slots=True)
class GaveNothing:
    """A rule that did not count, and the one reason."""

    label: str
    reason: str


@dataclass(frozen=True, slots=True)
class Item:
    """One line of the order."""

    description: str
    quantity: int
    total: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """The receipt for people."""

    edition: int | None
    gave: Sequence[Gave]
    gave_nothing: Sequence[GaveNothing]
    items: Sequence[Item]
    note: str
    reproduced: bool


def explain(purchase: Purchase, units: Mapping[int, Unit]) -> Explanation:
    found = receipt(purchase)
    report = found.report
    by_code = {unit.code: unit for unit in units.values()}
    stores = _store_names(found.rules)
    return Explanation(
        edition=found.edition,
        gave=[_gave(t, by_code) for t in found.rules if t.outcome == APPLIED],
        gave_nothing=[
            GaveNothing(in_language(t.label), _reason(t, report, stores))
            for t in found.rules
            if report and t.outcome != APPLIED
        ],
        items=[_item(line, report) for line in report.lines] if report else [],
        note=_note(purchase, found),
        reproduced=found.reproduced,
    )


def in_language(label: str | Mapping[str, str]) -> str:
    """A text, or the one of a map that the reader understands best."""
    if isinstance(label, str):
        return label
    language = get_language() or "en"
    for code in (language, language.partition("-")[0], "en"):
        if code in label:
            return label[code]
    return next(iter(label.values()))


def _note(purchase: Purchase, found: Receipt) -> str:
    """Why no rule was asked, where none was."""
    if purchase.review or found.rules:
        return ""
    if purchase.status == Purchase.Status.DECLINED:
        return _("The store did not accept the order, so it earns nothing.")
    if found.edition is None:
        return _("No rules hold for the time of this order yet.")
    return found.note


def _gave(tried: Tried, units: Mapping[str, Unit]) -> Gave:
    why = tried.why
    if "/" in tried.exact:
        why = _("%(arithmetic)s, rounded") % {"arithmetic": why}
    amount = unit_amount(tried.granted, unit=units[tried.unit])
    return Gave(in_language(tried.label), amount, why)


def _item(line: LineItem, report: PurchaseReport) -> Item:
    total = currency_amount(line.total, currency=report.order_currency)
    description = line.description or line.sku or _("Item")
    return Item(description, line.quantity, total)


def _reason(
    tried: Tried, report: PurchaseReport | None, stores: Mapping[str, str]
) -> str:
    if tried.outcome == STOOD_BACK:
        return _("Another rule of this kind came first.")
    if tried.failed is None or report is None:
        return _("It gives nothing for this order.")
    say = _WORDS.get(tried.failed.condition, _as_it_is)
    return say(tried.failed, report, stores)


def _store_names(rules: Sequence[Tried]) -> dict[str, str]:
    failed = [t.failed for t in rules if t.failed and t.failed.condition == "merchants"]
    ids = {id for f in failed for id in (*f.wanted.split(", "), f.found)}
    if not ids:
        return {}
    named = Merchant.objects.filter(external_id__in=ids).exclude(name="")
    return dict(named.values_list("external_id", "name"))


Words = Callable[[Failed, PurchaseReport, Mapping[str, str]], str]


def _merchants(
    failed: Failed, report: PurchaseReport, stores: Mapping[str, str]
) -> str:
    ids = failed.wanted.split(", ")
    names = ", ".join(stores.get(id, id) for id in ids[:MOST_NAMED])
    if len(ids) > MOST_NAMED:
        names = _("%(names)s and others") % {"names": names}
    found = stores.get(failed.found) or report.merchant_name or failed.found
    return _("It is for orders at %(wanted)s; this one was at %(found)s.") % {
        "wanted": names,
        "found": found,
    }


def _currencies(
    failed: Failed, report: PurchaseReport, stores: Mapping[str, str]
) -> str:
    return _("It is for orders in %(wanted)s; this one is in %(found)s.") % {
        "wanted": failed.wanted,
        "found": failed.found,
    }


def _starts(failed: Failed, report: PurchaseReport, stores: Mapping[str, str]) -> str:
    return _("It is for orders from %(wanted)s on; this one is of %(found)s.") % {
        "wanted": _moment(failed.wanted),
        "found": _moment(failed.found),
    }


def _ends(failed: Failed, report: PurchaseReport, stores: Mapping[str, str]) -> str:
    return _("It is for orders before %(wanted)s; this one is of %(found)s.") % {
        "wanted": _moment(failed.wanted),
        "found": _moment(failed.found),
    }


def _least(failed: Failed, report: PurchaseReport, stores: Mapping[str, str]) -> str:
    return _("It is for orders of at least %(wanted)s; this one is %(found)s.") % {
        "wanted": _bound(failed.wanted, report.order_currency),
        "found": _order_total(report),
    }


def _most(failed: Failed, report: PurchaseReport, stores: Mapping[str, str]) -> str:
    return _("It is for orders of at most %(wanted)s; this one is %(found)s.") % {
        "wanted": _bound(failed.wanted, report.order_currency),
        "found": _order_total(report),
    }


def _as_it_is(failed: Failed, report: PurchaseReport, stores: Mapping[str, str]) -> str:
    return _("It asks for %(wanted)s; this order has %(found)s.") % {
        "wanted": failed.wanted,
        "found": failed.found,
    }


_WORDS: dict[str, Words] = {
    "merchants": _merchants,
    "currencies": _currencies,
    "starts_at": _starts,
    "ends_at": _ends,
    "min_order_total": _least,
    "max_order_total": _most,
}


def _moment(said: str) -> str:
    """The instant at the end of a condition's words, to the minute."""
    at = datetime.fromisoformat(said.split(" ")[-1])
    return f"{date_format(at, 'DATETIME_FORMAT')} {at.tzname()}"


def _bound(said: str, currency: str) -> str:
    """The major units at the end of a condition's words."""
    text = said.split(" ")[-1]
    minor: Any = Decimal(text).scaleb(EXPONENTS.get(currency, 0))
    if minor != int(minor):
        return f"{text} {currency}"
    return currency_amount(int(minor), currency=currency)


def _order_total(report: PurchaseReport) -> str:
    return currency_amount(report.order_total or 0, currency=report.order_currency)
