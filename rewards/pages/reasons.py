"""Why a purchase earned what it did, in plain words for its member."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from rewards.models import Purchase, Unit
from rewards.money import currency_amount
from rewards.pages.gains import Gave, gave
from rewards.pages.labels import goods
from rewards.pages.misses import GaveNothing, Order, gave_nothing
from rewards.program.receipts import Receipt, receipt
from rewards.reports import LineItem, PurchaseReport


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
    pinned: bool
    gave: Sequence[Gave]
    gave_nothing: Sequence[GaveNothing]
    items: Sequence[Item]
    note: str
    reproduced: bool


def explain(purchase: Purchase, units: Mapping[int, Unit]) -> Explanation:
    found = receipt(purchase)
    report = found.facts.report if found.facts else None
    by_code = {unit.code: unit for unit in units.values()}
    return Explanation(
        edition=found.edition.number if found.edition else None,
        pinned=found.pinned,
        gave=_gains(found, by_code),
        gave_nothing=_misses(found, by_code),
        items=[_item(line, report) for line in report.lines] if report else [],
        note=_note(purchase, found),
        reproduced=found.reproduced,
    )


def _gains(found: Receipt, units: Mapping[str, Unit]) -> list[Gave]:
    if found.facts is None:
        return []
    modes = {unit.unit: unit.mode for unit in found.units}
    return [
        gave(
            tried,
            found.facts.report,
            units[tried.unit],
            rounding=modes[tried.unit],
            held_until=found.held_until.get(tried.rule),
        )
        for tried in found.rules
        if tried.granted
    ]


def _misses(found: Receipt, units: Mapping[str, Unit]) -> list[GaveNothing]:
    if found.facts is None:
        return []
    zone = ZoneInfo(found.trial.time_zone)
    order = Order(found.facts.report, zone)
    return gave_nothing(found.rules, order, units)


def _note(purchase: Purchase, found: Receipt) -> str:
    """Why no rule was asked, where none was."""
    if purchase.review or found.rules:
        return ""
    if purchase.status == Purchase.Status.DECLINED:
        return _("The store did not accept the order, so it earns nothing.")
    if found.edition is None:
        return _("No rules hold for the time of this order yet.")
    return _("It came in a way that earns nothing.") if found.note else ""


def _item(line: LineItem, report: PurchaseReport) -> Item:
    total = currency_amount(line.total, currency=report.order_currency)
    return Item(goods(line), line.quantity, total)
