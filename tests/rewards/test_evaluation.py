"""What rules give: pure arithmetic, against examples and an independent model."""

from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewards.program.evaluation import CompiledProgram
from rewards.program.rewards import rounded
from rewards.reports import PurchaseReport
from tests.builders import (
    DOLLARS,
    MERCHANT,
    ORDERED,
    POINTS,
    fixed,
    per_amount,
    program,
    report,
    rule,
    share,
)

EXPONENT = {"USD": 2, "EUR": 2, "JPY": 0, "KWD": 3}
MODES = {
    "floor": ROUND_FLOOR,
    "ceil": ROUND_CEILING,
    "half_up": ROUND_HALF_UP,
    "half_even": ROUND_HALF_EVEN,
}


def awards(*rules: dict[str, Any], units: Any = None, **changes: Any) -> dict[str, int]:
    data = program(*rules, units=units or (POINTS, DOLLARS))
    granted = CompiledProgram(data).evaluate(report(**changes))
    return {award.rule: award.granted for award in granted}


def test_points_per_major_unit() -> None:
    assert awards(rule()) == {"base": 91}


@pytest.mark.parametrize(
    ("currency", "total", "points"),
    [("USD", 9199, 91), ("JPY", 9199, 9199), ("KWD", 9199, 9)],
)
def test_the_currency_decides_what_a_major_unit_is(
    currency: str, total: int, points: int
) -> None:
    assert awards(rule(), order_total=total, order_currency=currency) == {
        "base": points
    }


def test_whole_steps_only() -> None:
    whole = rule(reward=per_amount("5", "10.00", whole=True))
    assert awards(whole, order_total=9999) == {"base": 45}
    assert awards(rule(reward=per_amount("5", "10.00")), order_total=9999) == {
        "base": 49
    }


def test_a_share_goes_into_its_own_currency_only() -> None:
    half = rule(unit="USD", reward=share("50"))
    assert awards(half, commission=455) == {"base": 227}
    assert awards(half, commission=455, currency="EUR") == {}


def test_a_fixed_reward_needs_something_left_to_reward() -> None:
    gift = rule(reward=fixed("5"))
    assert awards(gift) == {"base": 5}
    assert awards(gift, order_total=0) == awards(gift, order_total=-1) == {}


def test_points_in_a_currency_unit_mean_its_major_unit() -> None:
    assert awards(rule(unit="USD", reward=fixed("1.50"))) == {"base": 150}


def test_nothing_is_ever_taken_by_a_negative_amount() -> None:
    assert awards(rule(), order_total=-500) == {}
    assert awards(rule(unit="USD", reward=share("50")), commission=-3) == {}


def test_an_override_stands_alone_in_its_own_unit() -> None:
    rules = [
        rule("base"),
        rule("bonus", group="bonus", reward=fixed("3")),
        rule("alone", group="override", reward=fixed("7")),
        rule("alone-too", group="override", reward=fixed("8")),
        rule("cash", unit="USD", reward=share("50")),
    ]
    assert awards(*rules) == {"alone": 7, "cash": 227}


def test_the_first_base_wins_and_every_bonus_adds() -> None:
    rules = [
        rule("other-store", when={"merchants": ["org-x"]}),
        rule("first"),
        rule("second", reward=fixed("1000")),
        rule("plus", group="bonus", reward=fixed("3")),
        rule("more", group="bonus", reward=fixed("4")),
    ]
    assert awards(*rules) == {"first": 91, "plus": 3, "more": 4}


def test_a_share_that_does_not_apply_leaves_room_for_the_next_base() -> None:
    rules = [
        rule("cash", unit="USD", reward=share("50")),
        rule("gift", unit="USD", reward=fixed("1")),
    ]
    assert awards(*rules, currency="EUR") == {"gift": 100}


@pytest.mark.parametrize(
    ("when", "holds"),
    [
        ({}, True),
        ({"merchants": [MERCHANT]}, True),
        ({"merchants": []}, True),
        ({"merchants": ["org-x"]}, False),
        ({"currencies": ["USD", "EUR"]}, True),
        ({"currencies": ["EUR"]}, False),
        ({"starts_at": ORDERED.isoformat()}, True),
        ({"ends_at": ORDERED.isoformat()}, False),
        ({"currencies": ["USD"], "min_order_total": "91"}, True),
        ({"currencies": ["USD"], "min_order_total": "91.01"}, False),
        ({"currencies": ["USD"], "max_order_total": "91.00"}, True),
        ({"currencies": ["USD"], "max_order_total": "90.999"}, False),
    ],
)
def test_conditions_and_their_edges(when: dict[str, Any], holds: bool) -> None:
    assert bool(awards(rule(when=when))) is holds


def test_an_offset_is_the_same_instant() -> None:
    # 07:00 in New York is noon in UTC.
    starts = {"starts_at": "2026-11-10T07:00:00-05:00"}
    assert awards(rule(when=starts)) == {"base": 91}


def test_awards_add_up_to_the_rounded_total() -> None:
    thirds = [
        rule(f"r{n}", group="bonus", reward=per_amount("1", "3.00")) for n in range(3)
    ]
    assert awards(*thirds, order_total=100) == {"r0": 0, "r1": 0, "r2": 1}


numbers = st.decimals(Decimal("0.001"), Decimal("999"), places=3).map(
    lambda d: format(d.normalize(), "f")
)
amounts = st.integers(-(10**6), 10**9)
currencies = st.sampled_from(sorted(EXPONENT))
rewards = st.one_of(
    st.builds(fixed, numbers),
    st.builds(
        per_amount,
        numbers,
        numbers,
        of=st.sampled_from(["order_total", "commission"]),
        whole=st.booleans(),
    ),
    st.builds(share, numbers, st.sampled_from(["order_total", "commission"])),
)


@st.composite
def rule_sets(draw: st.DrawFn) -> list[dict[str, Any]]:
    rules = []
    for n in range(draw(st.integers(1, 7))):
        reward = draw(rewards)
        unit = "USD" if reward["kind"] == "share" else draw(units_named)
        when: dict[str, Any] = {}
        if draw(st.booleans()):
            when["currencies"] = draw(st.lists(currencies, min_size=1, unique=True))
            when["min_order_total"] = draw(numbers)
        group = draw(st.sampled_from(["override", "base", "bonus"]))
        rules.append(rule(f"r{n}", group=group, unit=unit, when=when, reward=reward))
    return rules


units_named = st.sampled_from(["points", "USD"])


@given(
    rules=rule_sets(),
    mode=st.sampled_from(sorted(MODES)),
    totals=st.tuples(amounts, currencies, amounts, currencies),
)
def test_it_agrees_with_an_independent_model(
    rules: list[dict[str, Any]], mode: str, totals: tuple[int, str, int, str]
) -> None:
    total, order_currency, commission, currency = totals
    told = report(
        order_total=total,
        order_currency=order_currency,
        commission=commission,
        currency=currency,
    )
    units = [unit | {"rounding": mode} for unit in (POINTS, DOLLARS)]
    data = program(*rules, units=units)
    found = CompiledProgram(data).evaluate(told)
    expected = _model(data, told)
    assert {(a.rule, a.granted) for a in found if a.granted} == expected
    assert all(a.granted == a.wanted >= 0 for a in found)


def _model(data: dict[str, Any], told: PurchaseReport) -> set[tuple[str, int]]:
    """The program file's text, read again and worked out with Fractions alone."""
    expected = set()
    for unit in data["units"]:
        mine = [
            (r, x)
            for r in data["rules"]
            if r["unit"] == unit["code"] and (x := _gives(r, unit, told)) is not None
        ]
        overrides = [pair for pair in mine if pair[0]["group"] == "override"]
        bases = [pair for pair in mine if pair[0]["group"] == "base"]
        kept = overrides[:1] or [
            pair for pair in mine if pair[0]["group"] == "bonus" or pair == bases[0]
        ]
        before, running = 0, Fraction()
        for one, exact in kept:
            running += exact
            after = _round(running, unit["rounding"])
            expected.add((one["key"], after - before))
            before = after
    return {pair for pair in expected if pair[1]}


def _gives(
    one: dict[str, Any], unit: dict[str, Any], told: PurchaseReport
) -> Fraction | None:
    when, reward = one["when"], one["reward"]
    total = Fraction(told.order_total or 0, 10 ** EXPONENT[told.order_currency])
    if when and (
        told.order_currency not in when["currencies"]
        or total < Fraction(when["min_order_total"])
    ):
        return None
    scale = 10 ** unit["decimals"]
    if reward["kind"] == "fixed":
        return Fraction(reward["points"]) * scale if total > 0 else None
    commission = Fraction(told.commission or 0, 10 ** EXPONENT[told.currency])
    of_total = reward["of"] == "order_total"
    amount = max(total if of_total else commission, Fraction(0))
    if reward["kind"] == "share":
        own = told.order_currency if of_total else told.currency
        if own != unit["code"]:
            return None
        return Fraction(reward["percent"]) / 100 * amount * scale
    steps = amount / Fraction(reward["per"])
    if reward["whole"]:
        steps = Fraction(steps.numerator // steps.denominator)
    return Fraction(reward["points"]) * scale * steps


def _round(value: Fraction, mode: str) -> int:
    whole = value.numerator // value.denominator
    rest = value - whole
    up = {
        "floor": False,
        "ceil": rest > 0,
        "half_up": rest >= Fraction(1, 2),
        "half_even": rest > Fraction(1, 2) or (rest == Fraction(1, 2) and whole % 2),
    }
    return whole + bool(up[mode])


@given(st.integers(0, 10**9), st.integers(1, 64), st.sampled_from(sorted(MODES)))
def test_rounding_agrees_with_decimal(n: int, d: int, mode: str) -> None:
    eighths = d * 8  # whatever divides a power of two is exact in decimal too
    if eighths & (eighths - 1):
        return
    exact = (Decimal(n) / eighths).quantize(Decimal(1), rounding=MODES[mode])
    assert rounded(n, eighths, mode) == int(exact)
