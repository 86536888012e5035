"""What a purchase is worth under one edition: pure, exact, rounded once a unit.

In two steps. Matching finds the rules that count; granting works out what they give,
where a limit may leave less room than a rule asks for.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from rewards.program import amounts, vocabulary
from rewards.program.amounts import Amount
from rewards.program.expressions import ExpressionFailed
from rewards.program.facts import Facts
from rewards.program.rewards import rounded
from rewards.program.rules import INDEXED, CompiledRule, compiled

_MOST_INDEXED = 20_000
_new = tuple.__new__  # makes a NamedTuple in half the time that calling it takes
NO_ROOM_KNOWN: Mapping[str, int] = {}


class Granted(NamedTuple):
    """What one rule grants, in the unit's smallest step.

    ``wanted`` is before the rule's own limits. ``hold_days`` is how long it stays
    pending after the purchase is final, and ``expires_after_days`` how long it lives
    once it is available; None is for ever.
    """

    rule: str
    unit: str
    wanted: int
    granted: int
    why: str
    hold_days: int = 0
    expires_after_days: int | None = None


class Claim(NamedTuple):
    """A rule that counts, and what it gives before any limit, in smallest steps."""

    rule: CompiledRule
    numerator: int
    denominator: int
    why: str


@dataclass(slots=True)
class Matched:
    """The rules that count, by unit, in rule order.

    ``failed`` names the rule whose expression could not be worked out: then nothing
    is known, and nothing may be paid.
    """

    claims: dict[str, list[Claim]] = field(default_factory=dict)
    failed: str = ""

    @property
    def limited(self) -> list[CompiledRule]:
        """Those among them whose limits somebody must look up."""
        return [
            claim.rule
            for claims in self.claims.values()
            for claim in claims
            if claim.rule.limited
        ]


Candidates = Sequence[tuple[str, Sequence[CompiledRule]]]


class CompiledProgram:
    """A program compiled once, to evaluate any number of purchases.

    Rules are indexed by what most of them name (merchant, currency, category, account,
    first and last day), so that a long program costs little more than a short one.
    """

    def __init__(self, content: dict[str, Any]) -> None:
        program = vocabulary.parse(content)
        self.time_zone = program.time_zone
        self.units = {unit.code: unit for unit in program.units}
        self.rules = tuple(
            compiled(spec, zone=self.time_zone, decimals=self.units[spec.unit].decimals)
            for spec in program.rules
        )
        self._edges = _edges(self.rules)
        self._index: dict[tuple[object, ...], Candidates] = {}

    def match(self, facts: Facts) -> Matched:
        """The rules that count for this purchase.

        In each unit the first override stands alone; else the first base does, with
        every bonus.
        """
        matched = {}
        for unit, rules in self._candidates(facts):
            try:
                claims = _counting(rules, facts)
            except ExpressionFailed as error:
                return Matched(failed=str(error))
            if claims:
                matched[unit] = claims
        return Matched(matched)

    def grant(
        self, matched: Matched, room: Mapping[str, int] = NO_ROOM_KNOWN
    ) -> list[Granted]:
        """Every award, in rule order. Zeros are left out, unless a limit made them.

        ``room`` is the most that a rule may grant, in the unit's smallest step.
        Without it a limited rule is held to its limit per order alone.
        """
        awards: list[Granted] = []
        for code, claims in matched.claims.items():
            unit = self.units[code]
            for claim in claims:
                if not claim.rule.plain:
                    awards += _cut(claims, unit, room)
                    break
            else:
                awards += _plain(claims, unit.rounding)
        return awards

    def evaluate(
        self, facts: Facts, room: Mapping[str, int] = NO_ROOM_KNOWN
    ) -> list[Granted]:
        """Every award of this purchase's state; none where an expression fails."""
        return self.grant(self.match(facts), room)

    def pays_in(self, currency: str) -> bool:
        """Whether any rule could ever pay for an order in this currency."""
        return any(
            currency in (rule.spec.when.currencies or [currency])
            and (rule.spec.reward.kind != "share" or rule.spec.unit == currency)
            for rule in self.rules
        )

    def _candidates(self, facts: Facts) -> Candidates:
        report = facts.report
        key = (
            report.merchant,
            report.order_currency,
            report.category,
            report.account,
            bisect_right(self._edges, report.attributed_at),
        )
        candidates = self._index.get(key)
        if candidates is None:
            if len(self._index) >= _MOST_INDEXED:
                self._index.clear()
            candidates = self._index[key] = self._resolve(facts)
        return candidates

    def _resolve(self, facts: Facts) -> Candidates:
        """The rules whose indexed conditions hold, by unit."""
        found: dict[str, list[CompiledRule]] = {}
        for rule in self.rules:
            if all(c.holds(facts) for c in rule.conditions if c.name in INDEXED):
                found.setdefault(rule.spec.unit, []).append(rule)
        return list(found.items())


def _edges(rules: Iterable[CompiledRule]) -> list[datetime]:
    """Every instant at which some rule begins or ends."""
    whens = [rule.spec.when for rule in rules]
    instants = {at for when in whens for at in (when.starts_at, when.ends_at) if at}
    return sorted(instants)


def _counting(rules: Sequence[CompiledRule], facts: Facts) -> list[Claim]:
    """Of one unit's rules, in order, those that count. Raises ExpressionFailed."""
    claims: list[Claim] = []
    taken: tuple[str, ...] = ()
    for rule in rules:
        passed_over = rule.group in taken
        # An expression is asked all the same: where one fails, nothing is paid.
        if passed_over and not rule.may_fail:
            continue
        if not rule.holds(facts) or passed_over:
            continue
        if given := rule.reward(facts):
            taken = rule.takes or taken
            if rule.group == "override":
                claims.clear()
            claims.append(_new(Claim, (rule, *given)))
    return claims


def _plain(claims: Sequence[Claim], mode: str) -> list[Granted]:
    """Round the running sum, so that integer awards add up to the rounded total."""
    awards = []
    numerator, denominator, before = 0, 1, 0
    for rule, more, of, why in claims:
        if more:
            numerator = numerator * of + more * denominator
            denominator *= of
            total = rounded(numerator, denominator, mode)
            gets = total - before
            before = total
            held, lives = rule.hold_days, rule.expires_after_days
            award = (rule.key, rule.unit, gets, gets, why, held, lives)
            awards.append(_new(Granted, award))
    return awards


def _cut(
    claims: Sequence[Claim], unit: vocabulary.Unit, room: Mapping[str, int]
) -> Iterator[Granted]:
    """The same, once before limits and once after them."""
    wanted, granted = _Running(unit.rounding), _Running(unit.rounding)
    for claim, asked, given, why in amounts.worked_out(claims, unit, room):
        if asked.numerator:
            rule = claim.rule
            wants = wanted.add(asked)
            gets = granted.add(given, most=amounts.most(claim, room))
            days = (rule.hold_days, rule.expires_after_days)
            yield Granted(rule.key, rule.unit, wants, gets, why, *days)


class _Running:
    """A sum of exact amounts, and what was rounded of it so far."""

    def __init__(self, mode: str) -> None:
        self._mode = mode
        self._sum = amounts.NOTHING
        self._rounded = 0

    def add(self, amount: Amount, *, most: int | None = None) -> int:
        """By how much the rounded sum rises; by no more than ``most``.

        Rounding half to even can lift a sum by one more than what is added to it. A
        limit holds all the same: the rest falls to the next award.
        """
        self._sum = self._sum.plus(amount)
        total = rounded(self._sum.numerator, self._sum.denominator, self._mode)
        rise = total - self._rounded
        if most is not None and rise > most:
            rise = most
        self._rounded += rise
        return rise
