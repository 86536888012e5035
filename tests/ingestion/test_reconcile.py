"""Comparing with the network: what differs is listed, and taken in by one action."""

from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from ingestion.button.client import ButtonClient
from ingestion.button.sandbox import Sandbox
from ingestion.models import Alarm, Difference, InboundEvent, Reconciliation
from ingestion.reconciliation import begin, compare
from rewards.models import Member, Purchase
from rewards.privacy.erasure import erase
from tests.builders import balances, publish_program

pytestmark = pytest.mark.django_db(transaction=True)

DAY = timedelta(days=1)


@pytest.fixture
def placed(button: Sandbox) -> list[Any]:
    """Twelve orders of the last days, polled."""
    publish_program()
    at = datetime.now(UTC).replace(microsecond=0) - 5 * DAY
    orders = [
        button.place(
            customer=f"member{n % 3}",
            total=1000 + n,
            currency="GBP" if n % 4 == 0 else "USD",
            at=at + n * timedelta(hours=9),
        )
        for n in range(12)
    ]
    call_command("poll_transactions")
    return orders


def reconcile(*options: str) -> tuple[int, str]:
    out = StringIO()
    try:
        call_command("reconcile", *options, stdout=out)
    except SystemExit as end:
        return int(str(end.code)), out.getvalue()
    return 0, out.getvalue()


def test_nothing_differs_after_a_poll(button: Sandbox, placed: list[Any]) -> None:
    code, said = reconcile()
    assert code == 0
    assert "12 orders compared, 0 differ" in said
    assert "≠" not in said


def test_what_is_missing_here_is_listed_and_taken_in(
    button: Sandbox, placed: list[Any]
) -> None:
    # A webhook that was lost, of an order that no window will ever see again.
    lost = button.place(customer="alice", total=7000, at=placed[0].created_at)
    code, said = reconcile()
    assert code == 1
    assert f"{lost.order_id}: missing here" in said
    assert "≠" in said
    assert not Purchase.objects.filter(order_key=lost.order_id).exists()
    code, said = reconcile("--take-in")
    assert "1 report taken in" in said
    assert balances("alice") == {("points", "pending"): 70}
    assert reconcile()[0] == 0


def test_what_differs_is_told_field_by_field(
    button: Sandbox, placed: list[Any]
) -> None:
    order = placed[3]
    changed = button.validate(order.id, at=order.modified_at + timedelta(seconds=5))
    code, said = reconcile()
    assert code == 1
    assert f"{order.order_id}: status is 'pending' here and 'validated' there" in said
    reconcile("--take-in")
    assert Purchase.objects.get(order_key=changed.order_id).status == "validated"
    assert reconcile()[0] == 0


def test_what_the_network_does_not_know_is_listed(
    button: Sandbox, placed: list[Any], client_of_button: ButtonClient
) -> None:
    with button.state.change() as db:
        db.execute("DELETE FROM transactions WHERE id = ?", (placed[1].id,))
    code, said = reconcile()
    assert code == 1
    assert f"{placed[1].order_id}: missing at the network" in said


def test_what_is_quarantined_is_told_with_its_reason(
    button: Sandbox, placed: list[Any]
) -> None:
    start = placed[0].created_at
    odd = button.place(customer="alice", at=start, notify=False)
    call_command("poll_transactions", f"--start={start - DAY:%F}")
    InboundEvent.objects.filter(purchase__order_key=odd.order_id).update(
        purchase=None, outcome="quarantined", reason="Held back."
    )
    Purchase.objects.filter(order_key=odd.order_id).update(order_key="renamed")
    code, said = reconcile()
    assert code == 1
    assert f"{odd.order_id}: not settled here: Held back." in said


def test_a_comparison_writes_to_no_purchase(
    button: Sandbox, placed: list[Any], client_of_button: ButtonClient
) -> None:
    button.validate(placed[0].id)
    before = list(Purchase.objects.order_by("pk").values())
    events = InboundEvent.objects.count()
    now = datetime.now(UTC)
    asked = begin(start=now - 30 * DAY, end=now, at=now)
    compare(asked, client_of_button, at=now)
    assert list(Purchase.objects.order_by("pk").values()) == before
    assert InboundEvent.objects.count() == events
    assert Difference.objects.get().order_key == placed[0].order_id
    assert Alarm.objects.get(kind="differences").ended_at is None


def test_the_sums_are_to_the_cent(button: Sandbox, placed: list[Any]) -> None:
    reconcile()
    for row in Reconciliation.objects.get().sums:
        due = sum(
            truth.commission
            for truth in button.truth()
            if (truth.account, truth.currency, truth.status)
            == (row["account"], row["currency"], row["status"])
        )
        assert row["ours"] == row["theirs"] == due


def test_a_network_that_fails_is_said_so(button: Sandbox, placed: list[Any]) -> None:
    button.faults.set("forbidden", probability=1, only="/v1/affiliation/accounts/")
    with pytest.raises(CommandError, match="could not be asked"):
        reconcile()
    assert Reconciliation.objects.get().error
    assert not Difference.objects.exists()


def test_who_was_erased_is_no_difference_until_the_network_changes_an_order(
    button: Sandbox, placed: list[Any]
) -> None:
    member = Member.objects.get(customer_id="member0")
    erase(member, by=None, at=datetime.now(UTC))
    assert reconcile()[0] == 0
    order = placed[0]
    button.validate(order.id, at=order.modified_at + timedelta(seconds=5))
    call_command("poll_transactions")
    code, said = reconcile()
    assert code == 1, "the sums differ, and it says why"
    assert f"{order.order_id}: not settled here: The member was erased." in said
    assert not Alarm.objects.filter(kind=Alarm.Kind.DIFFERENCES, ended_at=None).exists()
    kept = [str(difference.theirs) for difference in Difference.objects.all()]
    assert kept
    assert "member0" not in "".join(kept)
    reconcile("--take-in")
    assert Purchase.objects.get(order_key=order.order_id).status == "pending"
    bodies = b"".join(bytes(e.body) for e in InboundEvent.objects.all())
    assert b"member0" not in bodies
    assert b"member1" in bodies
