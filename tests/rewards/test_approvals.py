"""A second person's yes: by nobody who asked or edited, and void after an edit."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import override_settings
from django.urls import reverse

from rewards import approvals
from rewards.models import Approval, Program, Rule
from rewards.program import draft, editions, vocabulary
from rewards.program.vocabulary import ProgramError
from rewards.refusals import Refused
from tests.builders import NOW, program, publish_program, rule
from tests.staff import client_of, make_staff, make_superuser

pytestmark = pytest.mark.django_db
PERMISSIONS = ("rewards.add_edition", "rewards.change_program", "rewards.view_program")


@pytest.fixture
def ann() -> User:
    return make_staff(*PERMISSIONS, username="ann")


@pytest.fixture
def bob() -> User:
    return make_staff(*PERMISSIONS, username="bob")


@pytest.fixture
def asked(ann: User) -> Approval:
    draft.replace(vocabulary.parse(program()))
    return approvals.ask(by=ann, note="For December.", at=NOW)


def refusal(approval: Approval, by: User) -> str:
    with pytest.raises(Refused) as error:
        approvals.approve(approval, by=by, at=NOW)
    approval.refresh_from_db()
    return str(error.value)


def edit_as(user: User, time_zone: str = "Europe/Madrid") -> None:
    """Through the admin, which keeps who did it."""
    page = reverse("admin:rewards_program_change", args=[Program.load().pk])
    assert client_of(user).post(page, {"time_zone": time_zone}).status_code == 302


@override_settings(REQUIRE_APPROVAL=True)
def test_a_second_person_opens_the_gate(asked: Approval, bob: User) -> None:
    with pytest.raises(ProgramError, match="nobody has approved"):
        editions.publish(now=NOW)
    approvals.approve(asked, by=bob, at=NOW)
    edition = editions.publish(now=NOW)
    assert edition.approval is not None
    assert edition.approval.approved_by == bob


def test_who_asked_does_not_approve(asked: Approval, ann: User) -> None:
    assert "a second person approves" in refusal(asked, ann)
    assert asked.approved_at is None


def test_nor_does_a_superuser_who_asked() -> None:
    draft.replace(vocabulary.parse(program()))
    root = make_superuser()
    approval = approvals.ask(by=root, note="", at=NOW)
    assert "a second person approves" in refusal(approval, root)


def test_who_edited_the_draft_does_not_approve(ann: User, bob: User) -> None:
    draft.replace(vocabulary.parse(program()))
    edit_as(bob)
    approval = approvals.ask(by=ann, note="", at=NOW)
    assert "You edited the draft" in refusal(approval, bob)


def test_an_edit_of_an_edition_long_published_is_forgotten(
    ann: User, bob: User
) -> None:
    draft.replace(vocabulary.parse(program()))
    edit_as(bob)
    later = approvals.editors().latest("action_time").action_time
    editions.publish(now=later + timedelta(seconds=1))
    approval = approvals.ask(by=ann, note="", at=NOW)
    approvals.approve(approval, by=bob, at=NOW)


def test_ending_the_program_forgets_no_edit(ann: User, bob: User) -> None:
    publish_program(now=NOW - timedelta(days=9))
    edit_as(bob)
    later = approvals.editors().latest("action_time").action_time
    editions.retire(now=later + timedelta(seconds=1))
    approval = approvals.ask(by=ann, note="", at=NOW)
    assert "You edited the draft" in refusal(approval, bob)


def test_who_may_not_publish_takes_no_part(asked: Approval) -> None:
    clerk = make_staff("rewards.change_rule")
    assert "may publish" in refusal(asked, clerk)
    with pytest.raises(Refused, match="may publish"):
        approvals.ask(by=clerk, note="", at=NOW)


def test_nor_does_who_has_left(asked: Approval, bob: User) -> None:
    bob.is_active = False
    bob.save()
    assert "may publish" in refusal(asked, bob)


@override_settings(REQUIRE_APPROVAL=True)
def test_an_edit_makes_an_approval_void(asked: Approval, bob: User) -> None:
    approvals.approve(asked, by=bob, at=NOW)
    Rule.objects.update(label="Edited")
    with pytest.raises(ProgramError, match="nobody has approved"):
        editions.publish(now=NOW)


def test_what_was_edited_since_is_asked_for_anew(
    asked: Approval, ann: User, bob: User
) -> None:
    Rule.objects.update(label="Edited")
    assert "ask for it to be approved anew" in refusal(asked, bob)
    anew = approvals.ask(by=ann, note="", at=NOW)
    approvals.approve(anew, by=bob, at=NOW)


def test_the_same_draft_is_asked_for_and_approved_once(
    asked: Approval, bob: User
) -> None:
    with pytest.raises(Refused, match="already"):
        approvals.ask(by=bob, note="", at=NOW)
    approvals.approve(asked, by=bob, at=NOW)
    assert "approved before" in refusal(asked, bob)


def test_a_draft_that_is_wrong_is_not_asked_for(ann: User) -> None:
    draft.replace(vocabulary.parse(program(rule())))
    wrong: dict[str, Any] = {"kind": "fixed", "points": "0"}
    Rule.objects.update(reward=wrong)
    with pytest.raises(ProgramError, match="points"):
        approvals.ask(by=ann, note="", at=NOW)
    assert not Approval.objects.exists()
