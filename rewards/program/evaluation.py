"""What a purchase is worth under one edition: pure, exact, rounded once a unit."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from rewards.program import vocabulary
from rewards.program.conditions import Condition, conditions
from rewards.program.rewards import Exact, Reward, reward, rounded
from rewards.reports import PurchaseReport

_RESOLVED = ("merchants", "currencies")  # by the index, before a purchase is tested
_MOST_INDEXED = 20_000


class Granted(NamedTuple):
    """What one rule grants, in the unit's smallest step."""

    rule: str
    unit: str
    wanted: int
    granted: int
    why: str


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """A rule ready to be asked: what it tests, and how much it then gives."""

    spec: vocabulary.Rule
    conditions: tuple[Condition, ...]
    remaining: tuple[Condition, ...]
    reward: Reward

    def matches(self, purchase: PurchaseReport) -> Exact | None:
        """What the rule gives, or None where a condition fails."""
        for condition in self.conditions:
            if not condition.holds(purchase):
                return None
        return self.reward(purchase)


class CompiledProgram:
    """A program compiled once, to evaluate any number of purchases.

    Rules are indexed by merchant and currency, which most rules name, so that a long
    program costs little more than a short one.
    """

    def __init__(self, content: dict[str, Any]) -> None:
        program = vocabulary.parse(content)
        self.units = {unit.code: unit for unit in program.units}
        self.rules = tuple(self._compile(rule) for rule in program.rules)
        self._index: dict[tuple[str, str], Sequence[CompiledRule]] = {}

    def evaluate(self, purchase: PurchaseReport) -> list[Granted]:
        """Every award of this purchase's state, in rule order. Zeros are left out."""
        matched: dict[str, list[tuple[CompiledRule, Exact]]] = {}
        for rule in self._candidates(purchase):
            for condition in rule.remaining:
                if not condition.holds(purchase):
                    break
            else:
                exact = rule.reward(purchase)
                if exact is not None:
                    matched.setdefault(rule.spec.unit, []).append((rule, exact))
        return [
            award
            for unit, found in matched.items()
            for award in _round(standing(found), self.units[unit])
        ]

    def pays_in(self, currency: str) -> bool:
        """Whether any rule could ever pay for an order in this currency."""
        return any(
            currency in (rule.spec.when.currencies or [currency])
            and (rule.spec.reward.kind != "share" or rule.spec.unit == currency)
            for rule in self.rules
        )

    def _candidates(self, purchase: PurchaseReport) -> Sequence[CompiledRule]:
        key = (purchase.merchant, purchase.order_currency)
        rules = self._index.get(key)
        if rules is None:
            if len(self._index) >= _MOST_INDEXED:
                self._index.clear()
            rules = self._index[key] = [
                rule
                for rule in self.rules
                if all(
                    condition.holds(purchase)
                    for condition in rule.conditions
                    if condition.name in _RESOLVED
                )
            ]
        return rules

    def _compile(self, spec: vocabulary.Rule) -> CompiledRule:
        asked = conditions(spec.when)
        return CompiledRule(
            spec=spec,
            conditions=asked,
            remaining=tuple(c for c in asked if c.name not in _RESOLVED),
            reward=reward(spec, decimals=self.units[spec.unit].decimals),
        )


def standing(
    matched: Sequence[tuple[CompiledRule, Exact]],
) -> list[tuple[CompiledRule, Exact]]:
    """Of one unit's matching rules, in order, those that count.

    The first override stands alone; else the first base and every bonus.
    """
    kept, base_found = [], False
    for rule, exact in matched:
        group = rule.spec.group
        if group == "override":
            return [(rule, exact)]
        if group == "base" and base_found:
            continue
        base_found = base_found or group == "base"
        kept.append((rule, exact))
    return kept


def _round(
    found: Sequence[tuple[CompiledRule, Exact]], unit: vocabulary.Unit
) -> Iterator[Granted]:
    """Round the running sum, so that integer awards add up to the rounded total."""
    numerator, denominator, before = 0, 1, 0
    for rule, exact in found:
        if not exact.numerator:
            continue
        numerator = numerator * exact.denominator + exact.numerator * denominator
        denominator *= exact.denominator
        total = rounded(numerator, denominator, unit.rounding)
        amount, before = total - before, total
        yield Granted(rule.spec.key, unit.code, amount, amount, exact.why)
