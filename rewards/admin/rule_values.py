"""A rule's JSON as the form's values, and back; and which field a fault is about."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings

from rewards.models import Rule, Unit
from rewards.program import vocabulary

OWN = settings.LANGUAGE_CODE
TIMES = ("starts_at", "ends_at")
CONDITIONS = tuple(vocabulary.When.model_fields)
ITEMS = {  # by the form's names: a form's own ``attributes`` must not be hidden by one
    "categories": "categories",
    "skus": "skus",
    "gtins": "gtins",
    "item_attributes": "attributes",
}
COUNTED = ("per_order", "per_member", "budget")
"""Limits in the rule's unit: typed in major units, kept in the smallest step."""

NEEDED = {
    "fixed": ("points",),
    "per_amount": ("points", "per", "of", "whole"),
    "share": ("percent", "of"),
    "multiplier": ("factor",),
    "top_up": ("points",),
}
_PARTS = {"label": "label_text", "reward": "kind", "items": "categories"}
_NAMED = {
    **_PARTS,
    "period": "per_member_period",
    "attributes": "item_attributes",
}
FIELDS = {
    *("key", "group", "unit", "label_text", "kind", "expires_after_days", "hold_days"),
    *("per_member_period", "per_member_count", *COUNTED, *CONDITIONS, *ITEMS),
    *(name for names in NEEDED.values() for name in names),
}


def shown(rule: Rule, *, zone: ZoneInfo) -> dict[str, Any]:
    """A stored rule as the form's values."""
    label = rule.label if isinstance(rule.label, dict) else {OWN: rule.label}
    others = [f"{name}: {text}" for name, text in label.items() if name != OWN]
    times = {
        name: datetime.fromisoformat(rule.when[name]).astimezone(zone)
        for name in TIMES
        if rule.when.get(name)
    }
    return {
        **rule.when,
        **{field: rule.items.get(name, []) for field, name in ITEMS.items()},
        **rule.reward,
        **_shown_limits(rule),
        **{name: at.replace(tzinfo=None) for name, at in times.items()},
        "zone": zone.key,
        "label_text": label.get(OWN, ""),
        "translations": "\n".join(others),
    }


def stored(said: Mapping[str, Any], *, before: Rule) -> dict[str, Any]:
    """The form's values as a rule's label, conditions, items, reward and limits."""
    when = {name: said[name] for name in CONDITIONS if said[name]}
    for name in TIMES:
        if name in when:
            when[name] = _instant(when[name], (before.when or {}).get(name))
    reward = {name: said[name] for name in NEEDED[said["kind"]] if said[name]}
    label: Any = said["label_text"]
    if said["translations"] or isinstance(before.label, dict):
        label = {OWN: label, **said["translations"]}
    return {
        "label": label,
        "when": when,
        "items": {name: said[field] for field, name in ITEMS.items() if said[field]},
        "reward": {"kind": said["kind"], **reward},
        "limits": _stored_limits(said),
    }


def steps(amount: Decimal, unit: Unit) -> int | None:
    """An amount in the unit's smallest step; None where it has finer decimals."""
    exact = amount.scaleb(unit.decimals)
    return int(exact) if exact == int(exact) else None


def blamed(line: str, key: str) -> tuple[str | None, str]:
    """The form's field that a line of the vocabulary is about, and what it says."""
    said = line.removeprefix(f'rule "{key}": ')
    path, colon, problem = said.partition(": ")
    if said == line or not colon:
        return None, said
    part, *rest = path.split(".")
    inward = [part] if part == "label" else [*reversed(rest), part]
    names = (_NAMED.get(name, name) for name in inward)
    field = next((name for name in names if name in FIELDS), None)
    return (field, problem) if field else (None, said)


def _shown_limits(rule: Rule) -> dict[str, Any]:
    kept = dict(rule.limits)
    most = kept.pop("per_member", None)
    if most:
        kept |= {"per_member": most["amount"], "per_member_period": most["period"]}
    decimals = rule.unit.decimals
    for name in COUNTED:
        if name in kept:
            kept[name] = Decimal(kept[name]).scaleb(-decimals)
    return kept


def _stored_limits(said: Mapping[str, Any]) -> dict[str, Any]:
    names = (*COUNTED, "per_member_count")
    kept = {name: said[name] for name in names if said[name] is not None}
    for name in kept.keys() & set(COUNTED):
        kept[name] = steps(kept[name], said["unit"])
    if "per_member" in kept:
        period = said["per_member_period"]
        kept["per_member"] = {"amount": kept["per_member"], "period": period}
    return kept


def _instant(at: datetime, before: str | None) -> str:
    """The instant as text; as it was written before, where it is the same one."""
    if before and datetime.fromisoformat(before) == at:
        return before
    return at.isoformat()
