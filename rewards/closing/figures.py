"""The figures of a close: every minor unit of commission is in one named bucket.

Members' buckets come from transfers, lots and draws; the rest of the commission from
awards. That the two add up to the commission is therefore a check of the books.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from math import floor
from typing import Any

from rewards.closing.days import Cut
from rewards.closing.positions import (
    MEMBERS,
    RESTS,
    Commission,
    Position,
    commissions,
    positions,
)
from rewards.closing.unit_worths import Worths, worths
from rewards.models import NetworkAccount, Unit

BUCKETS = (*MEMBERS, *RESTS)
ROUNDING = "rounding"
MOST_ROUNDED = len(BUCKETS) - 1
"""Every bucket is rounded down: what is left is at most so many minor units, for each
network account and currency."""


@dataclass(slots=True)
class Sums:
    """One network account in one currency of commission, with what was awarded of it.

    ``posted`` is by unit and bucket, ``awarded`` by unit and what becomes of the rest.
    """

    commission: int = 0
    validated: int = 0
    purchases: int = 0
    rests: dict[str, int] = field(default_factory=lambda: dict.fromkeys(RESTS, 0))
    posted: dict[int, dict[str, int]] = field(default_factory=dict)
    awarded: dict[int, dict[str, int]] = field(default_factory=dict)
    wrong: dict[int, int] = field(default_factory=lambda: defaultdict(int))

    def earn(self, found: Commission) -> None:
        self.commission += found.amount
        self.validated += found.validated
        self.purchases += found.purchases
        self.rests[found.rest] += found.amount

    def place(self, found: Position) -> None:
        unit = found.unit_id
        posted = self.posted.setdefault(unit, dict.fromkeys(MEMBERS, 0))
        for bucket, amount in zip(MEMBERS, found.held, strict=True):
            posted[bucket] += amount
        awarded = self.awarded.setdefault(unit, dict.fromkeys(RESTS, 0))
        awarded[found.rest] += found.awarded
        self.wrong[unit] += found.wrong

    def exactly(self, values: Mapping[int, Fraction]) -> dict[str, Fraction]:
        """What is in each bucket; ``values`` are of the units that have one here."""
        exact = {bucket: Fraction() for bucket in BUCKETS}
        for rest, amount in self.rests.items():
            exact[rest] += amount
        for unit, value in values.items():
            for bucket, amount in self.posted[unit].items():
                exact[bucket] += amount * value
            for rest, amount in self.awarded[unit].items():
                exact[rest] -= amount * value
        return exact


def figures(cut: Cut) -> list[dict[str, Any]]:
    """The figures at this cut, a row for each network account and currency.

    Amounts are minor units; under ``units`` they are smallest steps. A unit whose
    ``worth`` is None has no value in that currency and is counted apart.
    """
    sums: dict[tuple[int, str], Sums] = defaultdict(Sums)
    for commission in commissions(cut):
        sums[commission.account_id, commission.currency].earn(commission)
    for position in positions(cut):
        sums[position.account_id, position.currency].place(position)
    accounts = NetworkAccount.objects.in_bulk({account for account, _ in sums})
    codes = dict(Unit.objects.values_list("id", "code"))
    worth = worths(until=cut.until)
    return [
        {
            "network": accounts[account].network,
            "account": accounts[account].external_id,
            "currency": currency,
            **_row(found, codes, _values(found, worth, currency)),
        }
        for (account, currency), found in sorted(sums.items())
        if found.purchases or found.posted
    ]


def faults(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Where figures don't add up, in sentences; none where the books are right."""
    found = []
    for row in rows:
        where = f"{row['account'] or row['network']}, {row['currency']}"
        total = sum(row["buckets"].values())
        if row["off"] != "0" or total != row["commission"]:
            found.append(
                f"{where}: the buckets are {row['off']} minor units off the commission."
            )
        found += [
            f"{where}: purchases that hold other {unit['unit']} than they were awarded:"
            f" {unit['wrong']}."
            for unit in row["units"]
            if unit["wrong"]
        ]
    return found


def _values(sums: Sums, worth: Worths, currency: str) -> dict[int, Fraction]:
    """What the smallest steps of units are worth here, for those with a worth."""
    return {
        unit: worth[unit][1]
        for unit in sums.posted
        if unit in worth and worth[unit][0] == currency
    }


def _row(
    sums: Sums, codes: Mapping[int, str], values: Mapping[int, Fraction]
) -> dict[str, Any]:
    exact = sums.exactly(values)
    buckets = {bucket: floor(amount) for bucket, amount in exact.items()}
    left = sum(exact.values(), Fraction()) - sum(buckets.values())
    return {
        "commission": sums.commission,
        "validated": sums.validated,
        "purchases": sums.purchases,
        "buckets": {**buckets, ROUNDING: floor(left)},
        "off": str(sums.commission - sum(exact.values(), Fraction())),
        "units": [
            {
                "unit": codes[unit],
                "worth": str(values[unit]) if unit in values else None,
                "held": posted,
                "awarded": sum(sums.awarded[unit].values()),
                "wrong": sums.wrong[unit],
            }
            for unit, posted in sorted(sums.posted.items())
        ],
    }
