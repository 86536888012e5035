"""Returning any part in any number of steps leaves what the kept part earns."""

from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from rewards.models import Transfer
from rewards.program import draft, editions, vocabulary
from rewards.reports import LineItem, PurchaseReport
from rewards.verification import checks
from tests.builders import (
    DOLLARS,
    NOW,
    ORDERED,
    POINTS,
    balances,
    fixed,
    per_amount,
    program,
    publish_program,
    purchase,
    report,
    rule,
    settle_reports,
    share,
)

ROUNDINGS = st.sampled_from(["floor", "ceil", "half_up", "half_even"])


def broken() -> list[str]:
    return [check.name for check in checks() if check.violations]


def line(sku: str, total: int, quantity: int = 1) -> LineItem:
    """So many of one thing for ``total`` cents; a tenth of that is commission."""
    category = "LAMPS" if sku < "M" else "RUGS"
    return LineItem(
        sku=sku,
        categories=(category,),
        quantity=quantity,
        amount=total // max(quantity, 1),
        total=total,
        commission=total // 10,
    )


def order(lines: list[LineItem], **changes: Any) -> PurchaseReport:
    values = {
        "lines": tuple(lines),
        "order_total": sum(line.total for line in lines),
        "commission": sum(line.commission for line in lines),
    }
    return report(**{**values, **changes})


@pytest.mark.django_db
def test_the_example_that_every_engine_gets_wrong() -> None:
    """An order of 40 earns 70; C goes back, and 20 with it."""
    publish_program(
        rule(reward=per_amount("1")),
        rule("a", group="bonus", items={"skus": ["A"]}, reward=fixed("10")),
        rule("b", group="bonus", items={"skus": ["B"]}, reward=fixed("20")),
    )
    a, b, c = line("A", 1000), line("B", 1000), line("C", 2000)
    settle_reports(order([a, b, c]))
    assert balances() == {("points", "pending"): 70}
    settle_reports(order([a, b], modified_at=NOW))
    assert balances() == {("points", "pending"): 50}
    assert Transfer.objects.latest("id").amount == 20
    assert broken() == []


@st.composite
def rule_sets(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Rules of every kind, on whole orders and on lines, with limits of their own."""
    amounts = st.sampled_from(["0.5", "1", "1.37", "3"])
    caps = st.sampled_from([{}, {}, {"per_order": 3}, {"per_order": 40}])
    items = st.sampled_from([{}, {"categories": ["LAMPS"]}, {"skus": ["A", "Z"]}])
    rewards = st.one_of(
        amounts.map(fixed),
        st.builds(per_amount, amounts, st.sampled_from(["1.00", "3.00"])),
        st.builds(per_amount, amounts, st.just("7.00"), whole=st.just(True)),
    )
    rules = [
        rule(
            f"rule-{n}",
            group=draw(st.sampled_from(["base", "bonus", "bonus"])),
            items=draw(items),
            limits=draw(caps),
            reward=draw(rewards),
        )
        for n in range(draw(st.integers(1, 4)))
    ]
    cash = rule("cash", unit="USD", reward=share("33"), limits=draw(caps))
    times = {"kind": "multiplier", "factor": "1.5"}
    double = rule("double", group="bonus", reward=times, limits=draw(caps))
    up = rule("up", group="bonus", reward={"kind": "top_up", "points": "20"})
    return rules + [r for r in (cash, double, up) if draw(st.booleans())]


@st.composite
def returns(draw: st.DrawFn) -> list[list[LineItem]]:
    """What is kept of an order, step by step, as parts of its lines go back."""
    skus = draw(st.lists(st.sampled_from("ABMZ"), min_size=1, max_size=4))
    prices = st.integers(1, 3000)
    kept = {
        n: (sku, draw(prices), draw(st.integers(1, 3))) for n, sku in enumerate(skus)
    }
    steps = [_lines(kept.values())]
    for _ in range(draw(st.integers(1, 4))):
        back = draw(st.sampled_from(sorted(kept)))
        sku, price, quantity = kept[back]
        kept[back] = sku, price, draw(st.integers(0, quantity))
        steps.append(_lines(kept.values()))
    return steps


def _lines(kept: Any) -> list[LineItem]:
    return [line(sku, price * n, n) for sku, price, n in kept if n]


class Returns(TestCase):
    @given(rule_sets(), returns(), ROUNDINGS, ROUNDINGS)
    def test_leave_what_the_kept_part_earns(
        self, rules: list, steps: list, points: str, dollars: str
    ) -> None:
        units = [POINTS | {"rounding": points}, DOLLARS | {"rounding": dollars}]
        draft.replace(vocabulary.parse(program(*rules, units=units)))
        editions.publish(now=NOW)
        times = (ORDERED + timedelta(hours=n) for n in count())
        for kept, at in zip(steps, times, strict=False):
            settle_reports(order(kept, modified_at=at))
        alone = {"order_id": "alone", "transaction_id": "tx-2", "customer_id": "bob"}
        settle_reports(order(steps[-1], **alone))
        assert balances("alice") == balances("bob")
        assert _awards("btnorder-1") == _awards("alone")
        assert broken() == []


def _awards(order_key: str) -> list[tuple[Any, ...]]:
    settlement = purchase(order_key).settlement
    assert settlement is not None
    rows = settlement.awards.order_by("id")
    return list(rows.values_list("rule", "unit__code", "wanted", "granted", "why"))
