"""Staff export a member's data, and erase who asks for it."""

import json

import pytest
from django.contrib.auth.models import User
from django.urls import reverse

from rewards.models import Freeze, Member, Tombstone
from tests.builders import NOW, make_member, publish_program, report, settle_reports
from tests.rewards.departures import MAIL, PERSON, found, somebody
from tests.staff import client_of, make_staff, make_superuser

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff() -> User:
    return make_superuser()


@pytest.fixture
def member() -> Member:
    publish_program()
    member = make_member(PERSON, email=MAIL)
    settle_reports(report(customer_id=PERSON, status="validated"))
    return member


def page(name: str, member: Member) -> str:
    return reverse(f"admin:rewards_member_{name}", args=[member.pk])


def test_it_is_asked_for_by_name_and_done_once(member: Member, staff: User) -> None:
    client = client_of(staff)
    asked = client.get(page("erase", member)).content.decode()
    assert "Nobody can undo this." in asked
    wrong = client.post(page("erase", member), {"customer_id": "somebody"})
    assert "not this member" in wrong.content.decode()
    assert not Tombstone.objects.exists()
    assert (
        client.post(page("erase", member), {"customer_id": PERSON}).status_code == 302
    )
    assert Tombstone.objects.get().erased_by == staff
    assert found(PERSON, MAIL) == []
    shown = client.get(page("change", member)).content.decode()
    assert PERSON not in shown
    assert 'name="_save"' not in shown, "nobody changes who was erased"


def test_the_certificate_is_there_to_read(member: Member, staff: User) -> None:
    client = client_of(staff)
    client.post(page("erase", member), {"customer_id": PERSON})
    tombstone = Tombstone.objects.get()
    listed = client.get(reverse("admin:rewards_tombstone_changelist"))
    assert str(tombstone) in listed.content.decode()
    shown = client.get(
        reverse("admin:rewards_tombstone_change", args=[tombstone.pk])
    ).content.decode()
    assert "available points" in shown
    assert "What is kept" in shown


def test_a_frozen_member_stays(member: Member, staff: User) -> None:
    Freeze.objects.create(member=member, check_name="sums", frozen_at=NOW)
    answer = client_of(staff).post(page("erase", member), {"customer_id": PERSON})
    assert "frozen" in answer.content.decode()
    assert not Tombstone.objects.exists()


def test_whoever_may_only_change_members_erases_nobody(member: Member) -> None:
    client = client_of(make_staff("rewards.view_member", "rewards.change_member"))
    assert client.get(page("erase", member)).status_code == 403
    answer = client.post(page("erase", member), {"customer_id": PERSON})
    assert answer.status_code == 403
    assert not Tombstone.objects.exists()


def test_the_export_is_a_file_named_by_number(member: Member, staff: User) -> None:
    answer = client_of(staff).get(page("export", member))
    assert "attachment" in answer["Content-Disposition"]
    assert PERSON not in answer["Content-Disposition"]
    assert json.loads(answer.content)["member"]["customer_id"] == PERSON


def test_the_export_of_a_long_life_hides_what_is_sealed(staff: User) -> None:
    member = somebody(staff)
    told = client_of(staff).get(page("export", member)).content.decode()
    assert "DE02700100100006820101" not in told
    assert "CODE-of-Zoe" not in told
    assert "called" not in told, "staff's notes are not the member's"
    said = json.loads(told)
    assert {"pending", "available"} <= said["balances"][0].keys()
    assert len(said["purchases"]) >= 5
    assert len(said["redemptions"]) == 4
