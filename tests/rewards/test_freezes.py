"""Where books don't add up they are frozen, and everybody else's go on."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client

from ingestion.models import Alarm, InboundEvent
from ingestion.processing import drain
from ingestion.verification import act_on, checks
from rewards import adjustments, appendonly, freezes
from rewards.ledger import expiries
from rewards.models import Account, Freeze, Member, Purchase, Unit
from rewards.redemptions import fulfilment
from rewards.redemptions.reserving import redeem
from rewards.refusals import Refused
from rewards.settling.reviews import FROZEN
from tests.builders import (
    NOW,
    balances,
    post_webhook,
    publish_program,
    report,
    rule,
    settle_reports,
    transaction,
    webhook_body,
)
from tests.rewards.redeeming import make_reward
from tests.staff import client_of, make_staff, make_superuser, said

pytestmark = pytest.mark.django_db

POINTS = ("points", "available")
BROKEN = "every balance is the sum of its transfers"


def earn(customer_id: str, total: int = 9100) -> None:
    settle_reports(
        report(
            order_id=f"order-{customer_id}",
            transaction_id=f"tx-{customer_id}",
            customer_id=customer_id,
            order_total=total,
            status="validated",
        )
    )


def drift(customer_id: str, change: int) -> None:
    """Change a balance as no code of ours does."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE rewards_account SET balance = balance + %s WHERE kind = 'available'"
            " AND member_id = (SELECT id FROM rewards_member WHERE customer_id = %s)",
            [change, customer_id],
        )


def verify(at: Any = NOW) -> int:
    return act_on(checks(at=at), at=at)


@pytest.fixture
def staff() -> User:
    return make_superuser()


@pytest.fixture
def drifted() -> Member:
    """Two members of 91 points, of whom alice has 9 too many."""
    publish_program(rule(expires_after_days=30))
    earn("alice")
    earn("bob")
    drift("alice", 9)
    verify()
    return Member.objects.get(customer_id="alice")


def adjust(customer_id: str, staff: User) -> None:
    adjustments.adjust(
        Member.objects.get(customer_id=customer_id),
        unit=Unit.objects.get(code="points"),
        amount=5,
        reason="goodwill",
        note="A test.",
        by=staff,
        at=NOW,
    )


def test_whom_a_violation_concerns_is_frozen_and_nobody_else(drifted: Member) -> None:
    assert set(Freeze.objects.values_list("member", "purchase")) == {(drifted.pk, None)}
    assert BROKEN in Freeze.objects.values_list("check_name", flat=True)
    alarm = Alarm.objects.get(kind="books", subject=BROKEN)
    assert "member" in alarm.text
    frozen = Freeze.objects.count()
    verify()
    assert Freeze.objects.count() == frozen, "one that stands is not frozen again"


def test_nothing_of_the_frozen_is_spent_adjusted_or_expires(
    drifted: Member, staff: User
) -> None:
    reward = make_reward(minimum=1)
    with pytest.raises(Refused, match="frozen"):
        redeem(drifted, reward=reward, amount=10, key="k", at=NOW)
    with pytest.raises(Refused, match="frozen"):
        adjust("alice", staff)
    later = NOW + timedelta(days=60)
    expiries.expire(at=later)
    assert balances("alice") == {POINTS: 100}
    assert balances("bob") == {}, "but others' go on"


def test_others_go_on(drifted: Member, staff: User) -> None:
    adjust("bob", staff)
    bob = Member.objects.get(customer_id="bob")
    redemption = redeem(bob, reward=make_reward(minimum=1), amount=10, key="k", at=NOW)
    fulfilment.fulfil(redemption, by=staff, at=NOW)
    assert balances("bob") == {POINTS: 86}


@pytest.mark.django_db(transaction=True)
def test_a_webhook_is_answered_its_order_waits_and_is_settled_once_lifted(
    client: Client,
) -> None:
    publish_program()
    earn("alice")
    drift("alice", 9)
    verify()
    answer = post_webhook(client, webhook_body(transaction()))
    assert answer.status_code == 200
    other = transaction(
        id="tx-bob", button_order_id="btn-bob", publisher_customer_id="bob"
    )
    assert post_webhook(client, webhook_body(other)).status_code == 200
    drain()
    assert InboundEvent.objects.get(purchase__member__customer_id="alice").outcome == (
        "review"
    )
    waiting = Purchase.objects.get(review=FROZEN)
    assert waiting.member and waiting.member.customer_id == "alice"
    assert balances("alice") == {POINTS: 100}
    assert balances("bob") == {("points", "pending"): 155}
    drift("alice", -9)
    assert not [c.name for c in checks(at=NOW) if c.violations]
    root = make_superuser()
    for freeze in Freeze.objects.filter(lifted_at=None):
        freezes.lift(freeze, reason="Mended.", by=root, at=datetime.now(UTC))
    waiting.refresh_from_db()
    assert waiting.review == ""
    assert balances("alice") == {POINTS: 91, ("points", "pending"): 155}
    verify()
    assert not Alarm.objects.filter(kind="books", ended_at=None).exists()


def test_a_purchase_alone_is_frozen_where_it_alone_is_wrong() -> None:
    publish_program()
    earn("alice")
    settle_reports(report(order_id="other", transaction_id="tx-other"))
    with appendonly.lifted(), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE rewards_report SET content = replace(CAST(content AS text),"
            " 'tx-other', 'tx-otter')"
            + ("::jsonb" if connection.vendor == "postgresql" else "")
            + " WHERE transaction_id = 'tx-other'"
        )
    verify()
    assert {(f.member, f.purchase.order_key) for f in Freeze.objects.all()} == {
        (None, "other")
    }
    settle_reports(
        report(
            order_id="other",
            transaction_id="tx-other",
            status="validated",
            modified_at=NOW,
        )
    )
    assert Purchase.objects.get(order_key="other").review == FROZEN
    earn("alice-2")
    assert balances("alice-2") == {POINTS: 91}


def test_what_concerns_the_program_freezes_nobody_but_is_told() -> None:
    publish_program(rule(limits={"budget": 1000}))
    earn("alice")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE rewards_budget SET used = used + 1")
    assert verify() == 1
    assert not Freeze.objects.exists()
    assert Alarm.objects.get(kind="books").subject.startswith("every budget")


def test_only_who_may_lifts_says_why_and_once(drifted: Member, staff: User) -> None:
    freeze = Freeze.objects.filter(check_name=BROKEN).get()
    clerk = make_staff("rewards.view_freeze")
    for by, reason in ((None, "Mended."), (clerk, "Mended."), (staff, "  ")):
        with pytest.raises(Refused):
            freezes.lift(freeze, reason=reason, by=by, at=NOW)
    freeze.refresh_from_db()
    assert freeze.lifted_at is None
    freezes.lift(freeze, reason="Mended.", by=staff, at=NOW)
    assert (freeze.lifted_by, freeze.why_lifted) == (staff, "Mended.")
    with pytest.raises(Refused, match="before"):
        freezes.lift(freeze, reason="Mended.", by=staff, at=NOW)


def test_staff_lift_on_the_page(drifted: Member, staff: User) -> None:
    page = client_of(staff)
    freeze = Freeze.objects.filter(check_name=BROKEN).get()
    url = f"/admin/rewards/freeze/{freeze.pk}/lift/"
    assert BROKEN in page.get(url).content.decode()
    assert page.get("/admin/rewards/freeze/").status_code == 200
    answer = page.post(url, {"reason": "Mended."}, follow=True)
    assert "lifted" in said(answer)[0]
    freeze.refresh_from_db()
    assert freeze.why_lifted == "Mended."
    assert Account.objects.filter(member=drifted, balance=100).exists()
