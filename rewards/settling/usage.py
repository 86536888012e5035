"""How far limits are used up, and by whom."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, Self
from zoneinfo import ZoneInfo

from django.db.models import F, QuerySet, Sum

from rewards import bulk
from rewards.models import Award, Budget, Unit
from rewards.program.evaluation import CompiledProgram, CompiledRule, Matched
from rewards.program.limits import BUDGET, PER_MEMBER, PER_MEMBER_COUNT, PER_ORDER, Use
from rewards.program.periods import period_start
from rewards.settling import awards
from rewards.settling.awards import Awarded, Key
from rewards.settling.cases import Case


def open_budgets(content: Mapping[str, Any]) -> None:
    """Begin to count for each rule of this program that has a budget.

    From what its current awards use already, whichever edition granted them. Call it
    while nobody settles, under ``interlock.close``.
    """
    units = dict(Unit.objects.values_list("code", "id"))
    for rule in content["rules"]:
        if rule.get("limits", {}).get("budget"):
            own = {"rule": rule["key"], "unit_id": units[rule["unit"]]}
            used = _current().filter(**own).aggregate(used=Sum("granted"))["used"]
            Budget.objects.get_or_create(**own, defaults={"used": used or 0})


@dataclass(frozen=True, slots=True)
class Units:
    """The ids of units by code, and of budgets by what they limit."""

    ids: dict[str, int]
    budgets: dict[Key, int]

    @classmethod
    def load(cls) -> Self:
        rows = Unit.objects.values_list("code", "id", "budget__rule", "budget__id")
        found = list(rows)
        return cls(
            {code: id for code, id, *_ in found},
            {(rule, id): budget for _, id, rule, budget in found if budget},
        )

    def key(self, rule: CompiledRule) -> Key:
        return rule.spec.key, self.ids[rule.spec.unit]


def limits_members(rule: CompiledRule) -> bool:
    """Whether a member's purchases have a limit of this rule in common."""
    limits = rule.spec.limits
    return limits.per_member is not None or limits.per_member_count is not None


class Claimant(NamedTuple):
    """A purchase, and the rules that count for it."""

    case: Case
    program: CompiledProgram
    matched: Matched

    @property
    def rules(self) -> Iterator[CompiledRule]:
        """All of them, whether they are limited or not."""
        for claims in self.matched.claims.values():
            for claim in claims:
                yield claim.rule


class _Grant(NamedTuple):
    """What one purchase has of a rule, and when it was attributed."""

    at: datetime
    amount: int


Grants = dict[tuple[int | None, Key], dict[int, _Grant]]


@dataclass(slots=True)
class Usage:
    """The limits that a batch meets, as its purchases are settled one after another.

    ``held`` is what purchases had before it, by settlement. ``spent`` is what all
    purchases have of a rule with a budget, and ``grants`` what each purchase of a
    member has of a rule that limits members.
    """

    units: Units
    held: Mapping[int, Sequence[Awarded]] = field(default_factory=dict)
    spent: dict[Key, int] = field(default_factory=dict)
    grants: Grants = field(default_factory=dict)
    spent_before: Mapping[Key, int] = field(default_factory=dict)

    @classmethod
    def open(
        cls,
        cases: Sequence[Case],
        *,
        claimants: Sequence[Claimant],
        copied: Iterable[Awarded],
        units: Units,
    ) -> Self:
        """Look up what these purchases' limits need, and lock their budgets.

        The members of rules that limit them are locked already. Asks nothing where
        there are no limits.
        """
        limited = any(claimant.matched.limited for claimant in claimants)
        if not limited and not units.budgets:
            return cls(units)
        held = awards.stored([case.settlement_before or 0 for case in cases])
        named = {award.key for award in copied}
        named |= {award.key for own in held.values() for award in own}
        named |= {units.key(rule) for c in claimants for rule in c.rules}
        spent = _lock_budgets(named, units)
        grants = _grants(claimants, units)
        return cls(units, held, dict(spent), grants, spent)

    def uses(self, claimant: Claimant) -> dict[str, list[Use]]:
        """How far each limit is used up as this purchase is settled, by rule."""
        rules = claimant.matched.limited
        zone = ZoneInfo(claimant.program.time_zone)
        return {r.spec.key: list(self._uses(claimant.case, r, zone)) for r in rules}

    def replace(self, case: Case, new: Iterable[Awarded]) -> None:
        """Count a purchase's new awards instead of those that it has held so far."""
        before = case.evaluation_before
        holder = before.member_id if before else None
        for award in self._own(case):
            self._add(award, -award.granted)
            if (grants := self.grants.get((holder, award.key))) is not None:
                grants.pop(case.id, None)
        for award in new:
            self._add(award, award.granted)
            if (grants := self.grants.get((case.member_id, award.key))) is not None:
                grants[case.id] = _Grant(case.report.attributed_at, award.granted)

    def close(self) -> None:
        """Write what is used of the budgets now."""
        changes = [
            (self.units.budgets[key], used - self.spent_before[key])
            for key, used in self.spent.items()
        ]
        bulk.increase(Budget, "used", sorted(c for c in changes if c[1]))

    def _uses(self, case: Case, rule: CompiledRule, zone: ZoneInfo) -> Iterator[Use]:
        limits, key = rule.spec.limits, self.units.key(rule)
        held = sum(award.granted for award in self._own(case) if award.key == key)
        grants = self.grants.get((case.member_id, key), {})
        if limits.per_order:
            yield Use(PER_ORDER, limits.per_order, held=held)
        if limits.per_member:
            inside = _inside(grants, limits.per_member.period, case, zone)
            mine = inside.pop(case.id, 0)
            yield Use(PER_MEMBER, limits.per_member.amount, sum(inside.values()), mine)
        if limits.per_member_count:
            paid = {id for id, grant in grants.items() if grant.amount}
            mine = int(case.id in paid)
            used = len(paid) - mine
            yield Use(PER_MEMBER_COUNT, limits.per_member_count, used, mine)
        if limits.budget:
            yield Use(BUDGET, limits.budget, self.spent[key] - held, held)

    def _own(self, case: Case) -> Sequence[Awarded]:
        return self.held.get(case.settlement_before or 0, ())

    def _add(self, award: Awarded, change: int) -> None:
        if award.key in self.spent:
            self.spent[award.key] += change


def _inside(
    grants: Mapping[int, _Grant], period: str, case: Case, zone: ZoneInfo
) -> dict[int, int]:
    """What purchases of the same period have, by purchase."""
    start = period_start(period, case.report.attributed_at, zone=zone)
    return {
        id: grant.amount
        for id, grant in grants.items()
        if period_start(period, grant.at, zone=zone) == start
    }


def _lock_budgets(named: Iterable[Key], units: Units) -> dict[Key, int]:
    """What is used of the budgets of these, locked in order."""
    wanted = {units.budgets[key]: key for key in named if key in units.budgets}
    if not wanted:
        return {}
    rows = (
        Budget.objects.filter(pk__among=wanted)
        .order_by("pk")
        .select_for_update(no_key=True)
        .values_list("pk", "used")
    )
    return {wanted[id]: used for id, used in rows}


def _grants(claimants: Sequence[Claimant], units: Units) -> Grants:
    """What members have of the rules that limit them, by purchase, before the batch."""
    grants: Grants = {
        (claimant.case.member_id, units.key(rule)): {}
        for claimant in claimants
        for rule in claimant.matched.limited
        if limits_members(rule)
    }
    if not grants:
        return {}
    rows = _current().filter(
        settlement__member__id__among={member_id for member_id, _ in grants},
        rule__among={rule for _, (rule, _) in grants},
    )
    columns = ("settlement__member_id", "rule", "unit_id", "settlement__purchase_id")
    for member_id, rule, unit_id, purchase_id, at, amount in rows.values_list(
        *columns, "settlement__purchase__attributed_at", "granted"
    ):
        if (found := grants.get((member_id, (rule, unit_id)))) is not None:
            found[purchase_id] = _Grant(at, amount)
    return grants


def _current() -> QuerySet[Award]:
    """The awards that count now."""
    return Award.objects.filter(settlement__purchase__settlement=F("settlement"))
