"""Names that nobody knows, and what no rule or unit stands for."""

from collections.abc import Iterator

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from merchants.currencies import EXPONENTS
from rewards.linting.finding import Finding, listed, notice, warning
from rewards.linting.world import World
from rewards.program.vocabulary import Multiplier, Program, Rule, Share


def check(program: Program, world: World) -> Iterator[Finding]:
    for rule in program.rules:
        yield from _unknown(rule, world)
        yield from _currency(rule)
    yield from _stores_without_rule(program, world)
    yield from _currencies(program, world)
    yield from _worthless(program)
    yield from _languages(program)


def _unknown(rule: Rule, world: World) -> Iterator[Finding]:
    """What the rule names and neither the catalogue nor any order has."""
    categories = {name for store in world.stores.values() for name in store.categories}
    for code, names, known, said in (
        (
            "merchant",
            rule.when.merchants,
            world.stores,
            _("No merchant has the id %s."),
        ),
        (
            "merchant-category",
            rule.when.merchant_categories,
            categories,
            _("No merchant is in the category %s."),
        ),
        (
            "account",
            rule.when.accounts,
            world.accounts,
            _("No network account has the id %s."),
        ),
    ):
        if unknown := [name for name in names if name not in known]:
            yield warning(
                f"unknown-{code}",
                rule.key,
                said % listed(unknown),
                _("Check the spelling; where it is still to come, leave it."),
            )
    if rule.when.merchants and world.places(rule) == frozenset():
        yield warning(
            "merchant-category",
            rule.key,
            _("None of its merchants is in its merchant categories."),
            _("Name either the merchants or the categories."),
        )


def _currency(rule: Rule) -> Iterator[Finding]:
    if (
        isinstance(rule.reward, Share)
        and rule.reward.of == "order_total"
        and rule.unit not in (rule.when.currencies or [rule.unit])
    ):
        yield warning(
            "currency",
            rule.key,
            _(
                "It never pays: a share of an order goes into the order's own currency,"
                " and %(unit)s is not among its currencies."
            )
            % {"unit": rule.unit},
            _("Add %s to its currencies, or choose another unit.") % rule.unit,
        )


def _stores_without_rule(program: Program, world: World) -> Iterator[Finding]:
    """Listed stores at which members would earn nothing."""
    places = [world.places(rule) for rule in program.rules if _may_pay(rule, world)]
    if None in places:
        return
    paid = frozenset().union(*filter(None, places))
    names = [
        store.name
        for id, store in sorted(world.stores.items())
        if store.listed and id not in paid
    ]
    if names:
        said = ngettext(
            "At %(n)d store that members see no rule pays: %(names)s.",
            "At %(n)d stores that members see no rule pays: %(names)s.",
            len(names),
        )
        yield warning(
            "store-without-rule",
            "",
            said % {"n": len(names), "names": listed(names)},
            _("Add a rule without merchants, or hide the stores from members."),
        )


def _may_pay(rule: Rule, world: World) -> bool:
    over = rule.when.ends_at is not None and rule.when.ends_at <= world.at
    return not over and not isinstance(rule.reward, Multiplier)


def _currencies(program: Program, world: World) -> Iterator[Finding]:
    """Currencies that orders or accounts really have, and the program doesn't."""
    met = {currency for currency in world.accounts.values() if currency}
    met.update(f.report.order_currency for _key, f in world.orders)
    units = {unit.code for unit in program.units}
    cash = units & EXPONENTS.keys()
    for currency in sorted(met & EXPONENTS.keys()):
        if not any(_pays_in(rule, currency) for rule in program.rules):
            yield warning(
                "currency-without-rule",
                "",
                _("Orders in %s earn nothing: no rule pays in it.") % currency,
                _("Add a rule for this currency, or one without currencies."),
            )
        elif cash and currency not in units:
            yield notice(
                "currency-without-unit",
                "",
                _("Orders in %s earn no cash back: there is no such unit.") % currency,
                _("Add the unit with its rounding, and a rule that pays in it."),
            )


def _pays_in(rule: Rule, currency: str) -> bool:
    named = currency in (rule.when.currencies or [currency])
    return named and (not isinstance(rule.reward, Share) or rule.unit == currency)


def _worthless(program: Program) -> Iterator[Finding]:
    for unit in program.units:
        if unit.value is None and unit.code not in EXPONENTS:
            yield notice(
                "unit-without-worth",
                "",
                _("The unit %s has no worth, so money reports count it apart.")
                % unit.code,
                _("Say at the unit what one is worth in money."),
            )


def _languages(program: Program) -> Iterator[Finding]:
    spoken = {rule.key: _spoken(rule) for rule in program.rules}
    every = set().union(*spoken.values()) if spoken else set()
    for key, languages in spoken.items():
        if missing := sorted(every - languages):
            yield notice(
                "language",
                key,
                _("Its label is missing in: %s.") % ", ".join(missing),
                _("Add it, as other rules have it."),
            )


def _spoken(rule: Rule) -> set[str]:
    return set(rule.label) if isinstance(rule.label, dict) else {settings.LANGUAGE_CODE}
