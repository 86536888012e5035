"""Rules in plain words, for staff: a whole rule as a sentence, and its parts.

All is said of the vocabulary's own objects, so that a rule reads alike in the draft, in
an edition, and while it is still being typed.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from rewards.program import vocabulary
from rewards.program.phrases import counted, either, moment, money_in, number


def sentence(
    rule: vocabulary.Rule, *, program: vocabulary.Program, names: Mapping[str, str]
) -> str:
    """What the rule does: who gets what and until when, then how it is bounded.

    ``names`` is what merchants are called, by their id; one without stays an id.
    """
    clauses = said_clauses(rule, program=program, names=names)
    times = [clauses.pop(name) for name in _TIMES if name in clauses]
    rest = clauses.pop("expression", "")
    if _names_currencies(rule):
        clauses.pop("currencies", "")
    who = " ".join([_("members"), *clauses.values()])
    said = ", ".join([_frame(rule, who, program), *times])
    parts = [said, *_standing(rule, program), said_limits(rule, program=program)]
    ended = [f"{capfirst(part)}." for part in [*parts, *said_terms(rule)] if part]
    return " ".join([*ended, *([_("Only %s") % rest] if rest else [])])


def said_conditions(
    rule: vocabulary.Rule, *, program: vocabulary.Program, names: Mapping[str, str]
) -> str:
    """What the rule asks, in one line; empty where it asks nothing."""
    return "; ".join(said_clauses(rule, program=program, names=names).values())


def said_clauses(
    rule: vocabulary.Rule, *, program: vocabulary.Program, names: Mapping[str, str]
) -> dict[str, str]:
    """Each condition in words, by its name in the vocabulary, in reading order."""
    when = rule.when
    said = {name: put(getattr(when, name)) for name, put in _clauses().items()}
    zone = ZoneInfo(program.time_zone)
    spent = money_in(when.currencies)
    called = [names.get(id, id) for id in when.merchants]
    said |= {
        "merchants": _("shopping at %s") % either(called),
        "weekdays": _weekdays(when),
        "min_order_total": _("spending at least %s") % spent(when.min_order_total),
        "max_order_total": _("spending at most %s") % spent(when.max_order_total),
        "starts_at": _("from %s") % moment(when.starts_at, zone=zone),
        "ends_at": _("until %s") % moment(when.ends_at, zone=zone),
    }
    return {name: said[name] for name in _ORDER if getattr(when, name)}


def said_reward(rule: vocabulary.Rule, *, program: vocabulary.Program) -> str:
    """What the rule gives, before its limits: "2 points per 1.00 USD of …"."""
    unit = unit_of(rule, program)
    match rule.reward:
        case vocabulary.Fixed(points=points):
            return _gives(rule, unit, points, _("%(points)s %(order)s"))
        case vocabulary.TopUp(points=points):
            return _gives(rule, unit, points, _("at least %(points)s %(order)s"))
        case vocabulary.PerAmount() as reward:
            return _per_amount(rule, reward, unit)
        case vocabulary.Share() as reward:
            said = {"percent": number(reward.percent), "basis": _basis(rule, reward.of)}
            return _("%(percent)s %% of %(basis)s, in %(unit)s") % {
                **said,
                "unit": unit.name_plural,
            }
        case vocabulary.Multiplier(factor=factor):
            said = {"factor": number(factor), "unit": unit.name_plural}
            return _("%(factor)s times the base award, in %(unit)s") % said


def said_items(items: vocabulary.Items) -> str:
    """Which line items count: "items in LIGHTING"; empty where the whole order does."""
    said = {
        "categories": _("in %s"),
        "skus": _("with the SKU %s"),
        "gtins": _("with the GTIN %s"),
        "attributes": _("with %s"),
    }
    parts = [
        words % either(values)
        for name, words in said.items()
        if (values := getattr(items, name))
    ]
    return " ".join([_("items"), *parts]) if parts else ""


def said_limits(rule: vocabulary.Rule, *, program: vocabulary.Program) -> str:
    """The most the rule grants: "at most 500 points an order, …"; empty without."""
    parts = ", ".join(_limits(rule.limits, unit_of(rule, program)))
    return _("at most %s") % parts if parts else ""


def said_terms(rule: vocabulary.Rule) -> list[str]:
    """When what the rule gives becomes available, and when it expires."""
    said = []
    if days := rule.hold_days:
        words = ngettext(
            "it stays pending for %d day after the order is final",
            "it stays pending for %d days after the order is final",
            days,
        )
        said.append(words % days)
    if days := rule.expires_after_days:
        words = ngettext(
            "it expires %d day after it became available",
            "it expires %d days after it became available",
            days,
        )
        said.append(words % days)
    return said


def unit_of(rule: vocabulary.Rule, program: vocabulary.Program) -> vocabulary.Unit:
    """The unit that the rule gives; a checked program has it."""
    return next(unit for unit in program.units if unit.code == rule.unit)


_TIMES = ("starts_at", "ends_at")
_ORDER = (
    *("segments", "order_categories", "merchants", "merchant_categories", "channels"),
    *("countries", "accounts", "weekdays", "first_purchase", "currencies"),
    *("min_order_total", "max_order_total", *_TIMES, "expression"),
)


def _clauses() -> dict[str, Callable[[Any], str]]:
    """The conditions that need nothing but their own values."""
    known = {
        "new-user-order": _("who are new to the store"),
        "existing-user-order": _("who bought at the store before"),
        "app": _("in the app"),
        "webview": _("in a web view"),
        "ever": _("on their first order ever"),
        "merchant": _("on their first order at the store"),
        None: "",
    }

    def chosen(values: Sequence[str]) -> str:
        return either([known[value] for value in values])

    def listed(words: str) -> Callable[[Sequence[str]], str]:
        return lambda values: words % either(values)

    return {
        "segments": listed(_("in the segment %s")),
        "order_categories": chosen,
        "merchant_categories": listed(_("shopping at stores for %s")),
        "channels": chosen,
        "countries": listed(_("ordering in %s")),
        "accounts": listed(_("reported in the account %s")),
        "first_purchase": lambda value: known[value],
        "currencies": listed(_("paying in %s")),
        "expression": lambda text: _("when: %s") % text,
    }


def _weekdays(when: vocabulary.When) -> str:
    days = {
        "monday": _("Mondays"),
        "tuesday": _("Tuesdays"),
        "wednesday": _("Wednesdays"),
        "thursday": _("Thursdays"),
        "friday": _("Fridays"),
        "saturday": _("Saturdays"),
        "sunday": _("Sundays"),
    }
    said = _("on %s") % either([days[day] for day in when.weekdays])
    return f"{said} ({when.time_zone})" if when.time_zone else said


def _frame(rule: vocabulary.Rule, who: str, program: vocabulary.Program) -> str:
    """Who gets what, with the verb that the kind of reward takes."""
    said = {"who": who, "what": said_reward(rule, program=program)}
    match rule.reward:
        case vocabulary.Share():
            return _("%(who)s get back %(what)s") % said
        case vocabulary.Multiplier(factor=factor):
            said |= {"factor": number(factor)}
            said |= {"unit": unit_of(rule, program).name_plural}
            words = _(
                "for %(who)s this multiplies the base award by %(factor)s, in %(unit)s"
            )
            return words % said
    return _("%(who)s get %(what)s") % said


def _standing(rule: vocabulary.Rule, program: vocabulary.Program) -> list[str]:
    """How the rule stands to others, where it is not simply the base."""
    if rule.group == "override":
        unit = unit_of(rule, program).name_plural
        return [_("no other rule then gives any %s") % unit]
    if rule.reward.kind == "top_up":
        return [_("this adds what the other rules leave missing")]
    if rule.group == "bonus" and rule.reward.kind != "multiplier":
        return [_("this comes on top of the base award")]
    return []


def _gives(
    rule: vocabulary.Rule, unit: vocabulary.Unit, points: str, words: str
) -> str:
    items = said_items(rule.items)
    order = _("an order with %s") % items if items else _("an order")
    return words % {"points": counted(points, unit), "order": order}


def _per_amount(
    rule: vocabulary.Rule, reward: vocabulary.PerAmount, unit: vocabulary.Unit
) -> str:
    currencies = rule.when.currencies if reward.of == "order_total" else []
    words = _("%(points)s per %(per)s of %(basis)s")
    if reward.whole:
        words = _("%(points)s per whole %(per)s of %(basis)s")
    return words % {
        "points": counted(reward.points, unit),
        "per": money_in(currencies)(reward.per),
        "basis": _basis(rule, reward.of),
    }


def _basis(rule: vocabulary.Rule, of: str) -> str:
    items = said_items(rule.items)
    if of == "commission":
        return _("our commission on %s") % items if items else _("our commission")
    return _("what is paid for %s") % items if items else _("the order total")


def _names_currencies(rule: vocabulary.Rule) -> bool:
    """Whether some amount in the sentence says the order's currencies."""
    reward = rule.reward
    return bool(
        rule.when.min_order_total
        or rule.when.max_order_total
        or (reward.kind == "per_amount" and reward.of == "order_total")
    )


def _limits(limits: vocabulary.Limits, unit: vocabulary.Unit) -> Iterator[str]:
    def steps(amount: int) -> str:
        return counted(f"{Decimal(amount).scaleb(-unit.decimals):f}", unit)

    if limits.per_order:
        yield _("%s an order") % steps(limits.per_order)
    if most := limits.per_member:
        periods = {
            "day": _("%s a member a day"),
            "week": _("%s a member a week"),
            "month": _("%s a member a month"),
            "year": _("%s a member a year"),
            "ever": _("%s a member ever"),
        }
        yield periods[most.period] % steps(most.amount)
    if times := limits.per_member_count:
        yield ngettext("%d order a member", "%d orders a member", times) % times
    if limits.budget:
        yield _("%s in all") % steps(limits.budget)
