"""The receipt of a purchase as staff read it: everything, in words and in fractions."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from rewards.admin.mixins import link
from rewards.admin.receipt_facts import fact_rows, goods, line_rows
from rewards.admin.wording import NOTHING, badge, merchant_names, text_of, when
from rewards.models import Purchase, Unit
from rewards.money import unit_amount
from rewards.program import limits, trials
from rewards.program.limits import Use
from rewards.program.phrases import moment
from rewards.program.receipts import Receipt, receipt
from rewards.program.trials import Asked, Rounding, Tried
from rewards.reports import PurchaseReport

COLOURS = {
    trials.APPLIED: "success",
    trials.STOOD_BACK: "info",
    trials.FAILED: "danger",
}


class ConditionRow(NamedTuple):
    name: str
    wanted: str
    found: str
    held: bool


@dataclass(frozen=True, slots=True)
class RuleRow:
    """One rule: what became of it and why, and below that how."""

    label: str
    key: str
    outcome: SafeString
    amount: str
    because: str
    sums: Sequence[str]
    conditions: Sequence[ConditionRow]
    items: Sequence[tuple[str, bool]]
    limits: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Page:
    """The whole receipt; ``said`` are sentences that stand above everything.

    ``supposed``: it is of facts that were changed to see what would come of it.
    """

    said: Sequence[str | SafeString]
    reproduced: bool
    facts: Sequence[tuple[str, Any]]
    lines: Sequence[Sequence[str]]
    rules: Sequence[RuleRow]
    rounding: Sequence[Sequence[str]]
    supposed: bool = False


def receipt_page(purchase: Purchase) -> Page:
    """The receipt of what a purchase holds now, for its page."""
    found = receipt(purchase)
    return page_of(found, purchase, said=list(_said(found, purchase)))


def page_of(
    found: Receipt,
    purchase: Purchase,
    *,
    said: Sequence[str | SafeString],
    supposed: bool = False,
) -> Page:
    """A receipt about a purchase in words."""
    units = {unit.code: unit for unit in Unit.objects.all()}
    report = found.facts.report if found.facts else None
    teller = _Teller(found, units, _merchant_names(found))
    return Page(
        said=said,
        supposed=supposed,
        reproduced=found.reproduced,
        facts=fact_rows(found.facts, purchase) if found.facts else [],
        lines=line_rows(report) if report else [],
        rules=[teller.rule(tried, report) for tried in found.rules if report],
        rounding=[_rounding(rounding, units) for rounding in found.units],
    )


def _said(found: Receipt, purchase: Purchase) -> Iterator[str | SafeString]:
    if found.note:
        yield found.note
    elif purchase.review:
        yield _("In review: until that is resolved, this holds.")
    if found.edition is None:
        return
    edition = {"edition": found.edition, "at": when(found.settled_at)}
    said = _("Settled %(at)s under %(edition)s, which held when it was ordered.")
    if found.pinned:
        said = _("Settled %(at)s under %(edition)s, which a re-run chose.")
    yield said % edition
    yield link(found.edition, _("Show %s") % found.edition)


def _merchant_names(found: Receipt) -> dict[str, str]:
    ids = {id for tried in found.rules for id in tried.spec.when.merchants}
    if found.facts:
        ids.add(found.facts.report.merchant)
    return merchant_names(ids)


@dataclass(frozen=True, slots=True)
class _Teller:
    """Words what became of rules."""

    receipt: Receipt
    units: Mapping[str, Unit]
    names: Mapping[str, str]

    def rule(self, tried: Tried, report: PurchaseReport) -> RuleRow:
        unit = self.units[tried.unit]
        applied = tried.outcome == trials.APPLIED
        asked = [self._condition(asked, tried, report) for asked in tried.conditions]
        return RuleRow(
            label=text_of(tried.label),
            key=tried.rule,
            outcome=badge(_outcomes()[tried.outcome], COLOURS.get(tried.outcome, "")),
            amount=unit_amount(tried.granted, unit=unit) if applied else NOTHING,
            because=self._because(tried, asked, report),
            sums=list(self._sums(tried, unit)) if applied else [],
            conditions=asked,
            items=_items(tried, report),
            limits=[_limit(use, unit) for use in tried.limits],
        )

    def _condition(
        self, asked: Asked, tried: Tried, report: PurchaseReport
    ) -> ConditionRow:
        """As the engine tells it, but merchants by name and times by the clock."""
        wanted, found = asked.wanted, asked.found
        if asked.condition == "merchants":
            ids = tried.spec.when.merchants
            wanted = ", ".join(sorted(self.names.get(id, id) for id in ids))
            found = self.names.get(report.merchant) or report.merchant_name or found
        if asked.condition in ("starts_at", "ends_at"):
            at = getattr(tried.spec.when, asked.condition)
            words = {"starts_at": _("from %s"), "ends_at": _("before %s")}
            wanted = words[asked.condition] % self._moment(at)
            found = self._moment(report.attributed_at)
        name = _conditions().get(asked.condition, asked.condition)
        return ConditionRow(name, wanted, found, asked.held)

    def _moment(self, at: datetime) -> str:
        return moment(at, zone=ZoneInfo(self.receipt.trial.time_zone))

    def _because(
        self, tried: Tried, asked: Sequence[ConditionRow], report: PurchaseReport
    ) -> str:
        """The one reason, or the arithmetic."""
        if failed := next((row for row in asked if not row.held), None):
            words = _("%(name)s: wanted %(wanted)s, found %(found)s")
            return words % failed._asdict()
        if tried.stood_before:
            first = f"{text_of(tried.stood_before.label)} ({tried.stood_before.key})"
            return _("%s stands before it.") % first
        if tried.outcome == trials.NO_ITEMS:
            number = len(report.lines)
            words = ngettext(
                "The order's %d line item does not count.",
                "None of the order's %d line items counts.",
                number,
            )
            return words % number
        if tried.outcome == trials.NOTHING:
            return _("It matched, and gives nothing here.")
        return tried.why

    def _sums(self, tried: Tried, unit: Unit) -> Iterator[str]:
        """The arithmetic up to what was granted, and when that can be used."""
        yield f"{tried.why} = {exactly(tried.exact, unit)}"
        if tried.given != tried.exact:
            yield _("Its limits leave %s.") % exactly(tried.given, unit)
        yield _("Sum up to here: %s") % exactly(tried.running, unit)
        yield _("Wanted %(wanted)s, granted %(granted)s") % {
            "wanted": unit_amount(tried.wanted, unit=unit),
            "granted": unit_amount(tried.granted, unit=unit),
        }
        if until := self.receipt.held_until.get(tried.rule):
            yield _("Pending until %s") % when(until)
        elif days := tried.spec.hold_days:
            words = ngettext(
                "Pending for %d day after the order is final",
                "Pending for %d days after the order is final",
                days,
            )
            yield words % days
        if days := tried.spec.expires_after_days:
            words = ngettext(
                "Expires %d day after it became available",
                "Expires %d days after it became available",
                days,
            )
            yield words % days


def exactly(amount: Fraction | None, unit: Unit) -> str:
    """Steps as major units: in decimals, and as a fraction where it is no integer."""
    if amount is None:
        return NOTHING
    major = amount / 10**unit.decimals
    said, rest = str(major), major * 10**8
    if rest.denominator == 1:
        whole, part = divmod(int(rest), 10**8)
        decimals = f"{part:08d}".rstrip("0")
        said = f"{whole}.{decimals} ({major})" if decimals else str(whole)
    return f"{said} {unit.name_plural}"


def _items(tried: Tried, report: PurchaseReport) -> list[tuple[str, bool]]:
    if tried.lines is None:
        return []
    return [
        (goods(line), place in tried.lines) for place, line in enumerate(report.lines)
    ]


def _limit(use: Use, unit: Unit) -> list[str]:
    words = {
        limits.PER_ORDER: _("per order"),
        limits.PER_MEMBER: _("per member"),
        limits.PER_MEMBER_COUNT: _("orders per member"),
        limits.BUDGET: _("budget"),
    }
    numbers = (use.cap, use.used, use.held, max(use.cap - use.used, 0))
    if use.limit == limits.PER_MEMBER_COUNT:
        return [words[use.limit], *map(str, numbers)]
    return [words[use.limit], *(unit_amount(n, unit=unit) for n in numbers)]


def _rounding(rounding: Rounding, units: Mapping[str, Unit]) -> list[str]:
    unit = units[rounding.unit]
    return [
        unit.name_plural,
        exactly(rounding.exact, unit),
        str(Unit.Rounding(rounding.mode).label),
        unit_amount(rounding.rounded, unit=unit),
        exactly(rounding.remainder, unit),
    ]


def _outcomes() -> dict[str, str]:
    return {
        trials.APPLIED: _("applied"),
        trials.NOT_MATCHED: _("did not match"),
        trials.NO_ITEMS: _("no item counts"),
        trials.STOOD_BACK: _("stood back"),
        trials.NOTHING: _("gives nothing"),
        trials.FAILED: _("failed"),
    }


def _conditions() -> dict[str, str]:
    return {
        "merchants": _("Merchant"),
        "merchant_categories": _("Merchant's categories"),
        "order_categories": _("Order category"),
        "currencies": _("Currency"),
        "countries": _("Country"),
        "channels": _("Channel"),
        "accounts": _("Account"),
        "starts_at": _("Ordered"),
        "ends_at": _("Ordered"),
        "weekdays": _("Weekday"),
        "min_order_total": _("Order total"),
        "max_order_total": _("Order total"),
        "segments": _("Segments"),
        "first_purchase": _("First purchase"),
        "expression": _("Expression"),
    }
