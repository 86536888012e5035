"""The facts that a receipt rests on, as rows for staff."""

from typing import Any

from django.utils.translation import gettext as _

from rewards.admin.mixins import link
from rewards.admin.wording import NOTHING, when
from rewards.models import Purchase
from rewards.money import currency_amount
from rewards.program.facts import AT_MERCHANT, EVER, Facts
from rewards.reports import LineItem, PurchaseReport


def fact_rows(facts: Facts, purchase: Purchase) -> list[tuple[str, Any]]:
    """What was used: the report's figures, and what was known besides it."""
    report, about = facts.report, facts.about
    clicked = f"{about.click_reference}, {when(about.click_at)}"
    return [
        (_("Ordered"), when(report.attributed_at)),
        (_("Status"), Purchase.Status(report.status).label),
        (_("Order total"), _money(report.order_total, report.order_currency)),
        (_("Commission"), _money(report.commission, report.currency)),
        (_("Merchant"), link(purchase.merchant)),
        (_("Merchant's categories"), _list(about.merchant_categories)),
        (_("Order category"), report.category),
        (_("Account"), report.account or NOTHING),
        (_("Country"), facts.country or NOTHING),
        (_("Channel"), facts.channel or NOTHING),
        (_("Member"), about.customer_id or NOTHING),
        (_("Segments"), _list(about.segments)),
        (_("Member since"), when(about.joined_at)),
        (_("First purchase"), _first(about.first)),
        (_("Click"), clicked if about.click_at else NOTHING),
    ]


def line_rows(report: PurchaseReport) -> list[list[str]]:
    """The line items, as far as rules can look at them."""
    return [
        [
            goods(line),
            _list((*line.categories, *line.subcategories)),
            _list([code for code in (line.sku, line.gtin) if code]),
            _list([f"{key}={text}" for key, text in line.attributes]),
            str(line.quantity),
            _money(line.total, report.order_currency),
            _money(line.commission, report.currency),
        ]
        for line in report.lines
    ]


def goods(line: LineItem) -> str:
    return line.description or line.sku or line.identifier or _("Item")


def _first(scopes: tuple[str, ...]) -> str:
    said = {EVER: _("the member's first"), AT_MERCHANT: _("the first at this merchant")}
    return _list([said[scope] for scope in scopes]) if scopes else _("neither")


def _list(texts: Any) -> str:
    return ", ".join(texts) or NOTHING


def _money(amount: int | None, currency: str) -> str:
    return NOTHING if amount is None else currency_amount(amount, currency=currency)
