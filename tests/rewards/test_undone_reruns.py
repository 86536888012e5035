"""Undoing a re-run makes what was earned before it current again, to the point."""

from typing import Any

import pytest

from rewards import reruns
from rewards.models import (
    Award,
    Budget,
    Decision,
    Edition,
    Purchase,
    Settlement,
)
from rewards.refusals import Refused
from rewards.settling.due import settle_due
from rewards.verification import checks
from tests.builders import (
    NOW,
    ORDERED,
    balances,
    per_amount,
    publish_program,
    purchase,
    rule,
    settle_reports,
)
from tests.rewards.rerunning import (
    AVAILABLE,
    DAY,
    HOUR,
    PENDING,
    TWICE,
    apply,
    order,
    undo,
)

pytestmark = pytest.mark.django_db

LONG_AGO = NOW - 9 * DAY


@pytest.fixture(autouse=True)
def invariants_hold_afterwards() -> object:
    yield
    broken = [check for check in checks() if check.violations]
    assert not broken


@pytest.fixture
def once() -> Edition:
    return publish_program(rule(), now=LONG_AGO)


@pytest.fixture
def twice(once: Edition) -> Edition:
    """An edition that pays twice as much, from yesterday on."""
    return publish_program(TWICE, now=NOW - 2 * DAY, at=NOW - DAY)


def test_undoing_makes_the_earlier_awards_current_again(twice: Edition) -> None:
    settle_reports(order(1), order(2, status="validated"))
    before = balances()
    awards = list(_awards())
    rerun = apply(twice)
    undo(rerun)
    assert balances() == before
    assert list(_awards()) == awards
    assert purchase("order-1").pinned is None
    settlement = purchase("order-1").settlement
    assert settlement.edition == Edition.objects.get(number=1)
    first = Settlement.objects.filter(purchase=purchase("order-1")).earliest("pk")
    assert settlement.facts == first.facts != {}
    assert settlement.decision.kind == Decision.Kind.UNDO_RERUN


def _awards() -> Any:
    current = Award.objects.filter(settlement__in=Purchase.objects.values("settlement"))
    return current.order_by("settlement__purchase", "id").values_list(
        "rule", "wanted", "granted", "why", "held_until"
    )


def test_undoing_copies_awards_whatever_limits_have_become() -> None:
    capped = {"per_member": {"amount": 100, "period": "ever"}, "budget": 1000}
    publish_program(rule(limits=capped), now=LONG_AGO)
    twice = publish_program(TWICE, now=NOW - 2 * DAY, at=NOW - DAY)
    settle_reports(order(1), order(2))
    assert balances() == {PENDING: 100}
    facts = {p.pk: p.settlement.facts for p in Purchase.objects.all()}
    rerun = apply(twice)
    assert balances() == {PENDING: 364}
    assert Budget.objects.get().used == 364
    settle_reports(order(1, status="declined", modified_at=NOW))
    undo(rerun)
    assert balances() == {PENDING: 9}  # as it was granted, though there is room now
    assert Budget.objects.get().used == 9
    second = purchase("order-2")
    assert second.settlement.facts == facts[second.pk]


def test_a_purchase_that_changed_since_is_worked_out_as_if_there_had_been_none(
    twice: Edition,
) -> None:
    settle_reports(order(1))
    rerun = apply(twice)
    settle_reports(order(1, order_total=5000, modified_at=NOW))
    assert balances() == {PENDING: 100}  # pinned
    undo(rerun)
    assert balances() == {PENDING: 50}


@pytest.fixture
def budgeted() -> tuple[Edition, Edition]:
    """Two orders of 91, of which the second got what a budget of 100 left; and two
    editions without a budget, the second with a hold."""
    publish_program(rule(limits={"budget": 100}), now=LONG_AGO)
    twice = publish_program(TWICE, now=NOW - 3 * DAY, at=NOW - 2 * DAY)
    held = publish_program(
        rule(reward=per_amount("3"), hold_days=30), now=NOW - DAY, at=NOW - HOUR
    )
    settle_reports(order(1), order(2, status="validated"))
    assert balances() == {PENDING: 91, AVAILABLE: 9}
    return twice, held


def test_two_reruns_are_undone_one_after_the_other(
    budgeted: tuple[Edition, Edition],
) -> None:
    first, second = map(apply, budgeted)
    undo(second)
    settle_reports(order(1, status="declined", modified_at=NOW))
    undo(first)
    assert balances() == {AVAILABLE: 9}  # as it was granted, though there is room now


def test_a_hold_that_ends_in_between_changes_nothing(
    budgeted: tuple[Edition, Edition],
) -> None:
    _, held = budgeted
    rerun = apply(held)
    later = NOW + 40 * DAY
    settle_due(at=later)
    assert balances() == {PENDING: 273, AVAILABLE: 273}
    settle_reports(order(1, status="declined", modified_at=NOW), at=later)
    undo(rerun, at=later)
    assert balances() == {AVAILABLE: 9}


def test_an_order_that_waits_for_its_edition_goes_on_waiting(twice: Edition) -> None:
    settle_reports(order(1, attributed_at=NOW + DAY))
    thrice = publish_program(rule(reward=per_amount("3")), at=NOW + HOUR)
    undo(apply(twice, end=NOW + 2 * DAY))
    settle_due(at=NOW + DAY)
    assert purchase("order-1").settlement.edition == thrice
    assert balances() == {PENDING: 273}


FAILS_AT_NO_COMMISSION = rule(when={"expression": "100 / purchase.commission >= 0"})


@pytest.mark.parametrize("status", ["pending", "validated"])
def test_what_was_earned_before_an_expression_failed_is_current_again(
    status: str,
) -> None:
    publish_program(FAILS_AT_NO_COMMISSION, now=LONG_AGO)
    mended = publish_program(rule(), now=NOW - 2 * DAY, at=NOW - DAY)
    settle_reports(order(1))
    settle_reports(
        order(1, status=status, commission=0, order_total=5000, modified_at=NOW)
    )
    assert balances() == {PENDING: 91}
    rerun = apply(mended)
    assert sum(balances().values()) == 50
    undo(rerun)
    assert purchase("order-1").review
    assert balances() == {PENDING: 91}


def test_undoing_takes_nothing_where_the_rerun_gave_nothing() -> None:
    publish_program(FAILS_AT_NO_COMMISSION, now=LONG_AGO)
    dearer = {**FAILS_AT_NO_COMMISSION, "reward": per_amount("2")}
    failing = publish_program(dearer, now=NOW - 2 * DAY, at=NOW - DAY)
    settle_reports(order(1))
    settle_reports(order(1, commission=0, modified_at=NOW))
    rerun = apply(failing)
    assert balances() == {PENDING: 91}
    undo(rerun)
    assert balances() == {PENDING: 91}


def test_a_hold_goes_on_when_a_rerun_is_undone(twice: Edition) -> None:
    held = publish_program(
        rule(hold_days=30), now=NOW - DAY + HOUR, at=NOW - DAY + 2 * HOUR
    )
    final = {"status": "validated", "modified_at": NOW - HOUR}
    settle_reports(order(1, attributed_at=NOW - 3 * HOUR, **final))
    assert purchase("order-1").settlement.edition == held
    assert balances() == {PENDING: 91}
    rerun = apply(twice, end=NOW)
    assert balances() == {AVAILABLE: 182}
    undo(rerun)
    assert balances() == {PENDING: 91}
    settle_due(at=NOW + 30 * DAY)
    assert balances() == {AVAILABLE: 91}


def test_what_a_later_rerun_touched_is_undone_after_that_one(
    once: Edition, twice: Edition
) -> None:
    settle_reports(order(1), order(9))
    first = apply(twice)
    apart = apply(twice, start=ORDERED + 9 * HOUR)
    second = apply(once, end=ORDERED + 2 * HOUR)
    assert balances() == {PENDING: 91 + 182}
    with pytest.raises(Refused, match=f"{apart}|{second}"):
        reruns.undo(first, reason="No", by=None, at=NOW)
    undo(second)
    assert purchase("order-1").pinned == twice
    undo(apart)
    undo(first)
    assert balances() == {PENDING: 182}
    assert not Purchase.objects.exclude(pinned=None).exists()
