"""Limits: what they leave, to whom, for how long; and what they never take back."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from rewards.decisions import assign
from rewards.models import Award, Budget, Member, Settlement
from rewards.program import draft, editions, vocabulary
from rewards.program.limits import Use
from rewards.reports import PurchaseReport
from rewards.settling.evaluations import uses_of
from rewards.verification import checks
from tests.builders import (
    NOW,
    ORDERED,
    POINTS,
    balances,
    per_amount,
    program,
    publish_program,
    purchase,
    report,
    rule,
    settle_reports,
)

pytestmark = pytest.mark.django_db
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture(autouse=True)
def invariants_hold_afterwards() -> object:
    yield
    broken = [check for check in checks() if check.violations]
    assert not broken


def limited(key: str = "base", **limits: Any) -> dict[str, Any]:
    return rule(key, limits=limits)


def order(number: int, total: int = 100, **changes: Any) -> PurchaseReport:
    """An order worth ``total`` points, an hour after the one before."""
    at = changes.pop("at", ORDERED + number * HOUR)
    values = {
        "order_id": f"order-{number}",
        "transaction_id": f"tx-{number}",
        "order_total": total * 100,
        "attributed_at": at,
        "modified_at": at,
    }
    return report(**{**values, **changes})


def granted(number: int) -> int:
    return sum(
        Award.objects.filter(
            settlement=purchase(f"order-{number}").settlement
        ).values_list("granted", flat=True)
    )


def uses(number: int, key: str = "base") -> list[Use]:
    return uses_of(purchase(f"order-{number}").settlement)[key]


def test_an_order_is_cut_to_its_limit_and_keeps_what_was_wanted() -> None:
    publish_program(limited(per_order=60))
    settle_reports(order(1))
    award = Award.objects.get()
    assert (award.wanted, award.granted) == (100, 60)
    assert uses(1) == [Use("per_order", 60, used=0, held=0)]


def test_a_member_earns_to_the_cap_and_no_further() -> None:
    publish_program(limited(per_member={"amount": 150, "period": "ever"}))
    settle_reports(order(1))
    settle_reports(order(2))
    settle_reports(order(3))
    assert [granted(n) for n in (1, 2, 3)] == [100, 50, 0]
    assert uses(3) == [Use("per_member", 150, used=150, held=0)]
    assert balances() == {("points", "pending"): 150}


def test_a_decline_gives_room_to_later_reports_and_tops_up_nothing() -> None:
    publish_program(limited(per_member={"amount": 150, "period": "ever"}))
    for number in 1, 2:
        settle_reports(order(number))
    settle_reports(order(1, status="declined", modified_at=NOW))
    assert [granted(n) for n in (1, 2)] == [0, 50]  # the second was cut, and stays so
    settle_reports(order(3))
    assert granted(3) == 100
    settle_reports(order(2, total=120, modified_at=NOW))
    assert granted(2) == 50  # what is left now is what it holds already


def test_a_later_report_of_the_cut_order_uses_the_room() -> None:
    publish_program(limited(per_member={"amount": 150, "period": "ever"}))
    settle_reports(order(1), order(2))
    settle_reports(order(1, status="declined", modified_at=NOW))
    settle_reports(order(2, total=101, modified_at=NOW))
    assert granted(2) == 101


def test_the_same_report_again_takes_no_room_given_back() -> None:
    publish_program(limited(per_member={"amount": 150, "period": "ever"}))
    settle_reports(order(1), order(2))
    settle_reports(order(1, status="declined", modified_at=NOW))
    settle_reports(order(2), source="poll")
    assert granted(2) == 50


def test_a_lower_cap_takes_nothing_back() -> None:
    publish_program(limited(per_member={"amount": 150, "period": "ever"}))
    settle_reports(order(1), order(2))
    publish_program(
        limited(per_member={"amount": 20, "period": "ever"}), at=ORDERED + 100 * DAY
    )
    later = ORDERED + 101 * DAY
    settle_reports(order(2, total=200, modified_at=NOW, attributed_at=later), at=later)
    assert granted(2) == 50
    settle_reports(order(2, total=30, modified_at=later, attributed_at=later), at=later)
    assert granted(2) == 30  # what the kept part wants, and no more


@pytest.mark.parametrize(
    ("period", "same", "next"),
    [
        # In New York it is five hours earlier, four in summer.
        ("day", "2026-03-11T03:59:00", "2026-03-11T04:00:00"),
        ("week", "2026-03-16T03:59:00", "2026-03-16T04:00:00"),
        ("month", "2026-04-01T03:59:00", "2026-04-01T04:00:00"),
        ("year", "2027-01-01T04:59:00", "2027-01-01T05:00:00"),
    ],
)
def test_periods_go_by_the_time_of_order_in_the_programs_zone(
    period: str, same: str, next: str
) -> None:
    capped = limited(per_member={"amount": 150, "period": period})
    told = program(capped) | {"time_zone": "America/New_York"}
    draft.replace(vocabulary.parse(told))
    editions.publish(now=NOW)
    first = datetime(2026, 3, 10, 12, tzinfo=UTC)
    settled = datetime(2027, 6, 1, tzinfo=UTC)
    for number, text in enumerate([first.isoformat(), same, next]):
        at = datetime.fromisoformat(text).replace(tzinfo=UTC)
        settle_reports(order(number, at=at), at=settled)
    assert [granted(n) for n in (0, 1, 2)] == [100, 50, 100]


def test_members_are_limited_apart() -> None:
    publish_program(limited(per_member={"amount": 150, "period": "ever"}))
    settle_reports(
        order(1), order(2, customer_id="bob"), order(3), order(4, customer_id="bob")
    )
    assert balances("alice") == balances("bob") == {("points", "pending"): 150}


def test_a_rule_pays_so_many_of_a_members_orders() -> None:
    publish_program(limited(per_member_count=2))
    for number in range(1, 4):
        settle_reports(order(number))
    assert [granted(n) for n in (1, 2, 3)] == [100, 100, 0]
    assert uses(3) == [Use("per_member_count", 2, used=2, held=0)]
    settle_reports(order(1, status="declined", modified_at=NOW))
    settle_reports(order(3, total=101, modified_at=NOW))
    assert granted(3) == 101
    settle_reports(order(2, total=500, modified_at=NOW))
    assert granted(2) == 500  # it is one of the two


def test_a_budget_is_shared_by_all_and_counted_in_its_row() -> None:
    publish_program(limited(budget=150))
    settle_reports(order(1))
    settle_reports(order(2, customer_id="bob"))
    assert [granted(n) for n in (1, 2)] == [100, 50]
    assert uses(2) == [Use("budget", 150, used=100, held=0)]
    assert Budget.objects.get().used == 150
    settle_reports(order(1, status="declined", modified_at=NOW))
    assert Budget.objects.get().used == 50


def test_a_budget_is_counted_under_editions_without_it() -> None:
    publish_program(rule())
    settle_reports(order(1))
    publish_program(limited(budget=150), at=ORDERED + 20 * DAY)
    assert Budget.objects.get().used == 100  # granted before there was a budget
    publish_program(rule(), at=ORDERED + 40 * DAY, now=ORDERED + 21 * DAY)
    late = ORDERED + 50 * DAY
    settle_reports(order(2, at=late), at=late + HOUR)
    assert granted(2) == 100
    assert Budget.objects.get().used == 200
    settle_reports(order(3, at=ORDERED + 30 * DAY), at=late + HOUR)
    assert granted(3) == 0
    settle_reports(order(2, at=late, status="declined"), at=late + HOUR)
    settle_reports(order(4, at=ORDERED + 30 * DAY), at=late + HOUR)
    assert granted(4) == 50


def test_a_batch_uses_limits_in_the_order_of_attribution() -> None:
    publish_program(limited(per_member={"amount": 150, "period": "ever"}))
    settle_reports(order(3), order(1), order(2))
    assert [granted(n) for n in (1, 2, 3)] == [100, 50, 0]


def test_within_one_second_the_reference_decides() -> None:
    publish_program(limited(budget=150))
    settle_reports(*(order(n, at=ORDERED) for n in (3, 1, 2)))
    assert [granted(n) for n in (1, 2, 3)] == [100, 50, 0]


def test_what_a_later_order_of_the_batch_holds_is_used() -> None:
    publish_program(limited(per_member={"amount": 150, "period": "ever"}))
    settle_reports(order(2))
    settle_reports(order(1), order(2, total=90, modified_at=NOW))
    assert [granted(n) for n in (1, 2)] == [50, 90]


def test_an_order_given_to_another_member_counts_for_that_one() -> None:
    publish_program(limited(per_member={"amount": 150, "period": "ever"}))
    settle_reports(order(1), order(2), order(3, customer_id="bob"))
    bob = Member.objects.get(customer_id="bob")
    assign(purchase("order-1"), member=bob, reason="His", by=None, at=NOW)
    assert balances("bob") == {("points", "pending"): 150}  # 100 and what is left
    settle_reports(order(4))
    assert granted(4) == 100  # alice has 50 of the second order


def test_what_another_member_holds_is_no_excuse_to_pass_a_cap() -> None:
    publish_program(limited(per_member={"amount": 100, "period": "ever"}))
    settle_reports(order(1), order(2, customer_id="bob"))
    bob = Member.objects.get(customer_id="bob")
    assign(purchase("order-1"), member=bob, reason="His", by=None, at=NOW)
    assert balances("bob") == {("points", "pending"): 100}
    assert balances("alice") == {}


def test_all_limits_of_a_rule_hold_together() -> None:
    publish_program(
        limited(
            per_order=90,
            per_member={"amount": 120, "period": "day"},
            per_member_count=5,
            budget=100,
        )
    )
    settle_reports(order(1), order(2))
    assert [granted(n) for n in (1, 2)] == [90, 10]
    assert [use.limit for use in uses(2)] == [
        "per_order",
        "per_member",
        "per_member_count",
        "budget",
    ]


def test_limits_cut_before_rounding() -> None:
    capped = limited(per_order=1) | {"reward": per_amount("0.5")}
    bonus = rule("bonus", group="bonus", reward=per_amount("0.25"))
    publish_program(capped, bonus)
    settle_reports(order(1, total=3))
    rows = Award.objects.order_by("id").values_list("rule", "wanted", "granted")
    # 1.5 cut to 1, and 0.75: 1.75 rounds to 1; uncut 2.25 rounds to 2.
    assert list(rows) == [("base", 1, 1), ("bonus", 1, 0)]


def test_a_step_of_rounding_does_not_pass_a_limit() -> None:
    """0.5 and 11 round to 12, of which the limited rule may have 11."""
    slow = rule("slow", group="bonus", reward=per_amount("0.5", "20.00"))
    units = [POINTS | {"rounding": "half_even"}]
    data = program(slow, limited(per_order=11), units=units)
    draft.replace(vocabulary.parse(data))
    editions.publish(now=NOW)
    settle_reports(order(1, total=20))
    settle_reports(order(1, total=30, modified_at=NOW))
    capped = Award.objects.filter(rule="base").order_by("id")
    assert [award.granted for award in capped] == [11, 11]


def test_a_budget_that_drifted_is_found() -> None:
    publish_program(limited(budget=150))
    settle_reports(order(1))
    Budget.objects.update(used=99)
    broken = [check.name for check in checks() if check.violations]
    assert broken == ["every budget is the sum of the awards that it paid"]
    Budget.objects.update(used=100)


def test_limits_ask_nothing_where_none_matched() -> None:
    free = rule("free", when={"currencies": ["USD"]})
    publish_program(free, limited("capped") | {"when": {"currencies": ["EUR"]}})
    settle_reports(order(1))
    with CaptureQueriesContext(connection) as unlimited:
        settle_reports(order(2), order(3))
    asked = [q["sql"] for q in unlimited if q["sql"].startswith("SELECT")]
    assert not [
        sql for sql in asked if "rewards_award" in sql or 'FROM "rewards_budget' in sql
    ]


def test_limits_cost_the_same_queries_for_any_number_of_orders() -> None:
    publish_program(limited(per_member={"amount": 150, "period": "day"}, budget=10**6))

    def settle(*numbers: int) -> int:
        with CaptureQueriesContext(connection) as captured:
            settle_reports(*(order(n, customer_id=f"m{n}") for n in numbers))
        return sum(q["sql"].startswith("SELECT") for q in captured)

    settle(1, 2)
    assert settle(3, 4) == settle(*range(5, 25))


def test_the_use_of_limits_is_kept_with_the_settlement() -> None:
    publish_program(limited(per_member={"amount": 150, "period": "ever"}))
    settle_reports(order(1))
    facts = Settlement.objects.get().facts
    assert facts["limits"] == {"base": [["per_member", 150, 0, 0]]}
