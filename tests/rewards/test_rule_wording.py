"""Every part of a rule in plain words, as staff read it."""

from typing import Any

import pytest
from django.utils import translation

from rewards.program import vocabulary, wording
from tests.builders import MERCHANT, fixed, per_amount, program, rule, share

NAMES = {MERCHANT: "Lumen & Oak"}


def said(*, zone: str = "America/New_York", **changes: Any) -> str:
    checked = vocabulary.parse(program(rule(**changes)) | {"time_zone": zone})
    return wording.sentence(checked.rules[0], program=checked, names=NAMES)


def test_a_rule_reads_as_one_plain_sentence() -> None:
    when = {
        "merchants": [MERCHANT],
        "currencies": ["USD"],
        "weekdays": ["sunday"],
        "ends_at": "2026-12-01T05:00:00Z",
    }
    assert said(when=when, reward=per_amount("2")) == (
        "Members shopping at Lumen & Oak on Sundays get 2 points per 1.00 USD of the"
        " order total, until 1 December 2026, 00:00 (America/New_York)."
    )


@pytest.mark.parametrize(
    ("reward", "words"),
    [
        (fixed("1"), "Members get 1 point an order."),
        (fixed("1500"), "Members get 1,500 points an order."),
        (per_amount("0.5"), "Members get 0.5 points per 1.00 of the order total."),
        (
            per_amount("1", "10", whole=True, of="commission"),
            "Members get 1 point per whole 10 of our commission.",
        ),
        (
            {"kind": "top_up", "points": "100"},
            "Members get at least 100 points an order."
            " This adds what the other rules leave missing.",
        ),
    ],
)
def test_each_kind_of_reward_is_said(reward: dict[str, Any], words: str) -> None:
    assert said(reward=reward) == words


def test_cash_is_given_back_in_its_currency() -> None:
    assert said(unit="USD", reward=share("50")) == (
        "Members get back 50 % of our commission, in US dollars cash back."
    )
    assert said(unit="USD", reward=fixed("1.50")) == "Members get 1.50 USD an order."


def test_a_multiplier_says_by_how_much_it_multiplies() -> None:
    reward = {"kind": "multiplier", "factor": "100"}
    assert said(group="bonus", reward=reward, when={"merchants": [MERCHANT]}) == (
        "For members shopping at Lumen & Oak this multiplies the base award by 100,"
        " in points."
    )


@pytest.mark.parametrize(
    ("when", "clause"),
    [
        ({"merchants": ["org-b", MERCHANT]}, "shopping at org-b or Lumen & Oak"),
        ({"merchant_categories": ["HOME"]}, "shopping at stores for HOME"),
        ({"order_categories": ["new-user-order"]}, "who are new to the store"),
        (
            {"order_categories": ["existing-user-order"]},
            "who bought at the store before",
        ),
        ({"currencies": ["USD", "EUR"]}, "paying in USD or EUR"),
        ({"countries": ["US", "CA", "MX"]}, "ordering in US, CA or MX"),
        ({"channels": ["app"]}, "in the app"),
        ({"channels": ["webview"]}, "in a web view"),
        ({"accounts": ["acc-1"]}, "reported in the account acc-1"),
        ({"weekdays": ["monday", "friday"]}, "on Mondays or Fridays"),
        (
            {"weekdays": ["saturday"], "time_zone": "Asia/Tokyo"},
            "on Saturdays (Asia/Tokyo)",
        ),
        (
            {"min_order_total": "25.00", "currencies": ["USD"]},
            "spending at least 25.00 USD",
        ),
        (
            {"max_order_total": "500", "currencies": ["USD", "EUR"]},
            "spending at most 500 USD or EUR",
        ),
        ({"segments": ["gold"]}, "in the segment gold"),
        ({"first_purchase": "ever"}, "on their first order ever"),
        ({"first_purchase": "merchant"}, "on their first order at the store"),
    ],
)
def test_each_condition_is_said(when: dict[str, Any], clause: str) -> None:
    words = f"Members {clause} get 5 points an order."
    assert said(when=when, reward=fixed("5")) == words


def test_times_and_expressions_come_last() -> None:
    when = {
        "starts_at": "2026-11-01T00:00:00-04:00",
        "ends_at": "2026-11-02T12:30:15-05:00",
        "expression": "purchase.order_total > 100",
    }
    assert said(when=when, reward=fixed("5")) == (
        "Members get 5 points an order, from 1 November 2026, 00:00 (America/New_York),"
        " until 2 November 2026, 12:30:15 (America/New_York)."
        " Only when: purchase.order_total > 100"
    )


@pytest.mark.parametrize(
    ("items", "reward", "words"),
    [
        (
            {"categories": ["LIGHTING"]},
            per_amount("2"),
            "2 points per 1.00 of what is paid for items in LIGHTING",
        ),
        (
            {"skus": ["L-1"], "attributes": ["colour=sand"]},
            per_amount("2", of="commission"),
            "2 points per 1.00 of our commission on items with the SKU L-1"
            " with colour=sand",
        ),
        ({"gtins": ["1", "2"]}, fixed("9"), "with items with the GTIN 1 or 2"),
    ],
)
def test_items_are_said_where_they_count(
    items: dict[str, Any], reward: dict[str, Any], words: str
) -> None:
    assert words in said(items=items, reward=reward)


def test_limits_and_terms_follow() -> None:
    limits = {
        "per_order": 500,
        "per_member": {"amount": 5000, "period": "month"},
        "per_member_count": 2,
        "budget": 1_000_000,
    }
    words = said(limits=limits, hold_days=1, expires_after_days=365, group="bonus")
    assert words == (
        "Members get 1 point per 1.00 of the order total."
        " This comes on top of the base award."
        " At most 500 points an order, 5,000 points a member a month,"
        " 2 orders a member, 1,000,000 points in all."
        " It stays pending for 1 day after the order is final."
        " It expires 365 days after it became available."
    )


def test_limits_of_a_currency_are_in_its_major_unit() -> None:
    words = said(unit="USD", reward=share("50"), limits={"per_order": 250})
    assert "At most 2.50 USD an order." in words


def test_an_override_says_that_it_stands_alone() -> None:
    assert "No other rule then gives any points." in said(group="override")


def test_of_very_many_stores_the_first_are_named() -> None:
    when = {"merchants": [f"org-{n}" for n in range(30)]}
    assert "org-5, org-6 or 23 more get" in said(when=when)


def test_figures_are_written_in_the_readers_language() -> None:
    with translation.override("de"):
        assert "1.500,50 points" in said(reward=fixed("1500.50"))


def test_no_condition_goes_unsaid() -> None:
    assert set(wording._ORDER) == set(vocabulary.When.model_fields) - {"time_zone"}
