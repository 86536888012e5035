"""Rules made ready to be asked of many purchases."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rewards.program import amounts, vocabulary
from rewards.program.conditions import Condition, conditions
from rewards.program.expressions import ExpressionFailed
from rewards.program.facts import Facts
from rewards.program.rewards import Exact, Reward, reward

# Asked by the index, before a purchase is tested.
INDEXED = (
    "merchants",
    "currencies",
    "order_categories",
    "accounts",
    "starts_at",
    "ends_at",
)

Test = Callable[[Facts], bool]
_UNLIMITED = vocabulary.Limits()
_TAKES = {"override": ("override", "base", "bonus"), "base": ("base",), "bonus": ()}


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """A rule ready to be asked: what it tests, and how much it then gives.

    ``holds`` asks what the index has not asked already. Once the rule counts, no later
    one of the groups that it ``takes`` does, in its unit. A ``plain`` rule gives what
    it gives, whatever limits and other rules say.
    """

    spec: vocabulary.Rule
    key: str
    unit: str
    group: str
    hold_days: int
    expires_after_days: int | None
    takes: tuple[str, ...]
    conditions: tuple[Condition, ...]
    holds: Test
    reward: Reward
    may_fail: bool
    limited: bool
    plain: bool

    def matches(self, facts: Facts) -> Exact | None:
        """What the rule gives, or None where a condition fails.

        Raises ExpressionFailed.
        """
        for condition in self.conditions:
            if not condition.holds(facts):
                return None
        given = self.reward(facts)
        return Exact(*given) if given else None


def compiled(spec: vocabulary.Rule, *, zone: str, decimals: int) -> CompiledRule:
    """The rule, for a unit with so many decimals, in a program of this time zone."""
    asked = conditions(spec.when, zone=zone)
    limited = spec.limits != _UNLIMITED
    return CompiledRule(
        spec=spec,
        key=spec.key,
        unit=spec.unit,
        group=spec.group,
        hold_days=spec.hold_days or 0,
        expires_after_days=spec.expires_after_days,
        takes=_TAKES[spec.group],
        conditions=asked,
        holds=_together(spec.key, [c for c in asked if c.name not in INDEXED]),
        reward=reward(spec, decimals=decimals),
        # An expression is asked even where the rule can't count: if it fails, nothing
        # is paid.
        may_fail=_may_fail(asked),
        limited=limited,
        plain=not limited and spec.reward.kind not in amounts.DERIVED,
    )


def _together(key: str, conditions: Sequence[Condition]) -> Test:
    """All conditions as one test; an expression that fails is told with its rule."""
    tests = [condition.holds for condition in conditions]

    def hold(facts: Facts) -> bool:
        try:
            for test in tests:
                if not test(facts):
                    return False
        except ExpressionFailed as error:
            said = f"The expression of rule “{key}” failed: {error}"
            raise ExpressionFailed(said) from None
        return True

    return tests[0] if len(tests) == 1 and not _may_fail(conditions) else hold


def _may_fail(conditions: Sequence[Condition]) -> bool:
    return any(condition.name == "expression" for condition in conditions)
