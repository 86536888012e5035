"""The figures that people read, from the counts. Pure.

Money is in minor units of its currency: worked out exactly, and rounded once for each
figure, half to even. Shares are exact fractions, as text.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

from merchants.currencies import EXPONENTS
from rewards.backtests.budgets import Burn, Burns
from rewards.backtests.tally import BASELINE, DOWN, DRAFT, UP, Tally
from rewards.program import vocabulary

Programs = Mapping[str, vocabulary.Program]
Costs = Mapping[tuple[Any, ...], Fraction]
"""By side, merchant and currency."""
Stretch = tuple[datetime | None, datetime | None]
SIDES = (BASELINE, DRAFT)
SECOND = timedelta(seconds=1)


def figures(
    tally: Tally,
    programs: Programs,
    *,
    burns: Mapping[str, Burns],
    stretch: Stretch,
) -> dict[str, Any]:
    """What a backtest found: totals by unit and currency, by merchant, rule, budget.

    A budget that lasts is projected to go on as it did on the whole stretch.
    """
    cost = _cost(tally, programs)
    return {
        **{name: tally.purchases[name,] for name in ("earning", "declined", "members")},
        "units": [_unit(code, tally, programs) for code in _all_units(programs)],
        "money": list(_money(tally, cost)),
        "merchants": sorted(_merchants(tally, cost), key=_weight),
        "rules": list(_rules(tally, programs)),
        "budgets": [
            _budget(side, rule, cap, tally, burns[side].get(rule.key), stretch)
            for side in SIDES
            for rule, cap in _budgeted(programs[side])
        ],
        "failed": {
            side: {"count": tally.failures[side,], "examples": tally.failed[side]}
            for side in SIDES
            if tally.failures[side,]
        },
        "estimated": any(_limited(program) for program in programs.values()),
    }


def worth(steps: int, unit: vocabulary.Unit) -> tuple[str, Fraction] | None:
    """A currency, and how much of its minor unit so many steps are worth; None where
    nobody has said what the unit is worth."""
    if unit.code in EXPONENTS:
        return unit.code, Fraction(steps)
    if unit.value is None:
        return None
    scale = Fraction(10 ** EXPONENTS[unit.value.currency], 10**unit.decimals)
    return unit.value.currency, steps * Fraction(unit.value.amount) * scale


def _cost(tally: Tally, programs: Programs) -> Costs:
    cost: dict[tuple[Any, ...], Fraction] = {}
    units = {side: _units(program) for side, program in programs.items()}
    for (side, merchant, unit), steps in tally.awards.items():
        if found := worth(steps, units[side][unit]):
            key = (side, merchant, found[0])
            cost[key] = cost.get(key, Fraction()) + found[1]
    return cost


def _unit(code: str, tally: Tally, programs: Programs) -> dict[str, Any]:
    sums = Counter(dict.fromkeys(SIDES, 0))
    for (side, _, unit), steps in tally.awards.items():
        sums[side] += steps if unit == code else 0
    spec = _all_units(programs)[code]
    return {
        "unit": spec.model_dump(mode="json"),
        "in_money": worth(0, spec) is not None,
        **sums,
        "difference": sums[DRAFT] - sums[BASELINE],
        "purchases": _directions("purchases", tally.purchases["earning",], code, tally),
        "members": _directions("members", tally.purchases["members",], code, tally),
        "sizes": sorted(
            [size, n] for (unit, size), n in tally.sizes.items() if unit == code
        ),
        "gainers": tally.examples.get(f"{code} {UP}", []),
        "losers": tally.examples.get(f"{code} {DOWN}", []),
        "declined": {side: tally.declines[side, code] for side in SIDES},
    }


def _directions(what: str, total: int, unit: str, tally: Tally) -> dict[str, int]:
    up, down = (tally.changed[what, unit, way] for way in (UP, DOWN))
    return {UP: up, DOWN: down, "same": total - up - down}


def _money(tally: Tally, cost: Costs) -> Iterator[dict[str, Any]]:
    commission: Counter[str] = Counter()
    for (_, currency), amount in tally.commission.items():
        commission[currency] += amount
    for currency in sorted({*commission, *(key[2] for key in cost)}):
        costs = dict.fromkeys(SIDES, Fraction())
        for (side, _, spent), part in cost.items():
            costs[side] += part if spent == currency else 0
        yield {
            "currency": currency,
            **_margins(commission[currency], costs),
            "shares": {
                side: _share(spend, commission[currency])
                for side, spend in costs.items()
            },
        }


def _merchants(tally: Tally, cost: Costs) -> Iterator[dict[str, Any]]:
    keys = {*tally.orders, *((merchant, cur) for _, merchant, cur in cost)}
    for merchant, currency in keys:
        costs = {
            side: cost.get((side, merchant, currency), Fraction()) for side in SIDES
        }
        yield {
            "merchant": merchant,
            "currency": currency,
            "purchases": tally.orders[merchant, currency],
            **_margins(tally.commission[merchant, currency], costs),
        }


def _margins(commission: int, costs: Mapping[str, Fraction]) -> dict[str, Any]:
    """Costs, rounded, and what they leave of the commission."""
    rounded = {side: round(costs[side]) for side in SIDES}
    return {
        "commission": commission,
        **rounded,
        "difference": rounded[DRAFT] - rounded[BASELINE],
        "margins": {side: commission - rounded[side] for side in SIDES},
    }


def _weight(row: Mapping[str, Any]) -> tuple[object, ...]:
    """The largest change first, then the most commission."""
    return (
        *(-abs(row["difference"]), -row["commission"]),
        *(row["merchant"] or 0, row["currency"]),
    )


def _rules(tally: Tally, programs: Programs) -> Iterator[dict[str, Any]]:
    """The draft's rules in their order, then those that only the baseline had."""
    labels: dict[tuple[str, str], Any] = {}
    for side in reversed(SIDES):
        for rule in programs[side].rules:
            labels.setdefault((rule.key, rule.unit), rule.label)
    for _, key, unit in sorted(tally.granted):
        labels.setdefault((key, unit), key)
    for (key, unit), label in labels.items():
        yield {
            "rule": key,
            "label": label,
            "unit": unit,
            **{
                side: {
                    "paid": tally.paid[side, key, unit],
                    "granted": tally.granted[side, key, unit],
                    "wanted": tally.wanted[side, key, unit],
                }
                for side in SIDES
            },
        }


def _all_units(programs: Programs) -> dict[str, vocabulary.Unit]:
    """The draft's in their order, then those that only the baseline had."""
    draft = _units(programs[DRAFT])
    return draft | {
        code: unit
        for code, unit in _units(programs[BASELINE]).items()
        if code not in draft
    }


def _units(program: vocabulary.Program) -> dict[str, vocabulary.Unit]:
    return {unit.code: unit for unit in program.units}


def _share(part: Fraction, whole: int) -> str | None:
    return str(part / whole) if whole else None


def _limited(program: vocabulary.Program) -> bool:
    """Whether what came before the stretch could have left less room."""
    return any(
        rule.limits.per_member or rule.limits.per_member_count or rule.limits.budget
        for rule in program.rules
    )


def _budgeted(program: vocabulary.Program) -> Iterator[tuple[vocabulary.Rule, int]]:
    for rule in program.rules:
        if rule.limits.budget:
            yield rule, rule.limits.budget


def _budget(
    side: str,
    rule: vocabulary.Rule,
    cap: int,
    tally: Tally,
    burned: Burn | None,
    stretch: Stretch,
) -> dict[str, Any]:
    used = tally.granted[side, rule.key, rule.unit]
    ends = _instant(burned.second) if burned else _projected(cap, used, stretch)
    return {
        "side": side,
        "rule": rule.key,
        "unit": rule.unit,
        "cap": cap,
        "used": used,
        "burned": burned is not None,
        "ends_at": ends.isoformat() if ends else None,
    }


def _projected(cap: int, used: int, stretch: Stretch) -> datetime | None:
    """When it is used up, if it goes on like this; None where that can't be said."""
    start, end = stretch
    if not (used and start and end):
        return None
    return _instant(int(start.timestamp()) + (end - start) // SECOND * cap // used)


def _instant(second: int) -> datetime | None:
    """None beyond the calendar."""
    try:
        return datetime.fromtimestamp(second, UTC)
    except (ValueError, OverflowError):
        return None
