"""Counting what purchases are worth under two programs. Pure; parts add up.

Everything is an integer, in a unit's smallest step or a currency's minor unit, so the
order in which parts are joined makes no difference.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from heapq import nlargest
from typing import Any, Self

from rewards.backtests.simulation import Known, Worth
from rewards.program.evaluation import Granted

BASELINE, DRAFT = "baseline", "draft"
UP, DOWN = "up", "down"
EXAMPLES = 10
Counts = Counter[tuple[Any, ...]]


@dataclass
class Tally:
    """Sums over purchases, each by the key that its comment names.

    A change is the draft's award minus the baseline's, of one unit. Its size is the
    number of its digits, negative for a loss: 3 is a gain of 100 to 999 steps.
    """

    purchases: Counts = field(default_factory=Counter)  # earning, declined, members
    orders: Counts = field(default_factory=Counter)  # merchant, currency
    commission: Counts = field(default_factory=Counter)  # merchant, currency
    awards: Counts = field(default_factory=Counter)  # side, merchant, unit
    paid: Counts = field(default_factory=Counter)  # side, rule, unit
    granted: Counts = field(default_factory=Counter)  # side, rule, unit
    wanted: Counts = field(default_factory=Counter)  # side, rule, unit
    sizes: Counts = field(default_factory=Counter)  # unit, size
    changed: Counts = field(default_factory=Counter)  # what, unit, direction
    declines: Counts = field(default_factory=Counter)  # side, unit: not paid
    failures: Counts = field(default_factory=Counter)  # side
    examples: dict[str, list[list[Any]]] = field(default_factory=dict)
    failed: dict[str, list[list[Any]]] = field(default_factory=dict)
    _member: int = field(default=0, init=False)
    _changes: Counts = field(default_factory=Counter, init=False)

    def earning(self, known: Known, before: Worth, after: Worth) -> None:
        """Count one purchase that may earn; members one after the other."""
        self._meet(known.member_id)
        self.purchases["earning",] += 1
        self.orders[known.merchant_id, known.currency] += 1
        self.commission[known.merchant_id, known.currency] += known.commission
        for side, worth in ((BASELINE, before), (DRAFT, after)):
            self._award(side, known, worth)
        if before.awards != after.awards:
            self._change(known, before.awards, after.awards)

    def declined(self, before: Iterable[Granted], after: Iterable[Granted]) -> None:
        """Count one purchase that was declined, and what it would have had."""
        self.purchases["declined",] += 1
        for side, awards in ((BASELINE, before), (DRAFT, after)):
            for award in awards:
                self.declines[side, award.unit] += award.granted

    def finish(self) -> None:
        """Count the last member too."""
        self._meet(0)

    def add(self, other: Self) -> None:
        """Join another part's counts to these."""
        for name in _COUNTS:
            getattr(self, name).update(getattr(other, name))
        for key, found in other.examples.items():
            self.examples[key] = _largest([*self.examples.get(key, []), *found])
        for side, told in other.failed.items():
            self.failed[side] = sorted([*self.failed.get(side, []), *told])[:EXAMPLES]

    def stored(self) -> dict[str, Any]:
        """As plain data."""
        counts = {
            name: [[*key, count] for key, count in getattr(self, name).items()]
            for name in _COUNTS
        }
        return {**counts, "examples": self.examples, "failed": self.failed}

    @classmethod
    def restore(cls, stored: Mapping[str, Any]) -> Self:
        """The same again, from what ``stored`` gave."""
        counts = {
            name: Counter({tuple(key): count for *key, count in stored[name]})
            for name in _COUNTS
        }
        return cls(**counts, examples=stored["examples"], failed=stored["failed"])

    def _award(self, side: str, known: Known, worth: Worth) -> None:
        if worth.failed:
            self.failures[side,] += 1
            told = self.failed.setdefault(side, [])
            if len(told) < EXAMPLES:
                told.append([known.id, worth.failed])
        for award in worth.awards:
            rule = (side, award.rule, award.unit)
            self.awards[side, known.merchant_id, award.unit] += award.granted
            self.granted[rule] += award.granted
            self.wanted[rule] += award.wanted
            self.paid[rule] += award.granted > 0

    def _change(
        self, known: Known, before: Sequence[Granted], after: Sequence[Granted]
    ) -> None:
        had, has = _by_unit(before), _by_unit(after)
        for unit in had.keys() | has.keys():
            change = has[unit] - had[unit]
            if not change:
                continue
            self._changes[unit,] += change
            self.sizes[unit, _size(change)] += 1
            self._tell("purchases", unit, change)
            found = self.examples.setdefault(f"{unit} {_direction(change)}", [])
            example = [abs(change), known.id, had[unit], has[unit]]
            if len(found) < EXAMPLES or _weight(example) > _weight(found[-1]):
                found.append([*example, _differing(unit, before, after)])
                found[:] = _largest(found)

    def _meet(self, member_id: int) -> None:
        """Where another member begins, count the one before."""
        if member_id == self._member:
            return
        if self._member:
            self.purchases["members",] += 1
            for (unit,), change in self._changes.items():
                self._tell("members", unit, change)
            self._changes.clear()
        self._member = member_id

    def _tell(self, what: str, unit: str, change: int) -> None:
        if change:
            self.changed[what, unit, _direction(change)] += 1


_COUNTS = tuple(
    f.name for f in fields(Tally) if f.init and f.default_factory is Counter
)


def _by_unit(awards: Iterable[Granted]) -> Counter[str]:
    sums: Counter[str] = Counter()
    for award in awards:
        sums[award.unit] += award.granted
    return sums


def _differing(
    unit: str, before: Iterable[Granted], after: Iterable[Granted]
) -> list[list[Any]]:
    """The rules that make the change: rule, from, to."""
    had = {a.rule: a.granted for a in before if a.unit == unit}
    has = {a.rule: a.granted for a in after if a.unit == unit}
    return [
        [rule, had.get(rule, 0), has.get(rule, 0)]
        for rule in {**had, **has}
        if had.get(rule, 0) != has.get(rule, 0)
    ]


def _largest(examples: list[list[Any]]) -> list[list[Any]]:
    return nlargest(EXAMPLES, examples, key=_weight)


def _weight(example: Sequence[Any]) -> tuple[int, int]:
    """The greatest change weighs most; of equal ones the earliest purchase."""
    change, purchase, *_ = example
    return change, -purchase


def _direction(change: int) -> str:
    return UP if change > 0 else DOWN


def _size(change: int) -> int:
    digits = len(str(abs(change)))
    return digits if change > 0 else -digits
