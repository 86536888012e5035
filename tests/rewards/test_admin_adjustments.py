"""Adjustments in the admin: from the member's page, approved by another, undone."""

from typing import Any
from uuid import uuid4

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from rewards.models import Adjustment, Member, Terms, Unit
from tests.builders import balances, make_member
from tests.rewards.adjusting import AVAILABLE, adjust, clerk, make_units
from tests.staff import client_of, count_queries, make_staff, make_superuser, text_of

pytestmark = pytest.mark.django_db
LIST = "/admin/rewards/adjustment/"
VIEW = ("rewards.view_adjustment", "rewards.view_member")
BOTH = ("rewards.add_adjustment", "rewards.approve_adjustment", *VIEW)


@pytest.fixture
def ann() -> Client:
    return client_of(make_staff(*BOTH, username="ann"))


@pytest.fixture
def bea() -> Client:
    return client_of(make_staff(*BOTH, username="bea"))


@pytest.fixture(autouse=True)
def alice() -> Member:
    make_units()
    return make_member()


def filled_in(**changes: Any) -> dict[str, Any]:
    return {
        "unit": Unit.objects.get(code="points").pk,
        "amount": "300",
        "reason": "goodwill",
        "note": "The parcel was late.",
        "member_note": "Sorry",
        "key": str(uuid4()),
        **changes,
    }


def page_of(one: Adjustment, action: str = "change") -> str:
    return reverse(f"admin:rewards_adjustment_{action}", args=[one.pk])


def give(client: Client, **changes: Any) -> Any:
    page = reverse("admin:rewards_member_adjust", args=[Member.objects.get().pk])
    return client.post(page, filled_in(**changes), follow=True)


def test_a_small_one_is_posted_from_the_members_page(ann: Client) -> None:
    key = str(uuid4())
    for _ in range(2):  # a double click
        assert "is posted: +300 points." in text_of(give(ann, key=key))
    assert balances() == {AVAILABLE: 300}
    one = Adjustment.objects.get()
    said = text_of(ann.get(page_of(one)))
    assert "+300 points" in said
    assert "The parcel was late." in said
    noted = LogEntry.objects.filter(object_id=str(one.member_id))
    assert str(one) in noted[0].change_message


def test_money_is_typed_with_its_decimals(ann: Client) -> None:
    dollars = Unit.objects.get(code="USD").pk
    said = text_of(give(ann, unit=dollars, amount="302"))
    assert "“302” is no amount of USD: write it like 3.02." in said
    assert not Adjustment.objects.exists()
    give(ann, unit=dollars, amount="3.02")
    assert balances() == {("USD", "available"): 302}


def test_a_refusal_stands_on_the_form(ann: Client) -> None:
    assert "alice has 0 points available: 5 points" in text_of(give(ann, amount="-5"))
    assert not Adjustment.objects.exists()


def test_a_large_one_waits_for_another(ann: Client, bea: Client) -> None:
    assert "waits for somebody else" in text_of(give(ann, amount="5000"))
    one = Adjustment.objects.get()
    assert page_of(one, "approve") not in text_of(ann.get(page_of(one)))
    said = text_of(ann.post(page_of(one, "approve")))
    assert "Whoever asked for an adjustment can" in said
    assert balances() == {}
    waiting = f"{LIST}?waiting=yes"
    assert page_of(one) in text_of(bea.get(waiting))
    assert page_of(one, "approve") in text_of(bea.get(page_of(one)))
    bea.post(page_of(one, "approve"))
    assert balances() == {AVAILABLE: 5000}
    assert page_of(one) not in text_of(bea.get(waiting))


def test_each_is_dropped_or_undone_with_a_reason(ann: Client) -> None:
    give(ann, amount="5000")
    give(ann, amount="100")
    small, large = Adjustment.objects.order_by("amount")
    for one, action in ((large, "drop"), (small, "undo")):
        assert "required" in text_of(ann.post(page_of(one, action), {"reason": ""}))
        ann.post(page_of(one, action), {"reason": "A mistake"})
        one.refresh_from_db()
        assert one.why_ended == "A mistake"
        assert LogEntry.objects.filter(object_id=str(one.pk)).exists()
    assert (large.state, small.state, balances()) == ("dropped", "undone", {})


def test_ones_own_account_is_refused(ann: Client) -> None:
    Member.objects.update(user=int(ann.session["_auth_user_id"]))
    assert "That is your own account" in text_of(give(ann))
    assert not Adjustment.objects.exists()


def test_a_list_costs_the_same_with_many() -> None:
    root = client_of(make_superuser())
    by = clerk()
    for n in range(2):
        adjust(make_member(f"m{n}"), 5, by=by)
    few = count_queries(root, LIST)
    for n in range(2, 12):
        adjust(make_member(f"m{n}"), 5, by=by)
    assert count_queries(root, LIST) == few


def test_terms_are_typed_in_the_units_own_figures() -> None:
    root = client_of(make_superuser())
    add = reverse("admin:rewards_terms_add")
    dollars = Unit.objects.get(code="USD")
    filled = {"unit": dollars.pk, "forgive_below": "0", "warn_days": "14"}
    said = text_of(root.post(add, {**filled, "alone_up_to": "20"}))
    assert "“20” is no amount of USD" in said
    said = text_of(root.post(add, {**filled, "alone_up_to": "-1.00"}))
    assert "below zero" in said
    assert not Terms.objects.exists()
    root.post(add, {**filled, "alone_up_to": "20.00", "forgive_below": "0.50"})
    terms = Terms.objects.get()
    assert (terms.alone_up_to, terms.forgive_below) == (2000, 50)
    page = reverse("admin:rewards_terms_change", args=[terms.pk])
    assert 'value="20.00"' in text_of(root.get(page))
    root.post(page, {**filled, "alone_up_to": "30.00"})
    terms.refresh_from_db()
    assert (terms.alone_up_to, terms.unit) == (3000, dollars)
    looks = client_of(make_staff("rewards.view_terms"))
    assert "$30.00" in text_of(looks.get(page))
    assert looks.post(page, filled).status_code == 403
