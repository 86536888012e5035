"""One program over one part of the history, its limits counted as it goes. Pure.

Purchases come member by member, and a member's in the order of attribution. What is
really posted plays no part, nor does anything before the first purchase: limits are
counted from there.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from rewards.backtests.budgets import Burns, Spending, caps
from rewards.program import limits
from rewards.program.evaluation import CompiledProgram, CompiledRule, Granted, Matched
from rewards.program.facts import Facts
from rewards.program.limits import Use


class Known(NamedTuple):
    """One purchase of the history, in its last known state.

    ``settlement_id`` is the one whose awards are current. Commission is in minor units
    of its currency.
    """

    id: int
    member_id: int
    merchant_id: int | None
    settlement_id: int
    declined: bool
    currency: str
    commission: int
    facts: Facts


class Worth(NamedTuple):
    """What a purchase is worth; or why that could not be worked out."""

    awards: Sequence[Granted] = ()
    failed: str = ""


class Simulation:
    """What one program grants, purchase after purchase.

    Without ``burns`` its budgets set no bound, and ``spending`` says afterwards what
    their rules gave.
    """

    def __init__(self, content: dict[str, Any], burns: Burns | None = None) -> None:
        self.program = CompiledProgram(content)
        specs = (rule.spec for rule in self.program.rules)
        self.spending = {rule: Spending() for rule in caps(specs)}
        self._burns: Burns = burns or {}
        self._zone = ZoneInfo(self.program.time_zone)
        self._member = 0
        self._used: Counter[tuple[str, object]] = Counter()
        self._paid: Counter[str] = Counter()

    def worth(self, known: Known) -> Worth:
        """What this purchase, the next one of its member, is granted."""
        matched = self.program.match(known.facts)
        if matched.failed:
            return Worth(failed=matched.failed)
        limited = matched.limited
        if not limited:
            return Worth(self.program.grant(matched))
        return Worth(self._limited(known, matched, limited))

    def unlimited(self, known: Known) -> Sequence[Granted]:
        """What it would be granted if nobody had used any limit; counts for none."""
        return self.program.evaluate(known.facts)

    def _limited(
        self, known: Known, matched: Matched, limited: Sequence[CompiledRule]
    ) -> Sequence[Granted]:
        if known.member_id != self._member:
            self._member = known.member_id
            self._used.clear()
            self._paid.clear()
        at = known.facts.report.attributed_at
        windows = {rule.spec.key: self._window(rule, at) for rule in limited}
        rooms = {
            rule.spec.key: limits.room(self._uses(rule, windows[rule.spec.key]))
            for rule in limited
        }
        second = int(at.timestamp())
        for rule, burn in self._burns.items():
            if rule in rooms:
                rooms[rule] = _least(rooms[rule], burn.room(second, known.id))
        awards = self.program.grant(
            matched, {rule: room for rule, room in rooms.items() if room is not None}
        )
        self._count(awards, windows, second=second, purchase=known.id)
        return awards

    def _uses(self, rule: CompiledRule, window: object) -> Iterable[Use]:
        spec, key = rule.spec.limits, rule.spec.key
        if spec.per_order:
            yield Use(limits.PER_ORDER, spec.per_order)
        if spec.per_member:
            used = self._used[key, window]
            yield Use(limits.PER_MEMBER, spec.per_member.amount, used)
        if spec.per_member_count:
            yield Use(limits.PER_MEMBER_COUNT, spec.per_member_count, self._paid[key])

    def _count(
        self,
        awards: Sequence[Granted],
        windows: Mapping[str, object],
        *,
        second: int,
        purchase: int,
    ) -> None:
        for award in awards:
            if award.rule not in windows or not award.granted:
                continue
            self._used[award.rule, windows[award.rule]] += award.granted
            self._paid[award.rule] += 1
            if award.rule in self.spending:
                self.spending[award.rule].add(second, purchase, award.granted)

    def _window(self, rule: CompiledRule, at: datetime) -> object:
        """What names the period of a rule's limit per member that holds this time."""
        limit = rule.spec.limits.per_member
        if limit is None or limit.period == "ever":
            return None
        day = at.astimezone(self._zone).date()
        match limit.period:
            case "day":
                return day
            case "week":
                return day - timedelta(days=day.weekday())
            case "month":
                return day.replace(day=1)
        return day.year


def _least(one: int | None, other: int | None) -> int | None:
    return min((room for room in (one, other) if room is not None), default=None)
