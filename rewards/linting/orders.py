"""What the program would do with the latest real orders."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from fractions import Fraction
from math import ceil
from typing import NamedTuple

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from rewards.backtests.figures import worth
from rewards.linting.finding import Finding, notice, warning
from rewards.linting.world import World
from rewards.money import currency_amount
from rewards.program import vocabulary
from rewards.program.evaluation import CompiledProgram, CompiledRule, Granted
from rewards.program.expressions import ExpressionFailed
from rewards.program.facts import Facts
from rewards.program.vocabulary import Program

LATELY = timedelta(days=30)


class Tried(NamedTuple):
    """One order under the program: what it would get, or why that is unknown."""

    order: str
    facts: Facts
    awards: Sequence[Granted]
    failed: str


def check(program: Program, world: World) -> Iterator[Finding]:
    compiled = CompiledProgram(vocabulary.dump(program))
    tried = [_try(compiled, order, facts) for order, facts in world.orders]
    yield from _failed(tried)
    yield from _above_commission(tried, compiled)
    yield from _matched_nothing(compiled, world)


def _try(compiled: CompiledProgram, order: str, facts: Facts) -> Tried:
    matched = compiled.match(facts)
    return Tried(order, facts, compiled.grant(matched), matched.failed)


def _failed(tried: Sequence[Tried]) -> Iterator[Finding]:
    if failed := [one for one in tried if one.failed]:
        said = ngettext(
            "%(n)d recent order would go to review, %(order)s for one: %(why)s",
            "%(n)d recent orders would go to review, %(order)s for one: %(why)s",
            len(failed),
        )
        yield warning(
            "expression",
            "",
            said
            % {"n": len(failed), "order": failed[0].order, "why": failed[0].failed},
            _("Mend the expression so that it holds or fails for every order."),
        )


def _above_commission(
    tried: Sequence[Tried], compiled: CompiledProgram
) -> Iterator[Finding]:
    """Only what has a worth in the commission's own currency can be compared."""
    excess = [
        (paid - (one.facts.report.commission or 0), paid, one)
        for one in tried
        if (paid := _worth(one, compiled)) > (one.facts.report.commission or 0)
    ]
    if not excess:
        return
    _most, paid, worst = max(excess, key=lambda found: found[0])
    report = worst.facts.report
    said = ngettext(
        "%(n)d of the latest %(of)d orders would get more than our commission:"
        " %(order)s gets %(paid)s for %(commission)s.",
        "%(n)d of the latest %(of)d orders would get more than our commission;"
        " the worst, %(order)s, gets %(paid)s for %(commission)s.",
        len(excess),
    )
    yield warning(
        "above-commission",
        "",
        said
        % {
            "n": len(excess),
            "of": len(tried),
            "order": worst.order,
            "paid": currency_amount(ceil(paid), currency=report.currency),
            "commission": currency_amount(
                report.commission or 0, currency=report.currency
            ),
        },
        _("Give less, limit the rules per order, or give a share of the commission."),
    )


def _worth(one: Tried, compiled: CompiledProgram) -> Fraction:
    """What an order gets, in minor units of its commission's currency."""
    amounts = (worth(award.granted, compiled.units[award.unit]) for award in one.awards)
    currency = one.facts.report.currency
    return sum(
        (found[1] for found in amounts if found and found[0] == currency), Fraction()
    )


def _matched_nothing(compiled: CompiledProgram, world: World) -> Iterator[Finding]:
    since = world.at - LATELY
    recent = [f for _key, f in world.orders if f.report.attributed_at >= since]
    for rule in compiled.rules if recent else ():
        when = rule.spec.when
        new = when.starts_at is not None and when.starts_at > since
        over = when.ends_at is not None and when.ends_at <= world.at
        if not new and not over and not any(_matches(rule, facts) for facts in recent):
            yield notice(
                "matches-nothing",
                rule.spec.key,
                ngettext(
                    "It doesn't match the only order of the last 30 days.",
                    "It matches none of the latest %(n)d orders of the last 30 days.",
                    len(recent),
                )
                % {"n": len(recent)},
                _("Check its conditions on an order that it should match."),
            )


def _matches(rule: CompiledRule, facts: Facts) -> bool:
    try:
        return rule.matches(facts) is not None
    except ExpressionFailed:
        return True  # it is told of apart
