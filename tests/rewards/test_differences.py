"""What changes from one program to another, in words that staff would use."""

from typing import Any

import pytest

from rewards.program import vocabulary
from rewards.program.differences import differences
from rewards.program.evaluation import CompiledProgram
from rewards.program.facts import Facts
from tests.builders import (
    DOLLARS,
    MERCHANT,
    POINTS,
    fixed,
    per_amount,
    program,
    report,
    rule,
    share,
)

NAMES = {MERCHANT: "Lumen & Oak"}
NEW_YORK = {"time_zone": "America/New_York"}
SUNDAYS = {
    "merchants": [MERCHANT],
    "weekdays": ["sunday"],
    "ends_at": "2026-12-01T00:00:00-05:00",
}


def said(before: Any, after: Any) -> list[str]:
    old = None if before is None else vocabulary.parse(before)
    return differences(old, vocabulary.parse(after), names=NAMES)


def of_rule(before: dict[str, Any], after: dict[str, Any], **changes: Any) -> list[str]:
    """What changes where one rule does."""
    return said(program(rule(**before)) | changes, program(rule(**after)) | changes)


def test_the_same_program_differs_in_nothing() -> None:
    assert said(program(rule(when=SUNDAYS)), program(rule(when=SUNDAYS))) == []


def test_a_reward_that_changes_is_one_sentence() -> None:
    assert of_rule(
        {"when": SUNDAYS}, {"when": SUNDAYS, "reward": per_amount("2")}, **NEW_YORK
    ) == [
        "Members shopping at Lumen & Oak on Sundays get 2 points per 1.00 of the"
        " order total instead of 1, until 1 December 2026, 00:00 (America/New_York)."
        " (“base”)"
    ]


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ({}, {"reward": fixed("50")}, "get 50 points an order instead of 1 point per"),
        ({"reward": per_amount("1", "2.00")}, {}, "instead of 1 point per 2.00 of"),
        (
            {"unit": "USD", "reward": share("50")},
            {"unit": "USD", "reward": share("60")},
            "get 60 % of our commission, in US dollars cash back instead of 50 %.",
        ),
        (
            {},
            {"when": SUNDAYS},
            "“base” counts only for members shopping at Lumen & Oak now",
        ),
        ({"when": SUNDAYS}, {}, "counts no longer only for members on Sundays."),
        (
            {"when": {"weekdays": ["sunday"]}},
            {"when": {"weekdays": ["monday"]}},
            "counts for members on Mondays instead of on Sundays.",
        ),
        (
            {},
            {"when": {"expression": "size(items) > 1"}},
            "members when: size(items) > 1 now",
        ),
        ({}, {"items": {"categories": ["LAMPS"]}}, "items in LAMPS"),
        (
            {},
            {"limits": {"per_order": 500}},
            "at most 500 points an order instead of no limit",
        ),
        ({"limits": {"budget": 9}}, {}, "no limit instead of at most 9 points in all"),
        ({}, {"hold_days": 30}, "stays pending for 30 days"),
        ({}, {"expires_after_days": 365}, "expires 365 days"),
        ({}, {"group": "bonus"}, "“base”, group: bonus instead of base."),
        (
            {},
            {"label": {"en": "Base", "es": "Fijo"}},
            "en “Base”, es “Fijo” instead of “Base”",
        ),
        ({"when": {"countries": ["US"]}}, {"when": {"countries": ["us"]}}, "“base”"),
    ],
)  # fmt: skip
def test_every_part_of_a_rule(
    before: dict[str, Any], after: dict[str, Any], told: str
) -> None:
    assert told in " ".join(of_rule(before, after))


def test_a_new_rule_and_one_that_is_gone_are_said_whole() -> None:
    new, gone = said(
        program(rule(), rule("old", reward=fixed("5"))),
        program(rule(), rule("new", reward=fixed("7"))),
    )
    assert new.startswith("New: Members get 7 points an order")
    assert gone.startswith("Gone: Members get 5 points an order")


def test_of_a_first_edition_every_rule_is_said() -> None:
    (only,) = said(None, program(rule(reward=fixed("5"))))
    assert only.startswith("Members get 5 points an order")


def test_another_order_says_who_wins_now() -> None:
    oak, rest = (
        rule("oak", when={"merchants": [MERCHANT]}, reward=fixed("5")),
        rule("rest"),
    )
    before, after = program(oak, rest), program(rest, oak)
    assert said(before, after) == ["Where both hold, “rest” now wins over “oak”."]

    def winner(data: dict[str, Any]) -> str:
        return CompiledProgram(data).evaluate(Facts(report()))[0].rule

    assert (winner(before), winner(after)) == ("oak", "rest")


@pytest.mark.parametrize(
    "second",
    [
        {"when": {"merchants": ["org-toys"]}},
        {"group": "bonus"},
        {"unit": "USD", "reward": share("50")},
    ],
)
def test_another_order_that_changes_no_winner_says_so(second: dict[str, Any]) -> None:
    one = rule("one", when={"merchants": [MERCHANT]})
    two = rule("two", **second)
    (told,) = said(program(one, two), program(two, one))
    assert "which of them win is the same" in told


def test_a_rule_put_between_moves_nobody() -> None:
    told = said(program(rule("a"), rule("c")), program(rule("a"), rule("b"), rule("c")))
    assert [one.split(":")[0] for one in told] == ["New"]


def test_units_and_the_time_zone() -> None:
    worthy = POINTS | {
        "rounding": "half_up",
        "value": {"amount": "0.01", "currency": "USD"},
    }
    euros = DOLLARS | {"code": "EUR"}
    told = said(
        program(rule(when=SUNDAYS)),
        program(rule(when=SUNDAYS), units=[worthy, euros]) | NEW_YORK,
    )
    assert told == [
        "Days, weeks and months begin by the clocks of America/New_York"
        " instead of UTC.",
        "Unit points, rounding: half up instead of floor.",
        "Unit points, worth: 0.01 USD instead of none.",
        "The unit USD is gone; what members have of it stays.",
        "New unit: EUR.",
    ]
