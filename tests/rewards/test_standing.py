"""The pure fold: whatever is reported, in whatever order, where does it stand?"""

from dataclasses import replace
from datetime import timedelta
from itertools import permutations

import pytest

from rewards.reports import PurchaseReport
from rewards.settling.standing import (
    Assigned,
    Resolved,
    Standing,
    advance,
    flags,
    stand,
)
from tests.builders import ORDERED, report

LATER = ORDERED + timedelta(hours=1)


def state(*facts: object) -> Standing:
    standing = stand(facts)  # type: ignore[arg-type]
    assert standing
    return standing


def test_the_newer_pending_is_the_state_in_both_orders() -> None:
    old, new = report(), report(order_total=6000, modified_at=LATER)
    assert state(old, new).report == state(new, old).report == new


def test_a_final_state_stays_although_a_pending_is_newer() -> None:
    final = report(status="validated")
    late = report(order_total=1, modified_at=LATER)
    for facts in permutations([final, late]):
        assert state(*facts).report == final
        assert not state(*facts).contradiction


@pytest.mark.parametrize("status", ["validated", "declined"])
def test_a_different_second_final_state_is_a_contradiction(status: str) -> None:
    first = report(status="validated")
    second = report(status=status, order_total=1, modified_at=LATER)
    standing = state(first, second)
    assert standing.report == first
    assert standing.contradiction


@pytest.mark.parametrize(
    "changes",
    [
        {"modified_at": LATER},
        {"transaction_id": "tx-2"},
        {"validated_at": LATER},
        {"customer_id": ""},
    ],
)
def test_another_date_or_transaction_alone_contradicts_nothing(changes: dict) -> None:
    final = report(status="validated")
    assert not state(final, report(status="validated", **changes)).contradiction


@pytest.mark.parametrize(
    "changes",
    [
        {"commission": 1},
        {"currency": "EUR"},
        {"order_currency": "EUR"},
        {"customer_id": "bob"},
        {"status": "declined"},
    ],
)
def test_anything_that_moves_worth_contradicts_a_final_state(changes: dict) -> None:
    second = report(**({"status": "validated"} | changes))
    assert state(report(status="validated"), second).contradiction


def test_the_same_second_with_another_content_is_a_tie_and_decided_alike() -> None:
    one, other = report(), report(order_total=1)
    assert state(one, other).report == state(other, one).report
    assert state(one, other).tied
    assert "Two different states" in flags(state(one, other))[0]


def test_a_fraction_decides_inside_one_second() -> None:
    later = report(order_total=1, modified_at=ORDERED + timedelta(milliseconds=5))
    assert state(later, report()).report == later


def test_the_customer_is_the_newest_that_anybody_named() -> None:
    named = report(customer_id="bob", modified_at=LATER)
    silent = report(customer_id="", modified_at=LATER + timedelta(hours=1))
    for facts in permutations([report(), named, silent]):
        assert state(*facts).customer_id == "bob"
        assert state(*facts).report == silent


def test_a_late_pending_names_the_customer_of_a_final_state() -> None:
    final = report(status="validated", customer_id="")
    for facts in permutations([final, report()]):
        assert state(*facts).customer_id == "alice"
        assert state(*facts).report == final


def test_staff_choose_the_report_that_holds() -> None:
    first = report(status="validated")
    second = report(status="declined", modified_at=LATER)
    standing = state(first, second, Resolved(second))
    assert (standing.report, standing.contradiction) == (second, "")
    third = report(status="validated", order_total=7)
    assert advance(standing, third).contradiction


def test_staff_assign_and_give_back() -> None:
    assert state(report(), Assigned(7)).assigned_to == 7
    assert state(report(), Assigned(7), Assigned(None)).assigned_to is None


def test_a_decision_needs_something_reported() -> None:
    with pytest.raises(ValueError, match="nobody reported"):
        stand([Assigned(7)])


def test_what_does_not_add_up_is_flagged() -> None:
    assert flags(state(report(order_total=-5))) == ["An amount is negative."]


def test_a_report_survives_its_own_storage() -> None:
    import json

    from rewards.reports import LineItem, stored_digest

    line = LineItem("L1", categories=("A", "B"), attributes=(("colour", "sand"),))
    told = report(lines=(line,), validated_at=LATER, country="US")
    again = PurchaseReport.restore(
        json.loads(told.content),
        customer_id=told.customer_id,
        modified_at=told.modified_at,
    )
    assert again == told
    assert again.digest == told.digest
    stored = dict(sorted(json.loads(told.content).items()))  # as PostgreSQL has it
    columns = {"customer_id": told.customer_id, "modified_at": told.modified_at}
    assert stored_digest(stored, **columns, confirmed=0) == told.digest


def test_a_confirming_read_outranks_its_second_and_ends_the_tie() -> None:
    one, other = report(order_total=100), report(order_total=200)
    for first, second in permutations([one, other]):
        tied = state(first, second)
        assert tied.tied
        loser = min(one, other, key=lambda r: r.rank)
        confirmed = replace(loser, confirmed=7)
        settled = state(first, second, confirmed)
        assert settled.report.order_total == loser.order_total
        assert not settled.tied
        # What was in doubt comes again, and changes nothing.
        assert state(first, second, confirmed, second).report == settled.report


def test_a_later_state_outranks_a_confirming_read() -> None:
    confirmed = report(confirmed=7)
    later = report(order_total=1, modified_at=LATER)
    assert state(confirmed, later).report == state(later, confirmed).report == later


@pytest.mark.parametrize(
    "blank", ["country", "order_number", "customer_id", "click_reference", "channel"]
)
def test_a_report_covers_one_that_leaves_something_out(blank: str) -> None:
    told = {
        "country": "US",
        "order_number": "7",
        "click_reference": "c",
        "channel": "app",
    }
    full = report(**told)
    bare = replace(full, **{blank: ""})
    assert full.covers(bare)
    assert not bare.covers(full)
    assert full.rank > bare.rank


def test_a_report_covers_no_other_second_and_no_later_fraction() -> None:
    told = report()
    fraction = replace(told, modified_at=ORDERED + timedelta(milliseconds=5))
    assert fraction.covers(told)
    assert not told.covers(fraction)
    assert not told.covers(replace(told, modified_at=LATER))
    assert not told.covers(replace(told, order_total=1))


@pytest.mark.parametrize("name", ["order_total", "commission"])
def test_zero_is_a_statement_and_no_blank(name: str) -> None:
    told = report()
    nothing = replace(told, **{name: 0})
    assert not told.covers(nothing)
    assert state(told, nothing).tied
    assert told.covers(replace(told, **{name: None}))


def test_two_customers_of_one_second_tie() -> None:
    assert state(report(customer_id="alice"), report(customer_id="bob")).tied
    assert not state(report(customer_id="alice"), report(customer_id="")).tied
