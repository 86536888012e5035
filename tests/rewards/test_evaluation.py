"""What rules give: pure arithmetic, by example."""

from datetime import datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewards.program.evaluation import NO_ROOM_KNOWN, CompiledProgram, Granted
from rewards.program.facts import NOTHING_KNOWN, About, Facts
from rewards.program.rewards import rounded
from rewards.reports import LineItem
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

pytestmark = pytest.mark.once

MODES = {
    "floor": ROUND_FLOOR,
    "ceil": ROUND_CEILING,
    "half_up": ROUND_HALF_UP,
    "half_even": ROUND_HALF_EVEN,
}


def evaluated(
    *rules: dict[str, Any],
    units: Any = (POINTS, DOLLARS),
    about: About = NOTHING_KNOWN,
    room: Any = NO_ROOM_KNOWN,
    **changes: Any,
) -> list[Granted]:
    data = program(*rules, units=units)
    return CompiledProgram(data).evaluate(Facts(report(**changes), about), room)


def awards(*rules: dict[str, Any], **changes: Any) -> dict[str, int]:
    return {award.rule: award.granted for award in evaluated(*rules, **changes)}


def line(category: str, total: int, **changes: Any) -> LineItem:
    values = {"quantity": 1, "amount": total, "total": total, "commission": total // 10}
    return LineItem(categories=(category,), **{**values, **changes})


def multiplier(factor: str) -> dict[str, Any]:
    return {"kind": "multiplier", "factor": factor}


def top_up(points: str) -> dict[str, Any]:
    return {"kind": "top_up", "points": points}


def bonus(key: str, **changes: Any) -> dict[str, Any]:
    return rule(key, group="bonus", **changes)


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


LAMPS = {"categories": ["lighting"]}
LINES = (line("LIGHTING", 1000), line("HOME", 8100))


def test_only_matching_lines_count() -> None:
    extra = bonus("lamps", items=LAMPS, reward=per_amount("2"))
    assert awards(rule(), extra, lines=LINES) == {"base": 91, "lamps": 20}


def test_without_a_matching_line_the_next_base_has_its_turn() -> None:
    rules = [rule("lamps", items=LAMPS, reward=per_amount("2")), rule("rest")]
    assert awards(*rules, lines=LINES[1:]) == {"rest": 91}
    given_back = (line("LIGHTING", 0, quantity=0), LINES[1])
    assert awards(*rules, lines=given_back) == {"rest": 91}


@pytest.mark.parametrize(
    "items",
    [
        {"categories": ["Lighting"]},
        {"categories": ["floor lamps"]},
        {"skus": ["LAMP-1", "LAMP-2"]},
        {"gtins": ["0123"]},
        {"attributes": ["colour=red", "colour=sand"]},
        {"categories": ["LIGHTING"], "skus": ["LAMP-1"]},
    ],
)
def test_what_a_line_can_be_chosen_by(items: dict[str, Any]) -> None:
    lamp = line(
        "LIGHTING",
        1000,
        subcategories=("Floor Lamps",),
        sku="LAMP-1",
        gtin="0123",
        attributes=(("colour", "sand"),),
    )
    lamps = rule(items=items)
    assert awards(lamps, lines=(lamp, line("HOME", 8100))) == {"base": 10}
    assert awards(lamps, lines=(line("HOME", 8100, sku="lamp-1"),)) == {}


def test_a_multiplier_adds_to_the_base_award_as_granted() -> None:
    double = bonus("double", reward=multiplier("1.5"))
    assert awards(rule(), double) == {"base": 91, "double": 45}
    assert awards(rule(limits={"per_order": 50}), double) == {"base": 50, "double": 25}
    assert awards(double) == {}


def test_a_multiplier_works_before_rounding() -> None:
    # 9.99 and 9.99 more are 19.98.
    rules = [rule(), bonus("double", reward=multiplier("2"))]
    assert awards(*rules, order_total=999) == {"base": 9, "double": 10}


def test_a_multiplier_is_no_base_itself() -> None:
    rules = [rule("double", reward=multiplier("2")), rule("base")]
    assert awards(*rules) == {"base": 91}


def test_a_top_up_comes_after_all_other_rules_of_its_unit() -> None:
    rules = [
        bonus("least", reward=top_up("200")),
        rule(),
        bonus("double", reward=multiplier("2")),
        rule("cash", unit="USD", reward=share("50")),
    ]
    assert awards(*rules) == {"least": 18, "base": 91, "double": 91, "cash": 227}
    assert awards(*rules, order_total=0, commission=0) == {}
    assert awards(*rules, order_total=100_000)["base"] == 1000


def test_limits_cut_and_what_was_wanted_is_kept() -> None:
    [cut] = evaluated(rule(limits={"per_order": 50}))
    assert (cut.wanted, cut.granted) == (91, 50)
    [cut] = evaluated(rule(limits={"budget": 500}), room={"base": 7})
    assert (cut.wanted, cut.granted) == (91, 7)
    [none] = evaluated(rule(limits={"budget": 500}), room={"base": 0})
    assert (none.wanted, none.granted) == (91, 0)


def test_room_says_nothing_to_a_rule_without_limits() -> None:
    assert awards(rule(), room={"base": 7}) == {"base": 91}


def test_a_limit_holds_where_half_rounds_to_even() -> None:
    # 0.5 rounds to 0, and 1.5 to 2: one more than the second rule may give.
    half = POINTS | {"rounding": "half_even"}
    rules = [
        bonus("half", reward=fixed("0.5")),
        bonus("one", reward=fixed("9"), limits={"per_order": 1}),
        bonus("last", reward=fixed("0.5")),
    ]
    assert awards(*rules, units=(half,)) == {"half": 0, "one": 1, "last": 1}


def test_days_until_an_award_is_available_come_with_it() -> None:
    [held] = evaluated(rule(hold_days=30))
    assert held.hold_days == 30


@pytest.mark.parametrize(
    ("when", "holds"),
    [
        ({"merchant_categories": ["home", "garden"]}, True),
        ({"merchant_categories": ["Home"]}, False),
        ({"order_categories": ["new-user-order"]}, True),
        ({"order_categories": ["existing-user-order"]}, False),
        ({"countries": ["us"]}, True),
        ({"countries": ["DE"]}, False),
        ({"channels": ["webview"]}, True),
        ({"channels": ["app"]}, False),
        ({"accounts": ["acc-1"]}, True),
        ({"accounts": ["acc-2"]}, False),
        ({"segments": ["gold", "silver"]}, True),
        ({"segments": ["silver"]}, False),
        ({"first_purchase": "merchant"}, True),
        ({"first_purchase": "ever"}, False),
        ({"weekdays": ["tuesday"]}, True),
        ({"weekdays": ["monday", "wednesday"]}, False),
        ({"expression": "'gold' in member.segments && has(click.at)"}, True),
        ({"expression": "purchase.order_total > 9100"}, False),
    ],
)
def test_conditions_on_what_is_known_besides(when: dict[str, Any], holds: bool) -> None:
    about = About(
        segments=("gold",),
        first=("merchant",),
        merchant_categories=("home",),
        click_at=ORDERED,
        country="us",
        channel="webview",
    )
    assert bool(awards(rule(when=when), about=about)) is holds


@pytest.mark.parametrize(
    ("zone", "at", "day"),
    [
        ("America/New_York", "2026-11-09T04:59:59+00:00", "sunday"),
        ("America/New_York", "2026-11-09T05:00:00+00:00", "monday"),
        # Daylight saving: midnight there is four hours after midnight in UTC.
        ("America/New_York", "2026-07-06T03:59:59+00:00", "sunday"),
        ("America/New_York", "2026-07-06T04:00:00+00:00", "monday"),
        ("Pacific/Kiritimati", "2026-11-08T10:00:00+00:00", "monday"),
    ],
)
def test_a_weekday_is_that_of_the_zone(zone: str, at: str, day: str) -> None:
    when = {"weekdays": [day], "time_zone": zone}
    assert awards(rule(when=when), attributed_at=datetime.fromisoformat(at))


@pytest.mark.parametrize(("least", "holds"), [(2, True), (3, False)])
def test_lines_can_be_counted_by_an_expression(least: int, holds: bool) -> None:
    lamps = f"items.filter(i, i.category == 'LIGHTING').size() >= {least}"
    lines = tuple(LineItem(categories=(c,)) for c in ("LIGHTING", "HOME", "LIGHTING"))
    assert bool(awards(rule(when={"expression": lamps}), lines=lines)) is holds


def test_an_expression_that_fails_pays_nothing_at_all() -> None:
    wrong = bonus("third", when={"expression": "items[2].quantity > 1"})
    compiled = CompiledProgram(program(rule(), wrong))
    matched = compiled.match(Facts(report()))
    assert "“third”" in matched.failed
    assert matched.claims == {}
    assert compiled.grant(matched) == compiled.evaluate(Facts(report())) == []


def test_an_expression_that_fails_is_noticed_in_a_rule_that_would_not_count() -> None:
    second = rule("second", when={"expression": "items[2].quantity > 1"})
    assert awards(rule(), second) == {}


def test_an_expression_is_asked_only_where_all_else_holds() -> None:
    when = {"merchants": ["org-x"], "expression": "items[2].quantity > 1"}
    assert awards(rule(), bonus("elsewhere", when=when)) == {"base": 91}


@given(st.integers(0, 10**9), st.integers(1, 64), st.sampled_from(sorted(MODES)))
def test_rounding_agrees_with_decimal(n: int, d: int, mode: str) -> None:
    eighths = d * 8  # whatever divides a power of two is exact in decimal too
    if eighths & (eighths - 1):
        return
    exact = (Decimal(n) / eighths).quantize(Decimal(1), rounding=MODES[mode])
    assert rounded(n, eighths, mode) == int(exact)
