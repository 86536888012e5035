"""Each finding fires where it should, and stays silent for what is nearly the same."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from merchants.models import Offer
from rewards.linting import WARNING, Finding, findings
from rewards.models import Budget, NetworkAccount, Unit
from rewards.program import vocabulary
from rewards.program.evaluation import CompiledProgram
from rewards.program.facts import Facts
from tests.builders import (
    DOLLARS,
    MERCHANT,
    NOW,
    ORDERED,
    POINTS,
    fixed,
    make_merchant,
    per_amount,
    program,
    publish_program,
    report,
    rule,
    settle_reports,
    share,
)

pytestmark = pytest.mark.django_db
NEW_YORK = {"time_zone": "America/New_York"}
TOYS = "org-toys"
AT_OAK, AT_TOYS = {"merchants": [MERCHANT]}, {"merchants": [TOYS]}
DECEMBER, JANUARY = "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"
FRIDAY = {"starts_at": "2026-12-04T00:00:00Z", "weekdays": ["sunday"]}
SUNDAYS = {"weekdays": ["sunday"]}
FIRST_EVER, FIRST_THERE = {"first_purchase": "ever"}, {"first_purchase": "merchant"}
ENDED = {"ends_at": NOW.isoformat()}
WORTHY = POINTS | {"value": {"amount": "0.01", "currency": "USD"}}


def multiplier(factor: str) -> dict[str, Any]:
    return {"kind": "multiplier", "factor": factor}


def top_up(points: str) -> dict[str, Any]:
    return {"kind": "top_up", "points": points}


def lint(*rules: dict[str, Any], **changes: Any) -> list[Finding]:
    """The findings on a program of these rules."""
    units = changes.pop("units", (WORTHY, DOLLARS))
    data = program(*rules, units=units) | changes
    return findings(vocabulary.parse(data), at=NOW)


def found(code: str, *rules: dict[str, Any], **changes: Any) -> list[str]:
    """The rules for which a check fired, by key."""
    return [one.rule for one in lint(*rules, **changes) if one.code == code]


def bonus(key: str = "extra", **changes: Any) -> dict[str, Any]:
    return rule(key, **{"group": "bonus", **changes})


def test_a_plain_program_has_nothing_to_find() -> None:
    make_merchant()
    settle_reports(report())
    assert (
        lint(rule(), bonus(when=AT_OAK), rule("half", reward=share("50"), unit="USD"))
        == []
    )


@pytest.mark.parametrize(
    ("code", "wrong", "right"),
    [
        ("factor", {"reward": multiplier("100")}, {"reward": multiplier("9.99")}),
        ("factor", {"reward": multiplier("1")}, {"reward": multiplier("1.01")}),
        (
            "percent",
            {"reward": share("100.01"), "unit": "USD"},
            {"reward": share("100"), "unit": "USD"},
        ),
        ("nothing", {"reward": fixed("0.99")}, {"reward": fixed("1")}),
        ("nothing", {"reward": top_up("0.5")}, {"reward": top_up("1")}),
        (
            "nothing",
            {"reward": per_amount("1", "10.00", whole=True)}
            | {"when": {"currencies": ["USD"], "max_order_total": "9.99"}},
            {"reward": per_amount("1", "10.00", whole=True)}
            | {"when": {"currencies": ["USD"], "max_order_total": "10"}},
        ),
        (
            "limits",
            {"limits": {"per_order": 101, "budget": 100}},
            {"limits": {"per_order": 100, "budget": 100}},
        ),
        (
            "limits",
            {"limits": {"per_order": 9, "per_member": {"amount": 8, "period": "day"}}},
            {"limits": {"per_order": 8, "per_member": {"amount": 8, "period": "day"}}},
        ),
        (
            "limits",
            {"limits": {"budget": 7, "per_member": {"amount": 8, "period": "day"}}},
            {"limits": {"budget": 8, "per_member": {"amount": 8, "period": "day"}}},
        ),
        (
            "limits",
            {"reward": fixed("10"), "limits": {"per_order": 9}},
            {"reward": fixed("10"), "limits": {"per_order": 10}},
        ),
        (
            "limits",
            {"reward": top_up("10"), "limits": {"budget": 9}},
            {"reward": per_amount("10"), "limits": {"budget": 9}},
        ),
        (
            "over",
            {"when": {"ends_at": NOW.isoformat()}},
            {"when": {"ends_at": (NOW + timedelta(seconds=1)).isoformat()}},
        ),
        (
            "weekdays",  # Friday 4 and Saturday 5 December
            {"when": FRIDAY | {"ends_at": "2026-12-06T00:00:00Z"}},
            {"when": FRIDAY | {"ends_at": "2026-12-06T00:00:01Z"}},
        ),
        (
            "unknown-merchant",
            {"when": {"merchants": [MERCHANT, "org-typo"]}},
            {"when": AT_OAK},
        ),
        (
            "unknown-merchant-category",
            {"when": {"merchant_categories": ["HOMME"]}},
            {"when": {"merchant_categories": ["HOME"]}},
        ),
        (
            "unknown-account",
            {"when": {"accounts": ["acc-2"]}},
            {"when": {"accounts": ["acc-1"]}},
        ),
        (
            "merchant-category",
            {"when": AT_OAK | {"merchant_categories": ["TOYS"]}},
            {"when": AT_OAK | {"merchant_categories": ["TOYS", "HOME"]}},
        ),
        (
            "currency",
            {"when": {"currencies": ["EUR"]}}
            | {"reward": share("1", "order_total"), "unit": "USD"},
            {"when": {"currencies": ["EUR"]}, "reward": share("1"), "unit": "USD"},
        ),
        (
            "language",
            {"label": {"en": "Extra"}},
            {"label": {"en": "Extra", "es": "Más"}},
        ),
        (
            "weekday-zone",
            {"when": {"weekdays": ["friday"], "time_zone": "Europe/Madrid"}},
            {"when": {"weekdays": ["friday"], "time_zone": "UTC"}},
        ),
        (
            "matches-nothing",
            {"when": {"currencies": ["EUR"]}},
            {"when": {"currencies": ["EUR", "USD"]}},
        ),
        (
            "matches-nothing",  # a rule that is new has had no chance yet
            {"when": {"currencies": ["EUR"], "starts_at": "2026-10-01T00:00:00Z"}},
            {"when": {"currencies": ["EUR"], "starts_at": "2026-11-01T00:00:00Z"}},
        ),
        (
            "multiplier",
            {"reward": multiplier("2"), "group": "base"},
            {"reward": multiplier("2"), "group": "bonus"},
        ),
        (
            "multiplier",  # the base rule pays points
            {"reward": multiplier("2"), "unit": "USD"},
            {"reward": multiplier("2")},
        ),
    ],
)  # fmt: skip
def test_a_rule_alone(code: str, wrong: dict[str, Any], right: dict[str, Any]) -> None:
    make_merchant(categories=["HOME"])
    make_merchant("Toys", external_id=TOYS, categories=["TOYS"])
    settle_reports(report())
    base = rule(label={"en": "Base", "es": "Base"})
    assert found(code, base, bonus(**wrong)) == ["extra"]
    assert found(code, base, bonus(**right)) == []


def test_a_share_of_the_order_above_what_the_store_pays() -> None:
    oak = make_merchant()
    make_merchant("Toys", external_id=TOYS)
    Offer.objects.create(merchant=oak, external_id="1", percent="4.5", since=ORDERED)
    back = {"unit": "USD", "reward": share("4.6", "order_total")}
    (finding,) = [one for one in lint(rule("back", **back)) if one.code == "percent"]
    assert "Lumen & Oak (4.5 %)" in finding.message
    assert found("percent", rule("back", **back, when=AT_TOYS)) == []
    fair = back | {"reward": share("4.5", "order_total")}
    assert found("percent", rule("back", **fair)) == []


def test_a_budget_that_is_used_up() -> None:
    publish_program(rule())
    capped = bonus(limits={"budget": 100})
    points = Unit.objects.get(code="points")
    budget = Budget.objects.create(rule="extra", unit=points, used=99)
    assert found("budget", rule(), capped) == []
    Budget.objects.filter(pk=budget.pk).update(used=100)
    assert found("budget", rule(), capped) == ["extra"]


@pytest.mark.parametrize(
    ("first", "second", "reached"),
    [
        ({}, {}, False),
        ({"when": AT_OAK}, {}, True),
        ({}, {"when": AT_OAK}, False),
        ({"when": AT_OAK}, {"when": AT_OAK}, False),
        ({"when": AT_OAK}, {"when": AT_TOYS}, True),
        ({"when": {"merchant_categories": ["HOME"]}}, {"when": AT_OAK}, False),
        ({"when": {"currencies": ["USD"]}}, {"when": {"currencies": ["EUR"]}}, True),
        ({"when": {"countries": ["us"]}}, {"when": {"countries": ["US"]}}, False),
        ({"when": FIRST_THERE}, {"when": FIRST_EVER}, False),
        ({"when": FIRST_EVER}, {"when": FIRST_THERE}, True),
        ({"when": {"ends_at": DECEMBER}}, {}, True),
        ({"when": {"ends_at": DECEMBER}}, {"when": {"ends_at": DECEMBER}}, False),
        ({"when": SUNDAYS}, {"when": SUNDAYS}, False),
        ({"when": SUNDAYS | {"time_zone": "Asia/Tokyo"}}, {"when": SUNDAYS}, True),
        ({"when": {"expression": "true"}}, {"when": {"expression": "true"}}, False),
        ({"when": {"expression": "true"}}, {}, True),
        ({"items": {"skus": ["A"]}}, {}, True),
        ({"items": {"skus": ["A"]}}, {"items": {"skus": ["A"]}}, False),
        ({"group": "override"}, {"group": "base"}, False),
        ({"group": "bonus"}, {"group": "base"}, True),
        ({"group": "base"}, {"group": "bonus"}, True),
        ({"group": "base"}, {"group": "override"}, True),
        ({"unit": "USD", "reward": per_amount("0.01")}, {}, True),
        ({"when": ENDED}, {"when": ENDED}, True),
    ],
)  # fmt: skip
def test_unreachable(
    first: dict[str, Any], second: dict[str, Any], reached: bool
) -> None:
    make_merchant(categories=["HOME"])
    never = found("unreachable", rule("first", **first), rule("second", **second))
    assert ("second" not in never) == reached


def test_an_override_below_takes_all_the_same() -> None:
    assert found("unreachable", rule(), rule("all", group="override")) == ["base"]
    assert found("unreachable", bonus(), rule("all", group="override")) == ["extra"]


def test_rules_that_take_all_stores_together() -> None:
    both = rule("both", when={"merchants": [MERCHANT, TOYS]})
    oak, toys = rule("oak", when=AT_OAK), rule("toys", when=AT_TOYS)
    assert found("unreachable", oak, toys, both) == ["both"]
    assert found("unreachable", oak, both) == []


def granted_to(*rules: dict[str, Any], merchant: str) -> list[str]:
    """The rules that pay for an order there."""
    facts = Facts(report(merchant=merchant))
    return [award.rule for award in CompiledProgram(program(*rules)).evaluate(facts)]


def test_which_base_wins_where_is_what_the_engine_does() -> None:
    make_merchant()
    make_merchant("Toys", external_id=TOYS)
    rules = (
        rule("oak", when=AT_OAK),
        rule("usd", when={"currencies": ["USD"]}),
        rule("rest"),
    )
    overlaps = [one for one in lint(*rules) if one.code == "overlap"]
    usd, rest = (one.message for one in overlaps)
    assert "“oak” at Lumen & Oak" in usd
    assert "“oak” at Lumen & Oak; “usd” at every store" in rest
    assert granted_to(*rules, merchant=MERCHANT) == ["oak"]
    assert granted_to(*rules, merchant=TOYS) == ["usd"]
    assert found("overlap", rules[0], rule("toys", when=AT_TOYS)) == []


def test_dated_base_rules_that_overlap_say_when() -> None:
    first = rule("first", when={"ends_at": "2027-01-15T00:00:00Z"})
    second = rule("second", when={"starts_at": JANUARY})
    (finding,) = [one for one in lint(first, second) if one.code == "overlap"]
    assert finding.rule == "second"
    assert (
        "“first” at every store, from 1 January 2027, 00:00 (UTC),"
        " until 15 January 2027, 00:00 (UTC)."
    ) in finding.message
    later = rule("second", when={"starts_at": "2027-01-15T00:00:00Z"})
    assert found("overlap", first, later) == []


def test_an_override_shadows_the_bonus_beside_it() -> None:
    make_merchant()
    rules = (
        rule(),
        bonus(),
        rule("flat", group="override", when=AT_OAK, reward=fixed("5")),
    )
    assert found("shadowed", *rules) == ["base", "extra"]
    assert granted_to(*rules, merchant=MERCHANT) == ["flat"]
    assert granted_to(*rules, merchant=TOYS) == ["base", "extra"]
    assert found("shadowed", rule(when=AT_TOYS), rules[2]) == []


@pytest.mark.parametrize(
    ("code", "second"),
    [
        ("gap", {"when": {"starts_at": "2027-01-01T00:00:01Z"}}),
        (None, {"when": {"starts_at": JANUARY}}),
        (None, {}),
        ("ends", {"when": AT_TOYS | {"starts_at": JANUARY}}),
        ("ends", {"group": "bonus"}),
        ("ends", {"unit": "USD", "reward": share("50")}),
        ("ends", {"when": {"ends_at": "2026-12-31T00:00:00Z"}}),
    ],
)
def test_what_follows_a_base_rule_that_ends(
    code: str | None, second: dict[str, Any]
) -> None:
    first = rule("first", when={"ends_at": JANUARY})
    told = {
        one.code
        for one in lint(first, rule("second", **second))
        if one.code in ("gap", "ends") and one.rule == "first"
    }
    assert told == ({code} if code else set())


def test_a_gap_is_told_in_the_programs_time_zone() -> None:
    first = rule("first", when={"ends_at": "2026-12-01T05:00:00Z"})
    second = rule("second", when={"starts_at": "2026-12-02T05:00:00Z"})
    (gap,) = [one for one in lint(first, second, **NEW_YORK) if one.code == "gap"]
    assert "1 December 2026, 00:00 (America/New_York)" in gap.message
    assert "2 December 2026, 00:00 (America/New_York)" in gap.message


@pytest.mark.parametrize(
    ("code", "at"),
    [
        ("midnight", "2026-12-01T00:00:00Z"),
        ("midnight", "2026-12-01T00:00:00-04:00"),  # summer time, in winter
        ("midnight", "2026-11-30T19:00:00-05:00"),  # midnight UTC, as a form stores it
        (None, "2026-12-01T00:00:00-05:00"),
        (None, "2026-12-01T09:00:00-05:00"),
        ("clock-change", "2027-11-07T01:30:00-04:00"),
        (None, "2027-11-07T02:30:00-05:00"),
        (None, "2027-03-14T01:30:00-05:00"),
    ],
)
def test_edges_of_days(code: str | None, at: str) -> None:
    told = {
        one.code: one
        for one in lint(rule(), bonus(when={"starts_at": at}), **NEW_YORK)
        if one.code in ("midnight", "clock-change")
    }
    assert set(told) == ({code} if code else set())


def test_the_remedy_for_a_wrong_midnight_is_the_right_one() -> None:
    late = bonus(when={"ends_at": DECEMBER})
    (finding,) = [
        one for one in lint(rule(), late, **NEW_YORK) if one.code == "midnight"
    ]
    assert "30 November 2026, 19:00 (America/New_York)" in finding.message
    assert "1 December 2026, 00:00 (America/New_York)" in finding.remedy


def test_listed_stores_without_a_rule() -> None:
    make_merchant()
    toys = make_merchant("Toys", external_id=TOYS)
    (finding,) = [
        one for one in lint(rule(when=AT_OAK)) if one.code == "store-without-rule"
    ]
    assert "At 1 store that members see no rule pays: Toys." in finding.message
    assert found("store-without-rule", rule(when=AT_OAK), bonus(when=AT_TOYS)) == []
    doubled = bonus(when=AT_TOYS, reward=multiplier("2"))
    assert found("store-without-rule", rule(when=AT_OAK), doubled) == [""]
    toys.listing = "never"
    toys.save()
    assert found("store-without-rule", rule(when=AT_OAK)) == []


def test_currencies_that_orders_have() -> None:
    settle_reports(report(order_currency="EUR", currency="EUR"))
    dollars = rule(when={"currencies": ["USD"]})
    assert found("currency-without-rule", dollars) == [""]
    assert found("currency-without-rule", rule()) == []
    assert found("currency-without-unit", rule()) == [""]
    assert found("currency-without-unit", rule(), units=[WORTHY]) == []


def test_the_currency_of_a_new_account_counts_before_its_first_order() -> None:
    dollars = rule(when={"currencies": ["USD"]})
    assert found("currency-without-rule", dollars) == []
    NetworkAccount.objects.create(
        network="button", external_id="acc-9", currency="GBP", first_seen_at=NOW
    )
    assert found("currency-without-rule", dollars) == [""]


def test_a_unit_without_worth() -> None:
    assert found("unit-without-worth", rule(), units=[POINTS, DOLLARS]) == [""]
    assert found("unit-without-worth", rule()) == []


def test_orders_that_would_cost_more_than_they_bring() -> None:
    settle_reports(
        report(commission=91),
        report(order_id="btnorder-2", transaction_id="tx-2", commission=80),
        report(order_id="btnorder-3", transaction_id="tx-3", status="declined"),
    )
    (finding,) = [one for one in lint(rule()) if one.code == "above-commission"]
    assert "1 of the latest 2 orders" in finding.message
    assert "btnorder-2 gets $0.91 for $0.80" in finding.message
    assert found("above-commission", rule(), units=[POINTS, DOLLARS]) == []
    assert found("above-commission", rule(limits={"per_order": 80})) == []
    cash = rule("cash", unit="USD", reward=share("1", "order_total"))
    assert found("above-commission", rule(), cash) == [""]


def test_an_expression_that_fails_for_a_real_order() -> None:
    settle_reports(report())
    fails = bonus(when={"expression": "items[0].total > 100"})
    (finding,) = [one for one in lint(rule(), fails) if one.code == "expression"]
    assert "btnorder-1" in finding.message
    assert "extra" in finding.message
    safe = bonus(when={"expression": "size(items) > 0 && items[0].total > 100"})
    assert found("expression", rule(), safe) == []


def test_warnings_come_first_and_then_the_rules_in_order() -> None:
    told = lint(
        rule(label={"en": "a", "es": "b"}),
        bonus("two", reward=multiplier("100")),
        bonus("one", reward=fixed("0.1")),
    )
    assert [(one.severity == WARNING, one.rule) for one in told] == [
        *((True, "two"), (True, "one")),
        *((False, "two"), (False, "one")),
    ]
    assert all(one.message and one.remedy for one in told)


def test_more_orders_and_rules_cost_no_more_queries() -> None:
    def count(*rules: dict[str, Any]) -> int:
        with CaptureQueriesContext(connection) as queries:
            lint(*rules)
        return len(queries)

    make_merchant(categories=["HOME"])
    settle_reports(report())
    few = count(rule())
    settle_reports(
        *(report(order_id=f"o-{n}", transaction_id=f"t-{n}") for n in range(9))
    )
    many = [bonus(f"r{n}", when=AT_OAK, limits={"budget": 9}) for n in range(9)]
    assert count(rule(), *many) == few == 5
