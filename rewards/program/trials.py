"""Every rule of a program tried on one purchase: what became of it, and how.

Evaluation says what is granted. This asks the same conditions and does the same sums,
and keeps what came out on the way, for people who want to know why.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, NamedTuple

from rewards.program import limits, vocabulary
from rewards.program.amounts import worked_out
from rewards.program.conditions import Condition
from rewards.program.evaluation import Claim, CompiledProgram, CompiledRule, Matched
from rewards.program.expressions import ExpressionFailed
from rewards.program.facts import Facts
from rewards.program.items import line_filter
from rewards.program.limits import PER_ORDER, Use
from rewards.program.rewards import rounded

APPLIED, NOT_MATCHED, NO_ITEMS, STOOD_BACK, NOTHING, FAILED = (
    "applied",
    "not_matched",
    "no_items",
    "stood_back",
    "nothing",
    "failed",
)
Uses = Mapping[str, Sequence[Use]]
"""How far each rule's limits are used up, by the rule's key."""


class Asked(NamedTuple):
    """One condition of a rule: what it wants, what it found, whether it held."""

    condition: str
    wanted: str
    found: str
    held: bool


@dataclass(frozen=True, slots=True)
class Tried:
    """One rule and what became of it. Amounts in the unit's smallest step.

    ``outcome``: applied, not_matched (see ``failed``), no_items (no line item counts),
    stood_back (see ``stood_before``), nothing (it matched, and gives nothing here) or
    failed (its expression could not be worked out). ``lines`` are the places of the
    line items that count, None where the whole order does. ``exact`` is what the rule
    asks for, ``given`` what its limits left of that, ``running`` the unit's sum so
    far: all before rounding, None where it never came to that.
    """

    spec: vocabulary.Rule
    outcome: str
    conditions: Sequence[Asked] = ()
    lines: Sequence[int] | None = None
    stood_before: vocabulary.Rule | None = None
    limits: Sequence[Use] = ()
    why: str = ""
    exact: Fraction | None = None
    given: Fraction | None = None
    running: Fraction | None = None
    wanted: int = 0
    granted: int = 0

    @property
    def rule(self) -> str:
        return self.spec.key

    @property
    def label(self) -> Any:
        return self.spec.label

    @property
    def unit(self) -> str:
        return self.spec.unit

    @property
    def failed(self) -> Asked | None:
        """The first condition that did not hold."""
        return next((asked for asked in self.conditions if not asked.held), None)


class Rounding(NamedTuple):
    """How one unit's exact sum became the integer granted, in its smallest step."""

    unit: str
    mode: str
    exact: Fraction
    rounded: int

    @property
    def remainder(self) -> Fraction:
        """What rounding left off; below zero where it rounded up."""
        return self.exact - self.rounded


class Trial(NamedTuple):
    """Every rule in order, each unit that was granted, and the program's time zone."""

    rules: Sequence[Tried] = ()
    units: Sequence[Rounding] = ()
    time_zone: str = "UTC"


NOT_TRIED = Trial()


def try_rules(program: CompiledProgram, facts: Facts, *, uses: Uses) -> Trial:
    """What becomes of every rule for this purchase, as evaluation has it."""
    matched = program.match(facts)
    counted = dict(_counted(program, matched, uses))
    rules = [
        counted.get(rule.spec.key) or _passed_over(rule, facts, matched)
        for rule in program.rules
    ]
    told = [
        replace(t, conditions=_ask(r.conditions, facts), lines=_lines(t.spec, facts))
        for t, r in zip(rules, program.rules, strict=True)
    ]
    return Trial(told, list(_roundings(program, told)), program.time_zone)


def _counted(
    program: CompiledProgram, matched: Matched, uses: Uses
) -> Iterator[tuple[str, Tried]]:
    """The rules that count, with their sums."""
    room = {key: most for key in uses if (most := limits.room(uses[key])) is not None}
    awards = {award.rule: award for award in program.grant(matched, room)}
    for unit, claims in matched.claims.items():
        running = Fraction()
        for claim, asked, given, why in worked_out(claims, program.units[unit], room):
            spec, exact = claim.rule.spec, Fraction(*asked)
            award = awards.get(spec.key)
            if award is None:
                yield spec.key, Tried(spec, NOTHING, why=why)
                continue
            running += Fraction(*given)
            yield (
                spec.key,
                Tried(
                    spec,
                    APPLIED,
                    limits=uses.get(spec.key) or _own_limit(spec),
                    why=why,
                    exact=exact,
                    given=Fraction(*given),
                    running=running,
                    wanted=award.wanted,
                    granted=award.granted,
                ),
            )


def _own_limit(spec: vocabulary.Rule) -> Sequence[Use]:
    """The one limit that is known without looking at other purchases."""
    most = spec.limits.per_order
    return [Use(PER_ORDER, most)] if most else ()


def _passed_over(rule: CompiledRule, facts: Facts, matched: Matched) -> Tried:
    """A rule that does not count: a condition failed, or another came first."""
    spec = rule.spec
    try:
        exact = rule.matches(facts)
    except ExpressionFailed:
        return Tried(spec, FAILED)
    if exact is None:
        return Tried(spec, _unmatched(rule, facts))
    before = _before(spec, matched.claims.get(spec.unit, ()))
    return Tried(
        spec,
        STOOD_BACK if before else NOTHING,
        stood_before=before,
        why=exact.why if exact.numerator else "",
        exact=Fraction(exact.numerator, exact.denominator),
    )


def _unmatched(rule: CompiledRule, facts: Facts) -> str:
    if not all(condition.holds(facts) for condition in rule.conditions):
        return NOT_MATCHED
    return NO_ITEMS if _lines(rule.spec, facts) == [] else NOTHING


def _before(spec: vocabulary.Rule, claims: Sequence[Claim]) -> vocabulary.Rule | None:
    """The rule that stands where this one might: an override, or the first base."""
    for claim in claims:
        group = claim.rule.spec.group
        if group == "override" or group == spec.group == "base":
            return claim.rule.spec
    return None


def _ask(conditions: Sequence[Condition], facts: Facts) -> list[Asked]:
    return [
        Asked(c.name, c.wanted, c.found(facts), held=_holds(c, facts))
        for c in conditions
    ]


def _holds(condition: Condition, facts: Facts) -> bool:
    try:
        return condition.holds(facts)
    except ExpressionFailed:
        return False


def _lines(spec: vocabulary.Rule, facts: Facts) -> list[int] | None:
    counts = line_filter(spec.items)
    if counts is None:
        return None
    return [n for n, line in enumerate(facts.report.lines) if counts(line)]


def _roundings(program: CompiledProgram, tried: Sequence[Tried]) -> Iterator[Rounding]:
    sums = {t.unit: t.running for t in tried if t.running is not None}
    for unit, exact in sums.items():
        mode = program.units[unit].rounding
        total = rounded(exact.numerator, exact.denominator, mode)
        yield Rounding(unit, mode, exact, total)
