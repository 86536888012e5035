"""Programs and orders at random, within what a program file may say.

Values are few and near each other's edges, so that rules meet orders often.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from rewards.program.facts import About
from rewards.reports import LineItem, PurchaseReport
from tests.builders import report
from tests.rewards.reference import DAYS, Truth

CURRENCIES = ("USD", "USD", "EUR", "JPY", "KWD")
ZONES = ("UTC", "America/New_York", "Europe/Madrid", "Pacific/Kiritimati")
MERCHANTS = ("org-1", "org-2", "org-3")
CATEGORIES = ("LIGHTING", "Home", "STRASSE", "straße")
SEGMENTS = ("gold", "new")
COUNTRIES = ("US", "DE")
MODES = ("floor", "ceil", "half_up", "half_even")
# Around the two nights in which New York changes its clocks.
INSTANTS = [
    datetime(2026, *day, tzinfo=UTC) + timedelta(hours=hour, seconds=second)
    for day in ((3, 8), (11, 1))
    for hour in (0, 4, 5, 6, 22)
    for second in (-1, 0)
]


def _fails(report: Any, about: Any) -> bool:
    if len(report.lines) < 2:
        raise ArithmeticError
    return report.lines[1].quantity > 1


TRUTHS: Mapping[str, Truth] = {
    "purchase.order_total > 1000": lambda r, a: (r.order_total or 0) > 1000,
    "'gold' in member.segments && has(click.at)": (
        lambda r, a: "gold" in a.segments and a.click_at is not None
    ),
    "items.exists(item, item.quantity > 1 && item.total >= 500)": (
        lambda r, a: any(i.quantity > 1 and i.total >= 500 for i in r.lines)
    ),
    "items.all(item, !('LIGHTING' in item.categories))": (
        lambda r, a: not any("LIGHTING" in i.categories for i in r.lines)
    ),
    "purchase.country == 'US' || click.reference.startsWith('ad-')": (
        lambda r, a: (
            (r.country or a.country) == "US" or a.click_reference.startswith("ad-")
        )
    ),
    "items[1].quantity > 1": _fails,
}


def program(chance: Random) -> dict[str, Any]:
    """A program file's data."""
    units = [
        {"code": "points", "name": "point", "name_plural": "points", "decimals": 0},
        {"code": "stars", "name": "star", "name_plural": "stars", "decimals": 2},
        {"code": "USD", "name": "dollar", "name_plural": "dollars", "decimals": 2},
        {"code": "JPY", "name": "yen", "name_plural": "yen", "decimals": 0},
    ]
    units = [unit | {"rounding": chance.choice(MODES)} for unit in units]
    rules = [_rule(chance, f"r{n}") for n in range(chance.randrange(1, 10))]
    zone = chance.choice(ZONES)
    return {"format": 1, "time_zone": zone, "units": units, "rules": rules}


def _rule(chance: Random, key: str) -> dict[str, Any]:
    reward = _reward(chance)
    units = (
        ("USD", "JPY") if reward["kind"] == "share" else ("points",) * 5 + ("stars",)
    )
    rule = {
        "key": key,
        "label": key,
        "group": chance.choice(["base"] * 4 + ["bonus"] * 6 + ["override"]),
        "unit": chance.choice(units),
        "reward": reward,
    }
    parts = {"when": _when(chance), "items": _items(chance), "limits": _limits(chance)}
    rule |= {name: part for name, part in parts.items() if part}
    return rule | ({"hold_days": 30} if chance.random() < 0.1 else {})


def _number(chance: Random) -> str:
    return chance.choice(["1", "2", "0.5", "0.333", "1.50", "7", "0.015", "100"])


def _reward(chance: Random) -> dict[str, Any]:
    of = chance.choice(["order_total", "commission"])
    whole = {"whole": True} if chance.random() < 0.3 else {}
    points, per = _number(chance), _number(chance)
    double = {"kind": "multiplier", "factor": chance.choice(["1", "1.5", "2", "3.333"])}
    rewards = [
        double,
        double,
        {"kind": "fixed", "points": points},
        {"kind": "per_amount", "points": points, "per": per, "of": of, **whole},
        {"kind": "per_amount", "points": points, "per": per, "of": of, **whole},
        {"kind": "share", "percent": points, "of": of},
        {"kind": "top_up", "points": chance.choice(["0.5", "20", "100"])},
    ]
    return chance.choice(rewards)


def _some(chance: Random, values: Sequence[str]) -> list[str]:
    return chance.sample(values, chance.randrange(1, len(values) + 1))


def _when(chance: Random) -> dict[str, Any]:
    start, end = sorted(chance.sample(INSTANTS, 2))
    low, high = sorted([chance.choice([0, 5, 9, 10]), chance.choice([10, 50, 91])])
    several = [
        {"merchants": _some(chance, MERCHANTS)},
        {"merchant_categories": _some(chance, SEGMENTS)},
        {"order_categories": ["new-user-order"]},
        {"currencies": _some(chance, ("USD", "EUR", "JPY", "KWD"))},
        {"currencies": ["USD", "JPY"], "min_order_total": f"{low}.005"},
        {"currencies": ["USD", "KWD"], "max_order_total": f"{high}.005"},
        {"countries": [chance.choice(["us", "US", "de"])]},
        {"channels": ["app"]},
        {"accounts": ["acc-1"]},
        {"starts_at": start.isoformat()},
        {"starts_at": start.isoformat(), "ends_at": end.isoformat()},
        {"weekdays": _some(chance, DAYS)},
        {"weekdays": _some(chance, DAYS), "time_zone": chance.choice(ZONES)},
        {"segments": _some(chance, SEGMENTS)},
        {"first_purchase": chance.choice(["ever", "merchant"])},
        {"expression": chance.choice(list(TRUTHS))},
        {"expression": chance.choice(list(TRUTHS))},
    ]
    when: dict[str, Any] = {}
    for one in chance.sample(several, chance.choice([0, 0, 0, 1, 1, 2, 3])):
        when |= {name: value for name, value in one.items() if name not in when}
    return when


def _items(chance: Random) -> dict[str, Any]:
    if chance.random() < 0.6:
        return {}
    several = [
        {"categories": [chance.choice(["lighting", "HOME", "STRASSE", "straße"])]},
        {"skus": _some(chance, ("A", "B"))},
        {"gtins": ["01"]},
        {"attributes": [chance.choice(["colour=red", "note=a=b"])]},
        {"categories": ["lighting", "home"], "skus": ["A", "B"]},
    ]
    return chance.choice(several)


def _limits(chance: Random) -> dict[str, Any]:
    if chance.random() < 0.5:
        return {}
    several = [
        {"per_order": chance.choice([1, 7, 50])},
        {"budget": chance.choice([1, 20, 200])},
        {"per_member": {"amount": chance.choice([3, 40]), "period": "month"}},
        {"per_member_count": chance.choice([1, 2])},
    ]
    limits: dict[str, Any] = {}
    for one in chance.sample(several, chance.randrange(1, 4)):
        limits |= one
    return limits


def order(chance: Random) -> PurchaseReport:
    """What a network reports; totals may be missing, zero or negative."""
    lines = tuple(_line(chance) for _ in range(chance.randrange(4)))
    told = sum(line.total for line in lines) or chance.randrange(20_000)
    total = chance.choice([told, told, told, 0, -500, None, 1000, 1001, 9100])
    return report(
        merchant=chance.choice(MERCHANTS),
        account=chance.choice(["acc-1", "acc-2"]),
        category=chance.choice(["new-user-order", "existing-user-order"]),
        currency=chance.choice([*CURRENCIES, "XTS"]),
        commission=chance.choice([None, 0, -3, 455, chance.randrange(2000)]),
        order_currency=chance.choice([*CURRENCIES, ""]),
        order_total=total,
        lines=lines,
        country=chance.choice(["", *COUNTRIES]),
        channel=chance.choice(["", "app", "webview"]),
        attributed_at=chance.choice(INSTANTS),
    )


def _line(chance: Random) -> LineItem:
    quantity = chance.choice([0, 1, 1, 2, 5])
    amount = chance.choice([0, 99, 1000, chance.randrange(5000)])
    return LineItem(
        sku=chance.choice(["A", "B", ""]),
        gtin=chance.choice(["01", ""]),
        categories=tuple(_some(chance, CATEGORIES)),
        subcategories=("Home",) if chance.random() < 0.2 else (),
        quantity=quantity,
        amount=amount,
        total=chance.choice([amount * quantity] * 4 + [-amount, amount]),
        commission=chance.choice([amount // 10, 0, -5]),
        attributes=chance.choice([(), (("colour", "red"),), (("note", "a=b"),)]),
    )


def about(chance: Random) -> About:
    return About(
        customer_id="alice",
        segments=tuple(chance.sample(SEGMENTS, chance.randrange(3))),
        first=chance.choice([(), ("merchant",), ("ever", "merchant")]),
        merchant_categories=tuple(chance.sample(SEGMENTS, chance.randrange(3))),
        click_at=chance.choice([None, INSTANTS[0]]),
        click_reference=chance.choice(["", "ad-1"]),
        country=chance.choice(["", "us", "US"]),
        channel=chance.choice(["", "app"]),
    )


def neighbour(chance: Random, report: PurchaseReport) -> PurchaseReport:
    """An order that differs in one thing by which rules are looked up."""
    other = order(chance)
    names = ("merchant", "order_currency", "category", "account", "attributed_at")
    name = chance.choice(names)
    return replace(report, **{name: getattr(other, name)})


def room(chance: Random, program: Mapping[str, Any]) -> dict[str, int]:
    """What is left to some of the rules that have limits."""
    return {
        rule["key"]: chance.choice([0, 1, 5, 1000])
        for rule in program["rules"]
        if "limits" in rule and chance.random() < 0.7
    }


def returned(chance: Random, whole: PurchaseReport) -> PurchaseReport:
    """The same order with some of what is kept given back."""
    lines = tuple(_fewer(chance, line) for line in whole.lines)
    kept = sum(line.total for line in lines)
    bought = sum(line.total for line in whole.lines)
    total, commission = whole.order_total or 0, whole.commission or 0
    if bought > 0 and total > 0:
        total, commission = total * kept // bought, commission * kept // bought
    return replace(whole, lines=lines, order_total=total, commission=commission)


def _fewer(chance: Random, line: LineItem) -> LineItem:
    if line.quantity <= 0:
        return line
    quantity = chance.randrange(line.quantity + 1)
    return replace(
        line,
        quantity=quantity,
        total=line.total * quantity // line.quantity,
        commission=line.commission * quantity // line.quantity,
    )
