"""The order on which a rule is tried while it is written: a real or a made-up one."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from merchants.models import Merchant
from rewards.admin.wording import order_total
from rewards.models import Purchase, Report
from rewards.money import currency_amount
from rewards.program.evaluation import CompiledRule
from rewards.program.expressions import ExpressionFailed
from rewards.program.facts import AT_MERCHANT, EVER, About, Facts
from rewards.reports import (
    DECLINED,
    PENDING,
    REWARDED_CATEGORIES,
    LineItem,
    PurchaseReport,
)
from rewards.settling.evaluations import facts_of

NEWEST = 50
"""How many purchases are looked through for one that the rule matches."""


class NoOrder(Exception):
    """There is no such order to try a rule on; says so to staff."""


@dataclass(frozen=True, slots=True)
class Trial:
    """An order to try rules on: how staff know it, and what rules see of it."""

    title: str
    facts: Facts
    purchase: Purchase | None = None

    @property
    def declined(self) -> bool:
        return self.facts.report.status == DECLINED


def named(reference: str) -> Trial:
    """The purchase with this order, tx- id or order number. Raises NoOrder.

    Each way of naming it uses its own index, hence the union.
    """
    ways = (Q(order_key=reference), Q(order_number=reference))
    ids = [Purchase.objects.filter(way).order_by().values("pk") for way in ways]
    told = Report.objects.filter(transaction_id=reference).order_by()
    found = _evaluated().filter(pk__in=told.values("purchase").union(*ids)).first()
    if found is None:
        raise NoOrder(_("No purchase that was evaluated is called %s.") % reference)
    return _trial(found)


def latest(rule: CompiledRule) -> Trial:
    """The latest purchase that the rule matches, else the latest. Raises NoOrder."""
    trials = [_trial(purchase) for purchase in _evaluated()[:NEWEST]]
    if not trials:
        raise NoOrder(_("No purchase was evaluated yet; try a made-up order."))
    alive = [trial for trial in trials if not trial.declined] or trials
    return next((t for t in alive if _matches(rule, t.facts)), alive[0])


def made_up(said: Mapping[str, Any], *, now: datetime) -> Trial:
    """An order of what staff typed; its items share the commission by their amount."""
    store = Merchant.objects.filter(external_id=said["merchant"]).first()
    at = (said["at"] or now).astimezone(UTC).replace(microsecond=0)
    report = PurchaseReport(
        network="",
        account="",
        transaction_id="",
        order_id="",
        status=PENDING,
        category=REWARDED_CATEGORIES[not said["first"]],
        modified_at=at,
        attributed_at=at,
        merchant=said["merchant"],
        currency=said["currency"],
        commission=said["commission"],
        order_currency=said["currency"],
        order_total=said["total"],
        lines=tuple(_lines(said)),
        country=said["country"],
        channel=said["channel"],
    )
    about = About(
        segments=tuple(filter(None, map(str.strip, said["segments"].split(",")))),
        joined_at=at,
        first=(EVER, AT_MERCHANT) if said["first"] else (),
        merchant_categories=tuple(store.categories) if store else (),
    )
    amount = currency_amount(said["total"], currency=said["currency"])
    where = {"amount": amount, "store": store or said["merchant"]}
    title = _("a made-up order of %(amount)s at %(store)s") % where
    if not said["merchant"]:
        title = _("a made-up order of %s") % amount
    return Trial(title, Facts(report, about))


def _evaluated() -> QuerySet[Purchase]:
    """Purchases that rules were tried on, latest first, with what those saw."""
    return Purchase.objects.filter(
        settlement__report__isnull=False, category__in=REWARDED_CATEGORIES
    ).select_related("merchant", "settlement__report", "settlement__member")


def _trial(purchase: Purchase) -> Trial:
    settlement = purchase.settlement
    assert settlement is not None  # _evaluated() asks for one
    words = {
        "order": purchase.order_number or purchase.order_key,
        "amount": order_total(purchase),
        "store": purchase.merchant or _("an unknown store"),
    }
    title = _("order %(order)s of %(amount)s at %(store)s") % words
    return Trial(title, facts_of(settlement), purchase)


def _matches(rule: CompiledRule, facts: Facts) -> bool:
    try:
        return rule.matches(facts) is not None
    except ExpressionFailed:
        return False


def _lines(said: Mapping[str, Any]) -> list[LineItem]:
    whole = sum(amount for _category, amount in said["lines"])
    return [
        LineItem(
            identifier=f"{number}",
            categories=(category,) if category else (),
            quantity=1,
            amount=amount,
            total=amount,
            commission=said["commission"] * amount // whole if whole else 0,
        )
        for number, (category, amount) in enumerate(said["lines"], 1)
    ]
