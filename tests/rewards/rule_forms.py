"""What a browser sends from the rule form."""

from typing import Any

from django.urls import reverse

from rewards.models import Rule, Unit
from rewards.program import draft, vocabulary
from tests.builders import program


def load(*rules: dict[str, Any], **changes: Any) -> None:
    """Make these rules the draft."""
    draft.replace(vocabulary.parse(program(*rules) | changes))


def url_of(rule: Rule | None = None) -> str:
    if rule is None:
        return reverse("admin:rewards_rule_add")
    return reverse("admin:rewards_rule_change", args=[rule.pk])


def filled_in(unit: str = "points", **changes: Any) -> dict[str, Any]:
    """One point a dollar, typed into an empty form; no code chooses no unit."""
    chosen = Unit.objects.filter(code=unit).first()
    return {
        "label_text": "A point a dollar",
        "key": "base",
        "group": "base",
        "unit": chosen.pk if chosen else "",
        "kind": "per_amount",
        "points": "1",
        "per": "1.00",
        "of": "order_total",
        "zone": "UTC",
        **changes,
    }


def sent_back(page: Any) -> dict[str, Any]:
    """What a browser would send if nobody touched the form on this page."""
    data: dict[str, Any] = {}
    for field in page.context["adminform"].form:
        value = field.value()
        if hasattr(field.field.widget, "decompress"):
            parts = field.field.widget.decompress(value)
            data |= {f"{field.name}_{n}": part or "" for n, part in enumerate(parts)}
        elif value not in (None, False):
            data[field.name] = value
    return data


def errors_of(page: Any) -> dict[str, list[str]]:
    return page.context["adminform"].form.errors
