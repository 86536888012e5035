"""Against the network, and signed off: zero or listed, decided, by somebody."""

from typing import Any

import pytest
from django.contrib.auth.models import User

from rewards.closing.network import LATER, Answer, Listed, Sum
from rewards.closing.signing import PERMISSION, sign
from rewards.decisions import resolve
from rewards.models import Close
from rewards.refusals import Refused
from tests.builders import ORDERED, purchase, rule
from tests.rewards.closing import (
    FIRST,
    SECOND,
    at,
    change,
    close,
    order,
    publish,
    returned,
)
from tests.staff import make_staff

pytestmark = pytest.mark.django_db

USD = ("acc-1", "USD")
AGREES = Answer(frozenset({"acc-1"}), {USD: Sum(910, 2)})


@pytest.fixture
def ann() -> User:
    return make_staff(PERMISSION, username="ann")


@pytest.fixture(autouse=True)
def two_orders() -> None:
    publish(rule())
    order("one", status="validated")
    order("two")


def signed(found: Close, by: User, **changes: Any) -> bool:
    sign(found, **{"by": by, "note": "", "at": at(SECOND), **changes})
    return found.signed_at is not None


def refusal(found: Close, by: User, **changes: Any) -> str:
    """Why it is not signed off; nothing was written."""
    before = Close.objects.values().get(pk=found.pk)
    with pytest.raises(Refused) as refused:
        signed(found, by, **changes)
    assert Close.objects.values().get(pk=found.pk) == before
    return str(refused.value)


def test_an_equal_sum_has_no_difference() -> None:
    order("gone", status="declined")
    order("of another day", attributed_at=ORDERED, created_at=ORDERED)
    found = close(FIRST, network=AGREES)
    assert (found.differences, found.figures["network"]) == ([], "")


def test_a_difference_is_listed_by_its_orders() -> None:
    listed = {USD: [Listed("three", 455, "missing here")]}
    answer = Answer(frozenset({"acc-1"}), {USD: Sum(1370, 3)}, listed)
    assert close(FIRST, network=answer).differences == [
        {
            "account": "acc-1",
            "currency": "USD",
            "ours": 910,
            "theirs": 1370,
            "our_purchases": 2,
            "their_purchases": 3,
            "difference": 460,
            "orders": [["three", 455, "missing here"]],
            "unexplained": 5,
        }
    ]


def test_what_was_settled_after_the_day_explains_itself() -> None:
    order("two", day=SECOND, created_at=at(FIRST), status="validated", commission=500)
    order("three", day=SECOND, created_at=at(FIRST))
    answer = Answer(frozenset({"acc-1"}), {USD: Sum(1410, 3)})
    (found,) = close(FIRST, network=answer).differences
    assert found["orders"] == [["three", 455, LATER], ["two", 45, LATER]]
    assert (found["difference"], found["unexplained"]) == (500, 0)


def test_an_account_that_was_not_asked_about_is_left_out() -> None:
    order("other", account="acc-2")
    assert close(FIRST, network=AGREES).differences == []


def test_a_network_that_knows_nothing_of_a_day_differs() -> None:
    (found,) = close(FIRST, network=Answer(frozenset({"acc-1"}), {})).differences
    assert (found["ours"], found["theirs"], found["unexplained"]) == (910, 0, -910)


def test_a_network_that_was_not_asked_is_said_so() -> None:
    found = close(FIRST, network="There is no API key.")
    assert found.figures["network"] == "There is no API key."
    assert found.differences == []


def test_a_person_with_the_permission_signs_once(ann: User) -> None:
    found = close(FIRST, network=AGREES)
    assert "may not" in refusal(found, make_staff("rewards.change_close"))
    assert signed(found, ann, note=" All well ")
    assert (found.signed_by, found.note) == (ann, "All well")
    assert "signed off already" in refusal(found, ann)


def test_a_difference_takes_a_note(ann: User) -> None:
    found = close(FIRST, network=Answer(frozenset({"acc-1"}), {}))
    assert "differs from the network" in refusal(found, ann, note=" ")
    assert signed(found, ann, note="They mend it tomorrow.")


def test_days_are_signed_in_their_order(ann: User) -> None:
    first, second = close(FIRST), close(SECOND)
    assert "2026-11-20 has to be signed off first" in refusal(second, ann)
    assert signed(first, ann)
    assert signed(second, ann)


def test_a_final_order_that_changed_stops_it_until_somebody_decides(ann: User) -> None:
    returned("one", day=FIRST)
    found = close(FIRST)
    assert "changed afterwards, and wait for a decision: one." in refusal(found, ann)
    chosen = purchase("one").reports.get(status="validated")
    resolve(purchase("one"), report=chosen, reason="So", by=None, at=at(SECOND))
    assert signed(found, ann)


def test_one_that_changed_after_the_day_stops_the_next_day_only(ann: User) -> None:
    returned("one", day=SECOND)
    first, second = close(FIRST), close(SECOND)
    assert signed(first, ann)
    assert "wait for a decision" in refusal(second, ann)


def test_a_review_of_another_kind_stops_nothing(ann: User) -> None:
    order("three", status="validated", commission=None)
    assert purchase("three").review
    assert signed(close(FIRST), ann)


def test_books_that_do_not_add_up_are_not_signed(ann: User) -> None:
    change(
        "UPDATE rewards_award SET granted = 90"
        " WHERE id IN (SELECT MAX(id) FROM rewards_award)"
    )
    said = refusal(close(FIRST), ann)
    assert "off the commission" in said
    assert "hold other points than they were awarded: 1." in said


def test_books_that_changed_since_are_not_signed(ann: User) -> None:
    found = close(FIRST)
    change("UPDATE rewards_transfer SET amount = amount + 1")
    assert "not what was sealed" in refusal(found, ann)
