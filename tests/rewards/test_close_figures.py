"""The figures of a close: every minor unit of commission in one named bucket."""

from typing import Any

import pytest

from rewards.closing.days import Cut
from rewards.closing.figures import MOST_ROUNDED, faults, figures
from rewards.decisions import assign
from rewards.models import Close, Member
from rewards.privacy.erasure import erase
from rewards.verification import checks
from tests.builders import NOW, POINTS, purchase, rule
from tests.rewards.closing import (
    DAY,
    FIRST,
    SECOND,
    THIRD,
    at,
    change,
    close,
    order,
    publish,
    three_days,
)

pytestmark = pytest.mark.django_db


def row_of(found: Close) -> dict[str, Any]:
    (row,) = found.figures["rows"]
    assert sum(row["buckets"].values()) == row["commission"]
    assert 0 <= row["buckets"]["rounding"] <= MOST_ROUNDED
    return row


def buckets(found: Close) -> dict[str, int]:
    """The buckets that have something in them."""
    row = row_of(found)
    return {name: amount for name, amount in row["buckets"].items() if amount}


def test_three_days_are_as_worked_out_by_hand() -> None:
    # A point is worth 0.3 cents: 91 of them are 27.3, which is rounded down.
    three_days()
    assert not [check for check in checks() if check.violations]
    first = close(FIRST)
    assert buckets(first) == {
        "pending": 27,
        "available": 69,  # bob 51, carol 91, dora 91 points
        "redeemed": 39,  # bob 40, emil 91
        "margin": 2138,  # 5 x 4.55 less 455 points
        "unattributed": 300,
        "rounding": 2,
    }
    assert row_of(first)["commission"] == 2575
    assert row_of(first)["validated"] == 4 * 455
    assert row_of(first)["purchases"] == 6
    assert buckets(close(SECOND)) == {
        **buckets(first),
        "available": 60,  # bob 41, carol 71, dora 91
        "reserved": 3,
        "adjusted": 6,
    }
    assert buckets(close(THIRD)) == {
        "pending": 27,
        "available": 60,  # bob 132, carol 71
        "reserved": 3,
        "redeemed": 39,
        "expired": 27,  # dora 91
        "adjusted": 6,
        "owed": -28,  # emil had spent what was taken back
        "margin": 1710,  # 4 x 4.55 less 364 points
        "unattributed": 300,
        "in_review": 427,  # 4.55 less 91 points that stay until it is decided
        "rounding": 4,
    }


def test_what_members_hold_is_what_their_accounts_say() -> None:
    three_days()
    held = [close(day).figures["held"]["points"] for day in (FIRST, SECOND, THIRD)]
    assert held == [
        {"pending": 91, "available": 233, "reserved": 0, "debt": 0},
        {"pending": 91, "available": 203, "reserved": 10, "debt": 0},
        {"pending": 91, "available": 203, "reserved": 10, "debt": 91},
    ]


def test_a_debt_that_is_paid_leaves_nothing_owed() -> None:
    three_days()
    order("again", day=THIRD, customer_id="emil", status="validated")
    found = buckets(close(FIRST)), buckets(close(SECOND)), buckets(close(THIRD))
    assert "owed" not in found[2]
    assert found[2]["margin"] == 2138  # 1710.8 + 455 - 27.3


def test_what_an_erased_member_had_is_written_off() -> None:
    publish(rule())
    order("pending")
    order("final", status="validated")
    member = Member.objects.get(customer_id="alice")
    erase(member, by=None, at=at(SECOND))
    found = close(SECOND)
    assert not faults(found.figures["rows"])
    kept = {kind: n for kind, n in found.figures["held"]["points"].items() if n}
    assert kept == {}
    assert buckets(found)["written_off"] == 54
    assert not {"pending", "available"} & buckets(found).keys()


def test_the_same_cut_gives_the_same_figures_whatever_comes_later() -> None:
    three_days()
    first = close(FIRST)
    order("more", day=THIRD, status="validated")
    assign(
        purchase("nobody"),
        member=Member.objects.get(customer_id="dora"),
        reason="Hers",
        by=None,
        at=NOW + 4 * DAY,
    )
    assert figures(Cut.of(first)) == first.figures["rows"]


def test_a_purchase_that_two_clocks_settle_at_midnight_is_in_one_state() -> None:
    publish(rule())
    order("one", day=SECOND)
    order("one", day=FIRST, status="validated", commission=500)
    assert buckets(close(FIRST)) == {"available": 27, "margin": 472, "rounding": 1}
    assert not faults(close(SECOND).figures["rows"])


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE rewards_award SET granted = granted + 1 WHERE id IN"
        " (SELECT MAX(id) FROM rewards_award)",
        "UPDATE rewards_transfer SET amount = amount + 1 WHERE id IN"
        " (SELECT MIN(id) FROM rewards_transfer)",
        "UPDATE rewards_lot SET amount = amount + 1 WHERE id IN"
        " (SELECT MIN(id) FROM rewards_lot)",
        "DELETE FROM rewards_transfer WHERE id IN (SELECT MIN(id)"
        " FROM rewards_transfer)",
    ],
)
def test_an_error_of_one_cent_is_found(statement: str) -> None:
    publish(rule(), unit={**POINTS, "value": {"amount": "0.01", "currency": "USD"}})
    order("pending")
    order("final", customer_id="bob", status="pending")
    order("final", customer_id="carol", status="validated", modified_at=NOW)
    cut = Cut.now(until=NOW + DAY)
    assert not faults(figures(cut))
    change(statement)
    assert faults(figures(cut))


def test_two_errors_that_cancel_out_are_found() -> None:
    publish(rule())
    order("one")
    order("two")
    for which, sign in (("MIN", "+"), ("MAX", "-")):
        change(
            f"UPDATE rewards_transfer SET amount = amount {sign} 1"
            f" WHERE id IN (SELECT {which}(id) FROM rewards_transfer)"
        )
    (row,) = figures(Cut.now(until=NOW + DAY))
    assert row["off"] == "0"
    assert faults([row])


def test_points_without_a_worth_are_counted_apart() -> None:
    publish(rule(), unit=POINTS)
    order("one", status="validated")
    found = close(FIRST)
    assert buckets(found) == {"margin": 455}
    (unit,) = row_of(found)["units"]
    assert (unit["unit"], unit["worth"], unit["awarded"]) == ("points", None, 91)
    assert unit["held"]["available"] == 91


def test_each_account_and_currency_has_its_own_row() -> None:
    publish(rule())
    order("one")
    order("two", currency="GBP")
    order("three", account="acc-2")
    rows = close(FIRST).figures["rows"]
    assert [(row["account"], row["currency"]) for row in rows] == [
        ("acc-1", "GBP"),
        ("acc-1", "USD"),
        ("acc-2", "USD"),
    ]
    assert [row["buckets"]["margin"] for row in rows] == [455, 427, 427]
