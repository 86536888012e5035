"""The draft: one program that staff edit, in admin or as a file."""

from typing import Any

from django.db import transaction

from rewards.models import (
    Account,
    Adjustment,
    Edition,
    Program,
    Reward,
    Rule,
    Terms,
    Unit,
)
from rewards.program import vocabulary
from rewards.program.vocabulary import ProgramError


def export() -> dict[str, Any]:
    """The draft as a program file's data, checked. Raises ProgramError."""
    return vocabulary.dump(load())


def load() -> vocabulary.Program:
    """The draft, checked as a whole. Raises ProgramError."""
    return vocabulary.parse(raw())


def raw() -> dict[str, Any]:
    """The draft as it stands in the database, right or wrong."""
    return {
        "format": 1,
        "time_zone": (Program.objects.first() or Program()).time_zone,
        "units": [_unit(unit) for unit in Unit.objects.filter(in_draft=True)],
        "rules": [_rule(rule) for rule in Rule.objects.select_related("unit")],
    }


def replace(program: vocabulary.Program) -> None:
    """Make this program the whole draft, all or nothing.

    Raises ProgramError where it would change what earned units mean.
    """
    with transaction.atomic():
        Program.objects.update_or_create(
            pk=1, defaults={"time_zone": program.time_zone}
        )
        Rule.objects.all().delete()
        Unit.objects.update(in_draft=False)
        units = {spec.code: _save_unit(spec) for spec in program.units}
        Rule.objects.bulk_create(
            _new_rule(spec, units[spec.unit], position)
            for position, spec in enumerate(program.rules)
        )


def unpublished() -> bool:
    """Whether the draft says something else than the newest edition."""
    newest = Edition.objects.standing().order_by("-number").first()
    try:
        return newest is None or export() != newest.content
    except ProgramError:
        return True


def refuse_new_decimals(unit: Unit, decimals: int) -> None:
    """Balances and what is to be added or paid are integers of the smallest step: it
    can't change under them."""
    counted = (Account, Reward, Adjustment, Terms)
    if unit.decimals != decimals and any(
        model._default_manager.filter(unit=unit).exists() for model in counted
    ):
        raise ProgramError(
            [
                f'unit "{unit.code}": decimals: amounts are kept with'
                f" {unit.decimals} decimals; give a unit with {decimals} another code"
            ]
        )


def _save_unit(spec: vocabulary.Unit) -> Unit:
    if unit := Unit.objects.filter(code=spec.code).first():
        refuse_new_decimals(unit, spec.decimals)
    values = spec.model_dump(mode="json") | {"in_draft": True}
    return Unit.objects.update_or_create(code=spec.code, defaults=values)[0]


def _new_rule(spec: vocabulary.Rule, unit: Unit, position: int) -> Rule:
    values = spec.model_dump(mode="json", exclude_defaults=True)
    return Rule(
        position=position,
        key=spec.key,
        label=values["label"],
        group=spec.group,
        unit=unit,
        reward=values["reward"],
        **{part: values.get(part, {}) for part in ("when", "items", "limits")},
        **{days: values.get(days) for days in _DAYS},
    )


def _unit(unit: Unit) -> dict[str, Any]:
    names = ("code", "name", "name_plural", "decimals", "rounding", "value")
    return {name: getattr(unit, name) for name in names}


def _rule(rule: Rule) -> dict[str, Any]:
    names = ("key", "label", "group", "when", "items", "reward", "limits", *_DAYS)
    return {name: getattr(rule, name) for name in names} | {"unit": rule.unit.code}


_DAYS = ("expires_after_days", "hold_days")
