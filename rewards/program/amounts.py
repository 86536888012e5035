"""What the rules that count give, once those that follow from others are worked out.

A multiplier looks at the base award, a top-up at everything else, both as granted. So
limits cut here, on exact amounts, before anything is rounded.
"""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple, Self

from rewards.program import vocabulary
from rewards.program.vocabulary import Multiplier, TopUp

if TYPE_CHECKING:
    from rewards.program.evaluation import Claim


class Amount(NamedTuple):
    """An exact amount in the unit's smallest step; not reduced, which costs time."""

    numerator: int
    denominator: int

    def plus(self, other: "Amount") -> Self:
        if self.denominator == other.denominator:
            return self._replace(numerator=self.numerator + other.numerator)
        return self._replace(
            numerator=self.numerator * other.denominator
            + other.numerator * self.denominator,
            denominator=self.denominator * other.denominator,
        )

    def at_most(self, most: int | None) -> "Amount":
        if most is None or self.numerator <= most * self.denominator:
            return self
        return Amount(most, 1)


NOTHING = Amount(0, 1)
DERIVED = ("multiplier", "top_up")
"""The rewards that follow from the unit's other rules."""


class Worked(NamedTuple):
    """One rule's exact amounts: before its own limits, and after; and how they came."""

    claim: "Claim"
    asked: Amount
    given: Amount
    why: str


def worked_out(
    claims: Sequence["Claim"], unit: vocabulary.Unit, room: Mapping[str, int]
) -> list[Worked]:
    """The amounts of one unit's rules, in rule order."""
    found = [_own(claim, room) for claim in claims]
    kinds = {claim.rule.spec.reward.kind for claim in claims}
    if "multiplier" in kinds:
        base = next((w for w in found if w.claim.rule.spec.group == "base"), None)
        found = [_multiplied(w, base, unit, room) for w in found]
    if "top_up" in kinds:
        for place, worked in enumerate(found):
            if isinstance(worked.claim.rule.spec.reward, TopUp):
                others = [w.given for w in found]
                found[place] = _topped_up(worked, others, unit, room)
    return found


def _own(claim: "Claim", room: Mapping[str, int]) -> Worked:
    """What a rule gives by itself; nothing yet where that follows from others."""
    asked = Amount(claim.numerator, claim.denominator)
    return Worked(claim, asked, _cut(claim, asked, room), claim.why)


def most(claim: "Claim", room: Mapping[str, int]) -> int | None:
    """The most that a rule may give, or None where nothing limits it."""
    if not claim.rule.limited:
        return None
    spec = claim.rule.spec
    return room.get(spec.key, spec.limits.per_order)


def _cut(claim: "Claim", asked: Amount, room: Mapping[str, int]) -> Amount:
    return asked.at_most(most(claim, room))


def _multiplied(
    worked: Worked, base: Worked | None, unit: vocabulary.Unit, room: Mapping[str, int]
) -> Worked:
    reward = worked.claim.rule.spec.reward
    if not isinstance(reward, Multiplier):
        return worked
    given = base.given if base else NOTHING
    more = Fraction(reward.factor) - 1
    asked = Amount(
        given.numerator * more.numerator, given.denominator * more.denominator
    )
    why = f"{reward.factor} times the base award of {_major(given, unit)}"
    return worked._replace(asked=asked, given=_cut(worked.claim, asked, room), why=why)


def _topped_up(
    worked: Worked,
    others: Sequence[Amount],
    unit: vocabulary.Unit,
    room: Mapping[str, int],
) -> Worked:
    """``others`` hold nothing yet for this rule, nor for top-ups that come later."""
    reward = worked.claim.rule.spec.reward
    assert isinstance(reward, TopUp)
    total = NOTHING
    for amount in others:
        total = total.plus(amount)
    missing = Fraction(reward.points) * 10**unit.decimals - Fraction(*total)
    missing = max(missing, Fraction())
    asked = Amount(missing.numerator, missing.denominator)
    why = f"up to {reward.points} from {_major(total, unit)}"
    return worked._replace(asked=asked, given=_cut(worked.claim, asked, room), why=why)


def _major(amount: Amount, unit: vocabulary.Unit) -> str:
    """The exact amount in major units, as a fraction where it has no short decimal."""
    exact = Fraction(*amount) / 10**unit.decimals
    millionths = exact * 10**6
    if millionths.denominator != 1:
        return str(exact)
    whole, rest = divmod(int(millionths), 10**6)
    return f"{whole}.{rest:06d}".rstrip("0").rstrip(".")
