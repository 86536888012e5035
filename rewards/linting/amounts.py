"""Amounts that are hardly meant, and limits that can't be met."""

from collections.abc import Iterator
from fractions import Fraction

from django.utils.translation import gettext as _

from rewards.linting.finding import Finding, listed, warning
from rewards.linting.world import World
from rewards.money import unit_amount
from rewards.program.vocabulary import (
    Fixed,
    Multiplier,
    PerAmount,
    Program,
    Rule,
    Share,
    TopUp,
    Unit,
)

LIKE_A_PERCENTAGE = 10
"""Nobody means to give ten times as much; 100 is typed for "double"."""


def check(program: Program, world: World) -> Iterator[Finding]:
    units = {unit.code: unit for unit in program.units}
    for rule in program.rules:
        unit = units[rule.unit]
        yield from _factor(rule)
        yield from _percent(rule, world)
        yield from _nothing(rule, unit)
        yield from _limits(rule, unit)
        yield from _wanted_above_limits(rule, unit)
        yield from _used_up(rule, unit, world)


def _factor(rule: Rule) -> Iterator[Finding]:
    if isinstance(rule.reward, Multiplier):
        factor = Fraction(rule.reward.factor)
        if factor >= LIKE_A_PERCENTAGE:
            yield warning(
                "factor",
                rule.key,
                _("It multiplies the base award by %s.") % rule.reward.factor,
                _("A factor is no percentage: write 2 for double, 1.5 for half more."),
            )
        elif factor == 1:
            yield warning(
                "factor",
                rule.key,
                _("It multiplies the base award by 1, which adds nothing."),
                _("Write the factor that is meant, such as 2 for double."),
            )


def _percent(rule: Rule, world: World) -> Iterator[Finding]:
    if not isinstance(rule.reward, Share):
        return
    percent = Fraction(rule.reward.percent)
    if rule.reward.of == "commission" and percent > 100:
        yield warning(
            "percent",
            rule.key,
            _("It gives %s %% of our commission: more than we get.")
            % rule.reward.percent,
            _("Write 50 for half of it."),
        )
    if rule.reward.of == "order_total" and (
        stores := _paying_less(rule, percent, world)
    ):
        yield warning(
            "percent",
            rule.key,
            _(
                "It gives %(percent)s %% of the order, and these pay us less:"
                " %(stores)s."
            )
            % {"percent": rule.reward.percent, "stores": listed(stores)},
            _("Lower the percentage, or give a share of the commission instead."),
        )


def _paying_less(rule: Rule, percent: Fraction, world: World) -> list[str]:
    places = world.places(rule)
    return [
        _("%(store)s (%(percent)s %%)")
        % {"store": store.name, "percent": _decimal(store.percent)}
        for id, store in world.stores.items()
        if (places is None or id in places)
        and store.listed
        and store.percent is not None
        and store.percent < percent
    ]


def _nothing(rule: Rule, unit: Unit) -> Iterator[Finding]:
    """What is given is too small to be anything."""
    reward = rule.reward
    if (
        isinstance(reward, Fixed | TopUp)
        and unit.rounding == "floor"
        and Fraction(reward.points) * 10**unit.decimals < 1
    ):
        yield warning(
            "nothing",
            rule.key,
            _("%(points)s %(unit)s rounds down to nothing.")
            % {"points": reward.points, "unit": unit.name_plural},
            _("Give at least %s, or let the unit have more decimals.")
            % _decimal(Fraction(1, 10**unit.decimals)),
        )
    most = rule.when.max_order_total
    if (
        isinstance(reward, PerAmount)
        and (reward.whole and reward.of == "order_total" and most)
        and Fraction(reward.per) > Fraction(most)
    ):
        yield warning(
            "nothing",
            rule.key,
            _("Orders of at most %(most)s never reach a whole %(per)s.")
            % {"most": most, "per": reward.per},
            _("Raise the highest order total, or count parts of a step too."),
        )


def _limits(rule: Rule, unit: Unit) -> Iterator[Finding]:
    """A limit that a tighter one keeps from ever being reached."""
    said = _("%(amount)s %(name)s can't be reached: at most %(cap)s %(of)s.")
    limits = _amounts(rule)
    for place, (name, amount) in enumerate(limits):
        for wider, cap in limits[place + 1 :]:
            if amount > cap:
                amounts = {
                    "amount": unit_amount(amount, unit=unit),
                    "cap": unit_amount(cap, unit=unit),
                }
                yield warning(
                    "limits",
                    rule.key,
                    said % {"name": name, "of": wider, **amounts},
                    _("Leave the higher limit out, or raise the lower one."),
                )


def _wanted_above_limits(rule: Rule, unit: Unit) -> Iterator[Finding]:
    """A reward that its own limits never let be given in full."""
    if not isinstance(rule.reward, Fixed | TopUp):
        return
    wanted = Fraction(rule.reward.points) * 10**unit.decimals
    for name, cap in _amounts(rule):
        if wanted > cap:
            said = {
                "wanted": f"{rule.reward.points} {unit.name_plural}",
                "cap": unit_amount(cap, unit=unit),
                "name": name,
            }
            yield warning(
                "limits",
                rule.key,
                _("It should give %(wanted)s, and may give %(cap)s %(name)s.") % said,
                _("Raise the limit, or give less."),
            )


def _amounts(rule: Rule) -> list[tuple[str, int]]:
    """Each limit on an amount, from the narrowest scope to the widest."""
    limits = rule.limits
    said = [
        (_("an order"), limits.per_order),
        (_("a member"), limits.per_member.amount if limits.per_member else None),
        (_("in all"), limits.budget),
    ]
    return [(name, amount) for name, amount in said if amount is not None]


def _used_up(rule: Rule, unit: Unit, world: World) -> Iterator[Finding]:
    used = world.used.get((rule.key, rule.unit), 0)
    budget = rule.limits.budget
    if budget and used >= budget:
        said = [unit_amount(amount, unit=unit) for amount in (used, budget)]
        yield warning(
            "budget",
            rule.key,
            _("Its budget is used up: {} of {}.").format(*said),
            _("Raise the budget, or remove the rule; a new key begins a new budget."),
        )


def _decimal(number: Fraction | None) -> str:
    """A number that has an end in decimals, without needless zeros."""
    if number is None:
        return ""
    scaled = number * 10**12
    text = f"{scaled.numerator // scaled.denominator:013d}"
    return f"{text[:-12]}.{text[-12:]}".rstrip("0").rstrip(".")
