"""Evaluation once more, from the program file's text alone, to be compared with ours.

Slow and plain on purpose: a program file's JSON, a report and what is known about it
go in, exact fractions are worked out, and no line is shared with ``rewards.program``.
An expression is known by the Python function that its author gives beside it.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

EXPONENT = {"USD": 2, "EUR": 2, "JPY": 0, "KWD": 3}
DAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]

Truth = Callable[[Any, Any], bool]
"""What an expression says of a report and what is known about it; it may raise."""


def evaluate(
    program: Mapping[str, Any],
    report: Any,
    about: Any,
    *,
    room: Mapping[str, int],
    truths: Mapping[str, Truth],
) -> dict[str, tuple[str, int, int, int]]:
    """By rule: its unit, what it wanted, what it is granted, and its days of hold.

    Rules that ask for nothing are left out. Empty where an expression fails.
    """
    try:
        matching = [
            rule
            for rule in program["rules"]
            if _matches(rule, program, report, about, truths)
        ]
    except ArithmeticError:
        return {}
    awards: dict[str, tuple[str, int, int, int]] = {}
    for unit in program["units"]:
        mine = [rule for rule in matching if rule["unit"] == unit["code"]]
        awards |= _of_unit(mine, unit, report, room)
    return awards


def _matches(
    rule: Any, program: Any, report: Any, about: Any, truths: Mapping[str, Truth]
) -> bool:
    when = rule.get("when", {})
    zone = when.get("time_zone") or program.get("time_zone", "UTC")
    if not all(_lists(when, report, about)) or not all(_times(when, report, zone)):
        return False
    if not all(_totals(when, report)):
        return False
    if when.get("first_purchase") and when["first_purchase"] not in about.first:
        return False
    expression = when.get("expression")
    return truths[expression](report, about) if expression else True


def _lists(when: Any, report: Any, about: Any) -> Any:
    country = (report.country or about.country).upper()
    told = {
        "merchants": [report.merchant],
        "merchant_categories": about.merchant_categories,
        "order_categories": [report.category],
        "currencies": [report.order_currency],
        "countries": [country],
        "channels": [report.channel or about.channel],
        "accounts": [report.account],
        "segments": about.segments,
    }
    for name, found in told.items():
        wanted = when.get(name) or list(found) or [""]
        if name == "countries":
            wanted = [code.upper() for code in wanted]
        yield not when.get(name) or any(one in wanted for one in found)


def _times(when: Any, report: Any, zone: str) -> Any:
    at = report.attributed_at
    if when.get("starts_at"):
        yield at >= datetime.fromisoformat(when["starts_at"])
    if when.get("ends_at"):
        yield at < datetime.fromisoformat(when["ends_at"])
    if when.get("weekdays"):
        yield DAYS[at.astimezone(ZoneInfo(zone)).weekday()] in when["weekdays"]


def _totals(when: Any, report: Any) -> Any:
    for name in ("min_order_total", "max_order_total"):
        if name in when:
            if report.order_currency not in EXPONENT:
                yield False
                continue
            scale = 10 ** EXPONENT[report.order_currency]
            total, bound = (
                Fraction(report.order_total or 0, scale),
                Fraction(when[name]),
            )
            yield total >= bound if name == "min_order_total" else total <= bound


def _of_unit(
    rules: list[Any], unit: Any, report: Any, room: Mapping[str, int]
) -> dict[str, tuple[str, int, int, int]]:
    gives = {rule["key"]: _gives(rule, unit, report) for rule in rules}
    rules = _standing([rule for rule in rules if gives[rule["key"]] is not None])
    mode = unit["rounding"]
    asked: dict[str, Fraction] = {}
    given: dict[str, Fraction] = {}

    def settle(rule: Any, exact: Fraction) -> None:
        most = _most(rule, room)
        asked[rule["key"]] = exact
        given[rule["key"]] = exact if most is None else min(exact, Fraction(most))

    kinds = {
        kind: [rule for rule in rules if rule["reward"]["kind"] == kind]
        for kind in ("multiplier", "top_up")
    }
    late = kinds["multiplier"] + kinds["top_up"]
    for rule in rules:
        if rule not in late:
            settle(rule, gives[rule["key"]])
    bases = [rule["key"] for rule in rules if rule["group"] == "base"]
    base = sum((given.get(key, Fraction()) for key in bases), Fraction())
    for rule in kinds["multiplier"]:
        settle(rule, (Fraction(rule["reward"]["factor"]) - 1) * base)
    for rule in kinds["top_up"]:
        least = Fraction(rule["reward"]["points"]) * 10 ** unit["decimals"]
        settle(rule, max(least - sum(given.values()), Fraction()))
    return _rounded(rules, asked, given, mode, room)


def _standing(rules: list[Any]) -> list[Any]:
    overrides = [rule for rule in rules if rule["group"] == "override"]
    if overrides:
        return overrides[:1]
    bases = [
        rule
        for rule in rules
        if rule["group"] == "base" and rule["reward"]["kind"] != "multiplier"
    ]
    return [rule for rule in rules if rule["group"] == "bonus" or rule in bases[:1]]


def _rounded(
    rules: list[Any],
    asked: Mapping[str, Fraction],
    given: Mapping[str, Fraction],
    mode: str,
    room: Mapping[str, int],
) -> dict[str, tuple[str, int, int, int]]:
    awards = {}
    wants = gets = Fraction()
    wanted = granted = 0
    for rule in rules:
        key = rule["key"]
        if not asked[key]:
            continue
        wants, gets = wants + asked[key], gets + given[key]
        want, grant = round_to(wants, mode) - wanted, round_to(gets, mode) - granted
        most = _most(rule, room)
        if most is not None:
            grant = min(grant, most)
        wanted, granted = wanted + want, granted + grant
        awards[key] = (rule["unit"], want, grant, rule.get("hold_days", 0))
    return awards


def _most(rule: Any, room: Mapping[str, int]) -> int | None:
    limits = rule.get("limits")
    if not limits:
        return None
    return room.get(rule["key"], limits.get("per_order"))


def _gives(rule: Any, unit: Any, report: Any) -> Fraction | None:
    """Before limits; None where the rule does not apply. What follows is worth 0."""
    reward, scale = rule["reward"], 10 ** unit["decimals"]
    items = {name: wanted for name, wanted in rule.get("items", {}).items() if wanted}
    lines = [line for line in report.lines if _counts(line, items)]
    if items:
        left = any(line.quantity > 0 and line.total > 0 for line in lines)
    else:
        left = (report.order_total or 0) > 0
    match reward["kind"]:
        case "fixed":
            return Fraction(reward["points"]) * scale if left else None
        case "top_up":
            return Fraction() if left else None
        case "multiplier":
            return Fraction() if left or not items else None
    currency = report.order_currency
    amount, name = report.order_total or 0, "total"
    if reward["of"] == "commission":
        currency, amount, name = report.currency, report.commission or 0, "commission"
    if items:
        amount = sum(getattr(line, name) for line in lines)
        if amount <= 0:
            return None
    if currency not in EXPONENT:
        return None
    major = max(Fraction(amount, 10 ** EXPONENT[currency]), Fraction())
    if reward["kind"] == "share":
        same = currency == unit["code"]
        return Fraction(reward["percent"]) / 100 * major * scale if same else None
    steps = major / Fraction(reward["per"])
    if reward.get("whole"):
        steps = Fraction(steps.numerator // steps.denominator)
    return Fraction(reward["points"]) * scale * steps


def _counts(line: Any, items: Mapping[str, list[str]]) -> bool:
    names = {name.casefold() for name in (*line.categories, *line.subcategories)}
    told = {
        "categories": names,
        "skus": {line.sku},
        "gtins": {line.gtin},
        "attributes": {f"{key}={text}" for key, text in line.attributes},
    }
    for field, wanted in items.items():
        if field == "categories":
            wanted = [name.casefold() for name in wanted]
        if not told[field] & set(wanted):
            return False
    return True


def round_to(exact: Fraction, mode: str) -> int:
    whole = exact.numerator // exact.denominator
    rest = exact - whole
    up = {
        "floor": False,
        "ceil": rest > 0,
        "half_up": rest >= Fraction(1, 2),
        "half_even": rest > Fraction(1, 2) or (rest == Fraction(1, 2) and whole % 2),
    }
    return whole + bool(up[mode])
