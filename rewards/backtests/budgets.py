"""When a budget that all members share would have been used up. Pure.

Members are worked on apart, by any number of processes, so nobody sees a budget as a
whole. So a first round grants as if there were no budgets, and writes down what each
rule with one gave to which purchase. Joined and sorted by time, that tells at which
purchase the budget ends. A second round gives what was left to that one, and nothing
to any later one.
"""

from array import array
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple
from zlib import compress, decompress

from rewards.program import vocabulary

HOUR = 3600


class Burn(NamedTuple):
    """Where a budget ends: the second (Unix time) and id of a purchase, and what was
    left for it, in the unit's smallest step."""

    second: int
    purchase: int
    left: int

    def room(self, second: int, purchase: int) -> int | None:
        """The most that a purchase may get; None where the budget sets no bound."""
        if (second, purchase) < (self.second, self.purchase):
            return None
        return self.left if purchase == self.purchase else 0


Burns = Mapping[str, Burn]
"""By rule. A rule that is not in it never comes to the end of its budget."""


class Spending:
    """What one rule gave: second, purchase and amount, three integers each."""

    def __init__(self, packed: str = "") -> None:
        self._values = array("q", decompress(b64decode(packed)) if packed else b"")

    def add(self, second: int, purchase: int, amount: int) -> None:
        self._values.extend((second, purchase, amount))

    def packed(self) -> str:
        """As text that JSON can hold; a new one made of it is the same again."""
        return b64encode(compress(self._values.tobytes())).decode()

    def __iter__(self) -> Iterator[tuple[int, int, int]]:
        values = iter(self._values)
        return zip(values, values, values, strict=True)


def caps(rules: Iterable[vocabulary.Rule]) -> dict[str, int]:
    """The budgets among these rules, by key, in the unit's smallest step."""
    return {rule.key: rule.limits.budget for rule in rules if rule.limits.budget}


def burn(cap: int, parts: Iterable[Spending]) -> Burn | None:
    """Where so large a budget ends; None where it lasts.

    By the hour first, so that only one hour's purchases have to be sorted.
    """
    spendings = list(parts)
    hours: Counter[int] = Counter()
    for second, _, amount in _all(spendings):
        hours[second // HOUR] += amount
    used = 0
    for hour in sorted(hours):
        if used + hours[hour] >= cap:
            return _within(hour, cap - used, spendings)
        used += hours[hour]
    return None


def _within(hour: int, left: int, parts: Iterable[Spending]) -> Burn | None:
    for second, purchase, amount in sorted(
        row for row in _all(parts) if row[0] // HOUR == hour
    ):
        if amount >= left:
            return Burn(second, purchase, left)
        left -= amount
    return None


def _all(parts: Iterable[Spending]) -> Iterator[tuple[int, int, int]]:
    for part in parts:
        yield from part
