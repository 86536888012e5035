"""Limits in a backtest: counted in the order of attribution, as if from nothing."""

from datetime import datetime, timedelta

import pytest

from rewards.backtests.budgets import Burn, Spending, burn
from tests.builders import NOW, ORDERED, purchase, rule
from tests.rewards.backtesting import order, rule_of, tried, unit_of

pytestmark = pytest.mark.django_db


def limited(**limits: object) -> dict:
    return rule(limits=limits)


def test_what_one_member_may_get_in_a_month_begins_anew_with_the_next():
    order(1, "alice", 5000, days=0)  # 10 November
    order(2, "alice", 5000, days=1)  # 30 left of 80
    order(3, "alice", 5000, days=25)  # 5 December
    order(4, "bob", 5000, days=1)
    paid = rule_of(tried(limited(per_member={"amount": 80, "period": "month"})), "base")
    assert paid["draft"] == {"paid": 4, "granted": 50 + 30 + 50 + 50, "wanted": 200}


def test_a_period_is_of_the_programs_time_zone():
    midnight = datetime(2026, 11, 10, 5, 0, tzinfo=NOW.tzinfo)  # in New York
    for n, seconds in ((1, -1), (2, 0)):
        order(n, "alice", 5000, attributed_at=midnight + timedelta(seconds=seconds))
    day = limited(per_member={"amount": 50, "period": "day"})
    assert unit_of(tried(day))["draft"] == 50
    assert unit_of(tried(day, time_zone="America/New_York"))["draft"] == 100


def test_orders_take_room_by_attribution_whatever_came_first():
    order(1, "alice", 5000, days=2)
    order(2, "alice", 3000, days=1)
    ever = limited(per_member={"amount": 60, "period": "ever"})
    gainers = unit_of(tried(ever))["gainers"]
    assert {id: to for _, id, _, to, _ in gainers} == {
        purchase("btnorder-2").pk: 30,
        purchase("btnorder-1").pk: 30,
    }


def test_so_many_purchases_of_a_member_are_paid():
    for n in range(4):
        order(n, "alice", 1000, days=n)
    order(5, "bob", 1000)
    assert rule_of(tried(limited(per_member_count=2)), "base")["draft"]["paid"] == 3


def test_a_declined_order_takes_no_room():
    order(1, "alice", 5000, days=0, status="declined")
    order(2, "alice", 5000, days=1)
    result = tried(limited(per_member={"amount": 50, "period": "ever"}))
    assert unit_of(result)["draft"] == 50
    assert result["estimated"]


def test_a_budget_ends_at_the_second_at_which_all_members_have_used_it_up():
    for n, customer in enumerate(("alice", "bob", "carol", "alice", "dora")):
        order(n, customer, 4000, days=n)
    result = tried(limited(budget=100))
    assert unit_of(result)["draft"] == 100  # 40, 40, 20, 0, 0
    (budget,) = result["budgets"]
    assert budget == {
        "side": "draft",
        "rule": "base",
        "unit": "points",
        "cap": 100,
        "used": 100,
        "burned": True,
        "ends_at": (ORDERED + timedelta(days=2)).isoformat(),
    }
    had = {id: to for _, id, _, to, _ in unit_of(result)["gainers"]}
    assert had[purchase("btnorder-2").pk] == 20
    assert purchase("btnorder-3").pk not in had


def test_a_budget_that_lasts_is_projected_at_the_pace_of_the_stretch():
    order(1, total=1000, days=1)
    start, end = ORDERED, ORDERED + timedelta(days=10)
    (budget,) = tried(limited(budget=40), start=start, end=end)["budgets"]
    assert (budget["used"], budget["burned"]) == (10, False)
    assert budget["ends_at"] == (ORDERED + timedelta(days=40)).isoformat()


def test_of_what_a_budget_gives_out_others_are_topped_up():
    order(1, "alice", 4000, days=0)
    order(2, "bob", 4000, days=1)
    top_up = rule("least", group="bonus", reward={"kind": "top_up", "points": "30"})
    assert unit_of(tried(limited(budget=50), top_up))["draft"] == 40 + 30


def test_a_limit_per_order_holds_beside_the_others():
    order(1, total=5000)
    both = limited(per_order=7, per_member={"amount": 100, "period": "ever"})
    assert unit_of(tried(both))["draft"] == 7
    alone = tried(limited(per_order=7))
    assert (unit_of(alone)["draft"], alone["estimated"]) == (7, False)


def test_where_a_budget_ends_does_not_depend_on_how_members_are_parted():
    one, two = Spending(), Spending()
    one.add(10, 1, 5)
    one.add(7300, 3, 5)
    two.add(7300, 2, 5)
    whole = Spending(one.packed())
    whole.add(7300, 2, 5)
    assert burn(12, [one, two]) == burn(12, [whole]) == Burn(7300, 3, 2)
    assert burn(15, [one, two]) == Burn(7300, 3, 5)
    assert burn(16, [one, two]) is None


def test_after_its_end_a_budget_has_no_room():
    ended = Burn(100, 7, 3)
    assert ended.room(100, 6) is None
    assert ended.room(100, 7) == 3
    assert ended.room(100, 8) == 0
    assert ended.room(99, 9) is None
    assert ended.room(101, 1) == 0


def test_a_budget_and_a_multiplier_give_what_settling_would():
    order(1, total=1000)
    rules = [
        rule(limits={"budget": 6}),
        rule("double", group="bonus", reward={"kind": "multiplier", "factor": "2"}),
    ]
    assert unit_of(tried(*rules))["draft"] == 12
