"""The rule form's sections: together they read like a sentence."""

from collections.abc import Iterable
from typing import Any

from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.translation import gettext_lazy as _

from rewards.admin.expression_help import examples, facts
from rewards.admin.rule_values import ITEMS
from rewards.models import Rule

CONDITIONAL = {  # shown by the kind of reward; the words are Alpine's
    "points": "['fixed', 'per_amount', 'top_up'].includes(kind)",
    "per": "kind == 'per_amount'",
    "whole": "kind == 'per_amount'",
    "percent": "kind == 'share'",
    "factor": "kind == 'multiplier'",
    "of": "kind == 'per_amount' || kind == 'share'",
}
ALWAYS = (
    (_("The rule"), ("label_text", "translations", "key", "group", "unit")),
    (_("When a member…"), ("segments", "first_purchase", "order_categories")),
    (
        _("…shops…"),
        (
            *("merchants", "merchant_categories", "currencies"),
            *("min_order_total", "max_order_total"),
        ),
    ),
)
SELDOM = (
    (_("…in an app or a country…"), ("channels", "countries", "accounts")),
    (
        _("…at a time…"),
        ("starts_at", "ends_at", "zone", "weekdays", "time_zone"),
    ),
    (_("…and an expression holds…"), ("expression",)),
)
REWARD = (
    _("…they get…"),
    ("kind", "points", "per", "whole", "percent", "factor", "of"),
)
BOUNDS = (
    (_("…for some items alone…"), ("categories", "skus", "gtins", "item_attributes")),
    (
        _("…at most…"),
        (
            *("per_order", "per_member", "per_member_period"),
            *("per_member_count", "budget"),
        ),
    ),
    (_("…to keep from when until when"), ("hold_days", "expires_after_days")),
)
_NEVER_EMPTY = {"zone", "per_member_period"}


def sections(request: HttpRequest, rule: Rule | None) -> list[tuple[Any, Any]]:
    """The form's fieldsets; those that a rule seldom needs open where it has them."""
    used = _used(rule) | _typed(request)
    return [
        *((title, {"fields": fields}) for title, fields in ALWAYS),
        *(_seldom(title, fields, used) for title, fields in SELDOM),
        (REWARD[0], {"fields": REWARD[1]}),
        *(_seldom(title, fields, used) for title, fields in BOUNDS),
    ]


def _seldom(
    title: Any, fields: Iterable[str], used: set[str]
) -> tuple[Any, dict[str, Any]]:
    options: dict[str, Any] = {"fields": tuple(fields)}
    if used.isdisjoint(options["fields"]):
        options["classes"] = ("collapse",)
    if "expression" in options["fields"]:
        help = {"facts": facts(), "examples": examples()}
        options["description"] = render_to_string("admin/rewards/rule/facts.html", help)
    return title, options


def _used(rule: Rule | None) -> set[str]:
    if rule is None:
        return set()
    days = {name for name in ("hold_days", "expires_after_days") if getattr(rule, name)}
    items = {field for field, name in ITEMS.items() if name in rule.items}
    return {*rule.when, *items, *rule.limits, *days}


def _typed(request: HttpRequest) -> set[str]:
    """What was filled in on a form that comes back with its faults."""
    filled = {name.removesuffix("_0") for name, value in request.POST.items() if value}
    return filled - _NEVER_EMPTY
