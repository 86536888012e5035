"""Erasing a member: the person goes from everywhere, everything that counts stays."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db.models import Sum

from ingestion.button.envelope import webhook_delivery
from ingestion.inbox import store
from ingestion.models import InboundEvent
from ingestion.processing import drain
from ingestion.verification import checks
from merchants.models import Click
from rewards.decisions import assign, decide_account, resolve
from rewards.members import put_member
from rewards.models import (
    Account,
    Award,
    Decision,
    Draw,
    Freeze,
    Member,
    Message,
    NetworkAccount,
    Purchase,
    Redemption,
    Report,
    Settlement,
    Tombstone,
    Transfer,
)
from rewards.privacy.erasure import erase
from rewards.program import reproduction
from rewards.redemptions import fulfilment
from rewards.refusals import Refused
from rewards.settling import due
from tests.builders import (
    NOW,
    balances,
    make_member,
    publish_program,
    report,
    settle_reports,
    transaction,
    webhook_body,
)
from tests.rewards.departures import (
    LATER,
    PERSON,
    SECRETS,
    found,
    order,
    send,
    somebody,
)
from tests.rewards.redeemers import ask, make_reward
from tests.staff import make_superuser

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff() -> User:
    return make_superuser()


@pytest.fixture
def zoe(staff: User) -> Member:
    return somebody(staff)


def violations() -> dict[str, Any]:
    return {c.name: c.examples for c in checks(at=NOW) if c.violations}


def unreproducible() -> list[Any]:
    return list(reproduction.differences(reproduction.settled_purchases()))


def earned() -> dict[str, Any]:
    """What was worth what, and every transfer so far, row by row."""
    return {
        "awards": list(Award.objects.order_by("pk").values()),
        "transfers": list(Transfer.objects.order_by("pk").values()),
        "current": dict(Purchase.objects.values_list("order_key", "settlement")),
        "states": list(
            Purchase.objects.order_by("pk").values_list(
                "order_key", "status", "order_total", "commission", "member"
            )
        ),
        "digests": sorted(
            bytes(d) for d in Report.objects.values_list("digest", flat=True)
        ),
        "events": sorted(
            bytes(d) for d in InboundEvent.objects.values_list("digest", flat=True)
        ),
    }


def rows() -> dict[str, int]:
    models = (Member, Purchase, Report, Settlement, Transfer, Award, Click, Message)
    return {model.__name__: model.objects.count() for model in models}


def test_nothing_of_the_person_is_left_anywhere(zoe: Member, staff: User) -> None:
    assert len(found(PERSON)) > 30, "there was something to find"
    tombstone = erase(zoe, by=staff, at=LATER)
    assert found(*SECRETS) == []
    drain()
    assert found(*SECRETS) == [], "what waited in the inbox brings nothing back"
    assert tombstone.erased_by == staff
    assert violations() == {}


def test_sums_awards_and_history_stay_as_they_were(zoe: Member, staff: User) -> None:
    before = earned()
    erase(zoe, by=staff, at=LATER)
    after = earned()
    for name in ("awards", "digests", "events", "current", "states"):
        assert after[name] == before[name], name
    kept = after["transfers"][: len(before["transfers"])]
    assert kept == before["transfers"]
    assert unreproducible() == []
    call_command("verify_ledger")


def test_what_was_left_is_written_off(zoe: Member, staff: User) -> None:
    held = balances(PERSON)
    assert set(held) > {("points", "available"), ("points", "pending")}
    assert held["points", "reserved"] == 500
    certificate = erase(zoe, by=staff, at=LATER).certificate
    assert not Account.objects.filter(member=zoe).exclude(balance=0).exists()
    lost = Transfer.objects.filter(to_account__kind="written_off")
    sums = dict(lost.values_list("to_account__unit__code").annotate(Sum("amount")))
    assert sums["points"] == sum(a for (unit, _), a in held.items() if unit == "points")
    # The one that may have been handed over is lost as it is; the other came back.
    assert certificate["gone"]["redemptions cancelled"] == 1
    assert certificate["gone"]["redemptions ended in doubt"] == 1
    assert certificate["gone"]["available points"] == held["points", "available"] + 300
    assert certificate["kept"]["purchases"] > 4
    doubtful = lost.get(redemption__isnull=False)
    assert doubtful.amount == 200
    assert Draw.objects.filter(transfer=doubtful).exists(), "its lots are used up"
    assert not Redemption.objects.filter(status__in=Redemption.OPEN).exists()


def test_a_debt_is_paid_by_the_program(staff: User) -> None:
    publish_program()
    member = make_member(PERSON)
    bought = report(customer_id=PERSON, status="validated")
    settle_reports(bought)
    cup = make_reward("cup", minimum=1)
    fulfilment.fulfil(ask(cup, 91, customer_id=PERSON), at=NOW)
    returned = report(
        customer_id=PERSON, status="declined", modified_at=NOW, order_total=0
    )
    settle_reports(returned)
    chosen = Report.objects.get(status="declined")
    resolve(chosen.purchase, report=chosen, reason="Returned.", by=staff, at=NOW)
    assert balances(PERSON) == {("points", "debt"): 91}
    certificate = erase(member, by=staff, at=LATER).certificate
    assert certificate["gone"]["debt points"] == 91
    assert not Account.objects.filter(member=member).exclude(balance=0).exists()
    assert violations() == {}


def test_the_host_application_is_told_once_and_by_no_name(
    zoe: Member, staff: User
) -> None:
    erase(zoe, by=staff, at=LATER)
    [told] = Message.objects.filter(state=Message.State.WAITING)
    assert told.type == "member.erased"
    zoe.refresh_from_db()
    assert told.payload["data"] == {"token": zoe.customer_id}
    assert not Message.objects.filter(member=zoe).exclude(payload={}).exists()


def test_again_changes_nothing(zoe: Member, staff: User) -> None:
    tombstone = erase(zoe, by=staff, at=LATER)
    before = earned(), rows()
    assert erase(zoe, by=None, at=LATER) == tombstone
    assert (earned(), rows()) == before


def test_a_frozen_member_is_not_erased(zoe: Member, staff: User) -> None:
    Freeze.objects.create(member=zoe, check_name="sums", frozen_at=NOW)
    before = earned(), rows()
    with pytest.raises(Refused, match="frozen"):
        erase(zoe, by=staff, at=LATER)
    assert (earned(), rows()) == before
    assert found(PERSON)


def test_where_it_fails_nothing_is_erased(
    zoe: Member, staff: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError

    before = earned(), rows(), balances(PERSON)
    monkeypatch.setattr("rewards.privacy.erasure.writing.emit", fail)
    with pytest.raises(RuntimeError):
        erase(zoe, by=staff, at=LATER)
    assert (earned(), rows(), balances(PERSON)) == before


def test_staff_keep_their_sign_in(staff: User) -> None:
    member = make_member(PERSON)
    Member.objects.filter(pk=member.pk).update(user=staff)
    erase(member, by=None, at=LATER)
    member.refresh_from_db()
    assert member.user is None
    assert User.objects.filter(pk=staff.pk).exists()


class TestLate:
    """Whatever comes afterwards brings nobody back."""

    def test_webhooks_of_every_kind_leave_nothing(
        self, zoe: Member, staff: User, settings: Any
    ) -> None:
        settings.MEMBERS_AUTO_ENROLL = True
        erase(zoe, by=staff, at=LATER)
        drain()
        before, events = rows(), InboundEvent.objects.count()
        money = earned()
        later = "2026-11-19T10:00:00.000Z"
        send(
            order("new"),
            order("new"),
            order("pending", status="validated", modified_date=later),
            order("pending", publisher_customer_id=None, modified_date=later),
            order("final", status="declined", modified_date=later),
            order("other", category="gift"),
            webhook_body({"thirdparty_id": PERSON}, event_type="order-checkout"),
            order("of-bob", publisher_customer_id="bob"),
        )
        assert rows()["Member"] == before["Member"]
        assert rows()["Purchase"] == before["Purchase"] + 1, "bob's alone"
        assert found(*SECRETS[:2]) == []
        assert InboundEvent.objects.count() == events + 6
        late = InboundEvent.objects.filter(reason="The member was erased.")
        assert set(late.values_list("outcome", "purchase")) == {("ignored", None)}
        after = earned()
        assert after["transfers"][: len(money["transfers"])] == money["transfers"]
        assert violations() == {}

    def test_the_same_content_again_is_only_a_sighting(
        self, zoe: Member, staff: User
    ) -> None:
        erase(zoe, by=staff, at=LATER)
        events = InboundEvent.objects.count()
        send(order("pending"))
        assert InboundEvent.objects.count() == events
        assert found(*SECRETS) == []

    def test_a_thousand_at_once(self, zoe: Member, staff: User) -> None:
        erase(zoe, by=staff, at=LATER)
        drain()
        before = rows()
        for n in range(1000):
            store(webhook_delivery(order(f"late-{n}")), at=NOW)
        assert drain() == 1000
        assert rows() == before
        assert found(*SECRETS) == []
        late = InboundEvent.objects.filter(reason="The member was erased.")
        assert late.count() >= 1000

    def test_nothing_changes_what_was_erased(self, zoe: Member, staff: User) -> None:
        erase(zoe, by=staff, at=LATER)
        before = earned()
        purchase = Purchase.objects.get(order_key="btnorder-final")
        told = purchase.report
        assert told is not None
        with pytest.raises(Refused, match="erased"):
            resolve(purchase, report=told, reason="No.", by=staff, at=LATER)
        with pytest.raises(Refused, match="erased"):
            assign(purchase, member=None, reason="No.", by=staff, at=LATER)
        zoe.refresh_from_db()
        bobs = Purchase.objects.get(order_key="btnorder-moved")
        with pytest.raises(Refused, match="erased"):
            assign(bobs, member=zoe, reason="No.", by=staff, at=LATER)
        own = Purchase.objects.filter(member=zoe)
        due.settle_all(own, at=LATER)
        account = NetworkAccount.objects.get()
        decide_account(account, rewarding=False, reason="No.", by=staff, at=LATER)
        settled = Settlement.objects.filter(purchase__in=own, decision__kind="erase")
        assert settled.count() == own.count()
        assert earned()["states"] == before["states"]
        ours = [
            t
            for t in earned()["transfers"]
            if t["purchase_id"] in set(own.values_list("pk", flat=True))
        ]
        assert ours == [
            t
            for t in before["transfers"]
            if t["purchase_id"] in set(own.values_list("pk", flat=True))
        ]

    def test_only_an_explicit_call_enrols_them_anew_for_later_orders(
        self, zoe: Member, staff: User
    ) -> None:
        erase(zoe, by=staff, at=NOW)
        drain()
        again, created = put_member(PERSON, at=NOW)
        assert created
        assert again.pk != zoe.pk
        send(
            order("before"),
            order("after", attribution_date="2026-11-21T10:00:00Z"),
            order("final", attribution_date="2026-11-21T10:00:00Z", status="declined"),
        )
        assert list(again.purchases.values_list("order_key", flat=True)) == [
            "btnorder-after"
        ]
        assert violations() == {}
        erase(again, by=staff, at=LATER)
        assert found(*SECRETS) == []
        assert Tombstone.objects.count() == 2

    def test_the_token_is_nobodys_name(self, zoe: Member, staff: User) -> None:
        erase(zoe, by=staff, at=LATER)
        zoe.refresh_from_db()
        with pytest.raises(Refused):
            put_member(zoe.customer_id, at=LATER, email="a@b.example")
        before = rows()
        body = webhook_body(
            transaction(id="tx-t", publisher_customer_id=zoe.customer_id)
        )
        send(body)
        assert rows() == before


def test_a_decision_stands_in_each_history(zoe: Member, staff: User) -> None:
    own = set(Purchase.objects.filter(member=zoe).values_list("pk", flat=True))
    erase(zoe, by=staff, at=LATER)
    [decision] = Decision.objects.filter(kind=Decision.Kind.ERASE)
    assert own <= set(decision.settlements.values_list("purchase", flat=True))
    assert not decision.settlements.exclude(report=None).exists()
    closed = Purchase.objects.filter(pk__in=own)
    assert not closed.exclude(due_at=None).exists()
    assert not closed.exclude(review="").exists()
