"""Any order of arrival, with any repetition, ends where an independent model ends."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import islice, permutations

from django.db.models import F
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from rewards.models import Account, Award, Purchase
from rewards.reports import PurchaseReport
from rewards.settling.due import settle_due
from rewards.verification import checks
from tests.builders import (
    MERCHANT,
    NOW,
    ORDERED,
    fixed,
    publish_program,
    report,
    rule,
    settle_reports,
    share,
)

RULES = (
    rule(
        "special",
        when={"merchants": ["org-x"]},
        reward={
            "kind": "per_amount",
            "points": "3",
            "per": "2.00",
            "of": "order_total",
        },
    ),
    rule("base", when={"currencies": ["USD"]}),
    rule(
        "big",
        group="bonus",
        reward={"kind": "fixed", "points": "10"},
        when={"currencies": ["USD"], "min_order_total": "50"},
    ),
    rule("cash", unit="USD", reward=share("50")),
)

LIMITED = (
    rule(
        "capped",
        when={"currencies": ["USD"], "first_purchase": "ever"},
        limits={"per_order": 100, "budget": 120},
        hold_days=20,
    ),
    rule("daily", limits={"per_member": {"amount": 90, "period": "day"}}),
    rule("twice", group="bonus", limits={"per_member_count": 2}, reward=fixed("7")),
    rule("cash", unit="USD", reward=share("50"), hold_days=3),
)


@st.composite
def histories(draw: st.DrawFn, order: int) -> list[PurchaseReport]:
    """A legal life of one order: pendings, then at most one final state."""
    final = draw(st.sampled_from([None, "validated", "declined"]))
    steps = draw(st.integers(1, 6))
    customers = st.sampled_from(["", "alice", "bob"])
    life = []
    for step in range(steps):
        last = step == steps - 1
        life.append(
            report(
                order_id=f"btnorder-{order}",
                transaction_id=f"tx-{order}-{draw(st.integers(0, 1))}",
                status=final if last and final else "pending",
                order_total=draw(st.integers(-100, 20_000)),
                commission=draw(st.integers(-50, 2_000)),
                merchant=draw(st.sampled_from([MERCHANT, "org-x"])),
                customer_id=draw(customers),
                modified_at=ORDERED
                + timedelta(seconds=step, milliseconds=draw(st.integers(0, 999))),
            )
        )
    return life


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[list[PurchaseReport], list[list[tuple]]]:
    """Some orders' lives, and batches in which everything arrives at least once."""
    lives = [r for n in range(draw(st.integers(1, 3))) for r in draw(histories(n))]
    again = draw(st.lists(st.sampled_from(lives), max_size=6))
    arrivals = draw(st.permutations([*lives, *again]))
    sources = [draw(st.sampled_from(["webhook", "poll"])) for _ in arrivals]
    told = iter(list(zip(arrivals, sources, strict=True)))
    batches = []
    while batch := list(islice(told, draw(st.integers(1, 5)))):
        batches.append(batch)
    return lives, batches


def model(lives: list[PurchaseReport]) -> dict[tuple[str, str, str], int]:
    """What every member has in the end, worked out from the last state alone."""
    expected: dict[tuple[str, str, str], int] = {}
    for order in {r.order_id for r in lives}:
        life = [r for r in lives if r.order_id == order]
        last = life[-1]
        named = [r.customer_id for r in life if r.customer_id]
        if last.status == "declined" or not named:
            continue
        total, commission = last.order_total or 0, last.commission or 0
        per_dollar = (3, 200) if last.merchant == "org-x" else (1, 100)
        points = max(total, 0) * per_dollar[0] // per_dollar[1]
        points += 10 if total >= 5000 else 0
        kind = "available" if last.status == "validated" else "pending"
        for unit, amount in ("points", points), ("USD", max(commission, 0) // 2):
            key = (named[-1], unit, kind)
            expected[key] = expected.get(key, 0) + amount
    return {key: amount for key, amount in expected.items() if amount}


def held() -> dict[tuple[str, str, str], int]:
    rows = Account.objects.exclude(member=None).values_list(
        "member__customer_id", "unit__code", "kind", "balance"
    )
    return {(member, unit, kind): b for member, unit, kind, b in rows if b}


def broken() -> list[str]:
    return [check.name for check in checks() if check.violations]


HALF = settings(max_examples=settings.default.max_examples // 2)
"""For what checks every invariant after each batch, which takes its time."""


class Arrivals(TestCase):
    """Webhooks and polls, in any order, in batches of any size."""

    def setUp(self) -> None:
        publish_program(*RULES)

    @HALF
    @given(deliveries())
    def test_end_where_the_model_ends(self, given: tuple) -> None:
        lives, batches = given
        for batch in batches:
            for source in "webhook", "poll":
                told = [r for r, s in batch if s == source]
                settle_reports(*told, source=source)
            assert broken() == []
        assert held() == model(lives)

    @settings(max_examples=10)
    @given(histories(1))
    def test_every_permutation_of_one_life_is_alike(self, life: list) -> None:
        expected = model(life)
        for number, order in enumerate(_some(permutations(life), most=24)):
            renamed = [
                report(
                    **{
                        **_fields(r),
                        "order_id": f"btnorder-p{number}",
                        "customer_id": f"{r.customer_id}-{number}"
                        if r.customer_id
                        else "",
                    }
                )
                for r in order
            ]
            for one in renamed:
                settle_reports(one)
            mine = {
                (member.removesuffix(f"-{number}"), unit, kind): amount
                for (member, unit, kind), amount in held().items()
                if member.endswith(f"-{number}")
            }
            assert mine == expected


class LimitedArrivals(TestCase):
    """The same under limits and holds, which nothing can pass or take back."""

    def setUp(self) -> None:
        publish_program(*LIMITED)

    @HALF
    @given(deliveries())
    def test_keep_every_promise_at_every_step(self, given: tuple) -> None:
        _, batches = given
        for batch in batches:
            settle_reports(*(told for told, _ in batch))
            assert broken() == []
            assert _granted("capped") <= 120
            for member in "alice", "bob":
                assert _granted("daily", settlement__member__customer_id=member) <= 90
        before = sum(held().values())
        settle_reports(*(told for batch in batches for told, _ in batch))
        assert sum(held().values()) == before  # all of it is known
        settle_due(at=NOW + timedelta(days=30))
        assert sum(held().values()) == before
        assert broken() == []
        finals = Purchase.objects.exclude(status="pending")
        assert finals.count() == finals.filter(due_at=None).count()


def _granted(rule: str, **whose: str) -> int:
    current = Award.objects.filter(settlement__purchase__settlement=F("settlement"))
    return sum(current.filter(rule=rule, **whose).values_list("granted", flat=True))


def _fields(one: PurchaseReport) -> dict:
    return {name: getattr(one, name) for name in one.__dataclass_fields__}


def _some(orders: Iterator, *, most: int) -> list:
    """Every order of a short life; of a long one, orders spread over all of them."""
    every = list(orders)
    return every[:: max(1, len(every) // most)]
