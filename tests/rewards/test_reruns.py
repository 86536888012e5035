"""Past purchases under another edition: asked, previewed, approved, applied, undone."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, OperationalError, transaction
from django.test import override_settings

from merchants.models import Merchant
from rewards import reruns
from rewards.decisions import assign, decide_account, resolve
from rewards.leases import hold
from rewards.models import (
    Decision,
    Edition,
    NetworkAccount,
    Purchase,
    Rerun,
    Settlement,
)
from rewards.refusals import Refused
from rewards.settling.due import settle_due
from rewards.verification import checks
from tests.builders import (
    NOW,
    ORDERED,
    balances,
    make_member,
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
    ask,
    order,
    preview,
    undo,
)
from tests.staff import make_staff

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def invariants_hold_afterwards() -> object:
    yield
    broken = [check for check in checks() if check.violations]
    assert not broken


@pytest.fixture
def ann() -> User:
    return make_staff(reruns.PERMISSION, username="ann")


@pytest.fixture
def bea() -> User:
    return make_staff(reruns.PERMISSION, username="bea")


@pytest.fixture
def once() -> Edition:
    return publish_program(rule(), now=NOW - 9 * DAY)


@pytest.fixture
def twice(once: Edition) -> Edition:
    """An edition that pays twice as much, from yesterday on."""
    return publish_program(TWICE, now=NOW - 2 * DAY, at=NOW - DAY)


def test_publishing_moves_nothing_and_a_rerun_does(twice: Edition) -> None:
    settle_reports(order(1), order(2))
    assert balances() == {PENDING: 182}
    rerun = apply(twice)
    assert balances() == {PENDING: 364}
    assert (rerun.total, rerun.done) == (2, 2)
    assert purchase("order-1").pinned == twice
    settlement = purchase("order-1").settlement
    assert (settlement.edition, settlement.pinned) == (twice, True)
    assert settlement.decision.rerun == rerun
    assert settlement.decision.reason == "We promised twice as much."
    assert Decision.objects.count() == 1


def test_a_rerun_is_about_its_stretch_and_its_merchants(twice: Edition) -> None:
    settle_reports(
        order(1, merchant="org-x"),
        order(2, merchant="org-y"),
        order(3, merchant="org-x"),
        order(4, merchant="org-x", category="app-install"),
    )
    x = Merchant.objects.get(external_id="org-x")
    end = ORDERED + 3 * HOUR
    rerun = apply(twice, merchants=[x], start=ORDERED + HOUR, end=end)
    pinned = Purchase.objects.exclude(pinned=None)
    assert [p.order_key for p in pinned] == ["order-1"]
    assert list(reruns.touched(rerun)) == list(pinned)


def test_purchases_of_every_kind_are_handled(once: Edition, twice: Edition) -> None:
    contradictory = order(4, status="validated"), order(4, status="declined")
    settle_reports(order(1, status="declined"), order(2, customer_id=""), order(3))
    for one in contradictory:
        settle_reports(one)
    settle_reports(order(5, attributed_at=NOW + DAY))
    before = balances()
    rerun = apply(twice, end=NOW + 2 * DAY)
    assert Purchase.objects.filter(pinned=twice).count() == 5
    assert balances() == {**before, PENDING: 182}  # the third alone
    settle_due(at=NOW + DAY)
    assert balances() == {**before, PENDING: 364}  # and the fifth, in its time
    bob = make_member("bob")
    assign(purchase("order-2"), member=bob, reason="His", by=None, at=NOW)
    assert balances("bob") == {PENDING: 182}
    chosen = purchase("order-4").reports.get(status="validated")
    resolve(purchase("order-4"), report=chosen, reason="So", by=None, at=NOW)
    assert balances()[AVAILABLE] == 182
    undo(rerun, at=NOW + DAY)
    assert not Purchase.objects.exclude(pinned=None).exists()
    assert balances("bob") == {PENDING: 91}
    # The fifth was attributed when the later edition held anyway.
    assert balances() == {PENDING: 91 + 182, AVAILABLE: 91}


def test_a_mended_expression_pays_what_had_failed() -> None:
    halves = "100 / purchase.commission >= 0"
    publish_program(rule(when={"expression": halves}), now=NOW - 9 * DAY)
    mended = publish_program(rule(), now=NOW - 2 * DAY, at=NOW - DAY)
    settle_reports(order(1, commission=0))
    assert purchase("order-1").review
    rerun = apply(mended)
    assert purchase("order-1").review == ""
    assert balances() == {PENDING: 91}
    undo(rerun)
    assert purchase("order-1").review
    assert balances() == {}


def test_an_excluded_account_stays_at_nothing(twice: Edition) -> None:
    settle_reports(order(1))
    account = NetworkAccount.objects.get()
    rerun = apply(twice)
    decide_account(account, rewarding=False, reason="No", by=None, at=NOW)
    undo(rerun)
    assert balances() == {}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"reason": " "}, "Say why"),
        ({"end": ORDERED}, "ends before it begins"),
    ],
)
def test_what_makes_no_sense_is_refused(
    once: Edition, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(Refused, match=said):
        ask(once, **changes)
    assert not Rerun.objects.exists()


def test_an_edition_that_does_not_hold_is_refused(once: Edition) -> None:
    future = publish_program(TWICE, at=NOW + DAY)
    with pytest.raises(Refused, match="does not hold yet"):
        ask(future)
    Edition.objects.filter(pk=future.pk).update(withdrawn_at=NOW)
    future.refresh_from_db()
    with pytest.raises(Refused, match="was withdrawn"):
        ask(future, at=NOW + 2 * DAY)


def test_only_somebody_else_can_approve(once: Edition, ann: User, bea: User) -> None:
    rerun = ask(once, by=ann)
    with pytest.raises(Refused, match="can't approve"):
        reruns.approve(rerun, by=ann, at=NOW)
    reruns.approve(rerun, by=bea, at=NOW)
    assert (rerun.approved_by, rerun.approved_at) == (bea, NOW)
    with pytest.raises(Refused, match="already"):
        reruns.approve(rerun, by=bea, at=NOW)
    with pytest.raises(IntegrityError), transaction.atomic():
        Rerun.objects.filter(pk=rerun.pk).update(approved_by=ann)


@override_settings(REQUIRE_APPROVAL=True)
def test_who_may_not_change_reruns_approves_of_none(once: Edition, ann: User) -> None:
    rerun = ask(once, by=ann)
    with pytest.raises(Refused, match="may change re-runs"):
        reruns.approve(rerun, by=make_staff("rewards.view_rerun"), at=NOW)
    assert Rerun.objects.get().approved_at is None


@override_settings(REQUIRE_APPROVAL=True)
def test_approval_is_needed_where_it_is_required(
    once: Edition, ann: User, bea: User
) -> None:
    rerun = ask(once, by=ann)
    preview(rerun)
    with pytest.raises(Refused, match="second person"):
        reruns.apply(rerun, by=ann, at=NOW)
    reruns.approve(rerun, by=bea, at=NOW)
    reruns.apply(rerun, by=ann, at=NOW)
    assert rerun.state == Rerun.State.APPLYING


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"finished_at": None}, "Preview it first"),
        ({"cancelled_at": NOW}, "Preview it first"),
        ({"error": "Broken."}, "preview failed"),
    ],
)
def test_nothing_is_applied_unseen(
    once: Edition, changes: dict[str, Any], said: str
) -> None:
    rerun = ask(once)
    with pytest.raises(Refused, match="Preview it first"):
        reruns.apply(rerun, by=None, at=NOW)
    preview(rerun, **changes)
    with pytest.raises(Refused, match=said):
        reruns.apply(rerun, by=None, at=NOW)
    assert not Decision.objects.exists()


def test_each_step_is_taken_once(once: Edition) -> None:
    dropped = ask(once)
    preview(dropped)
    reruns.drop(dropped, by=None)
    for step in (
        lambda: reruns.drop(dropped, by=None),
        lambda: reruns.apply(dropped, by=None, at=NOW),
        lambda: reruns.undo(dropped, reason="No", by=None, at=NOW),
    ):
        with pytest.raises(Refused, match="dropped"):
            step()
    rerun = apply(once)
    with pytest.raises(Refused, match="applied"):
        reruns.apply(rerun, by=None, at=NOW)
    with pytest.raises(Refused, match="Say why"):
        reruns.undo(rerun, reason="", by=None, at=NOW)


def test_one_rerun_is_under_way_at_a_time(once: Edition) -> None:
    first, second = ask(once), ask(once)
    for rerun in first, second:
        preview(rerun)
    reruns.apply(first, by=None, at=NOW)
    with pytest.raises(Refused, match=f"{first} is under way"):
        reruns.apply(second, by=None, at=NOW)


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reruns, "BATCH", 2)


def test_a_killed_worker_is_followed_by_another(
    twice: Edition, small_batches: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle_reports(*(order(n) for n in range(5)))
    rerun = ask(twice)
    preview(rerun)
    reruns.apply(rerun, by=None, at=NOW)
    with hold(rerun):
        assert reruns.work(rerun, at=NOW) == 0  # somebody else is at it
    settle, calls = reruns.settle, []

    def killed(**kwargs: Any) -> Any:
        calls.append(kwargs)
        settle(**kwargs)
        if len(calls) == 2:
            raise OperationalError("the server closed the connection")

    monkeypatch.setattr(reruns, "settle", killed)
    with pytest.raises(OperationalError):
        reruns.work(rerun, at=NOW)
    assert (rerun.state, rerun.done) == (Rerun.State.APPLYING, 0)
    assert Purchase.objects.filter(pinned=twice).count() == 2
    monkeypatch.undo()
    assert reruns.work_reruns(at=NOW) == 3
    rerun.refresh_from_db()
    assert (rerun.state, rerun.done) == (Rerun.State.APPLIED, 5)
    assert balances() == {PENDING: 5 * 182}
    assert Settlement.objects.exclude(decision=None).count() == 5
    undo(rerun)
    assert balances() == {PENDING: 5 * 91}


def test_work_stops_when_its_time_is_over(twice: Edition, small_batches: None) -> None:
    settle_reports(*(order(n) for n in range(5)))
    rerun = ask(twice)
    preview(rerun)
    reruns.apply(rerun, by=None, at=NOW)
    looks = iter([False, False, True])
    assert reruns.work(rerun, at=NOW, expired=lambda: next(looks)) == 4
    assert (rerun.state, rerun.done) == (Rerun.State.APPLYING, 4)


def test_one_purchase_that_cannot_be_settled_stops_no_other(
    twice: Edition, small_batches: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle_reports(*(order(n) for n in range(4)))
    poison, settle = purchase("order-3").pk, reruns.settle

    def settle_others(**kwargs: Any) -> Any:
        if poison in kwargs["purchases"]:
            raise ValueError("this one is broken")
        return settle(**kwargs)

    monkeypatch.setattr(reruns, "settle", settle_others)
    rerun = apply(twice)
    assert (rerun.done, rerun.failed) == (4, 1)
    assert balances() == {PENDING: 3 * 182 + 91}
