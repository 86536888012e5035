"""The audit log: before, after, who and why; and nobody can change it."""

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, User
from django.db import DatabaseError, transaction
from django.urls import reverse

from merchants.admin.audit import AuditedAdmin
from merchants.admin.tables import ReadOnlyAdmin
from rewards.models import Member
from rewards.privacy.erasure import erase
from tests.builders import NOW, make_member
from tests.staff import client_of, make_staff, make_superuser, text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice() -> Member:
    return make_member("alice")


@pytest.fixture
def changed(alice: Member) -> LogEntry:
    """Staff give a member an address, and say why."""
    client = client_of(make_superuser("root"))
    url = reverse("admin:rewards_member_change", args=[alice.pk])
    assert 'name="why"' in text_of(client.get(url))
    said = {"email": "a@example.com", "locale": "", "segments": "zoë"}
    client.post(url, {**said, "why": "She asked by phone."})
    return LogEntry.objects.get()


def test_every_admin_that_writes_is_audited() -> None:
    bare = [
        name
        for name, one in admin.site._registry.items()
        if not isinstance(one, AuditedAdmin | ReadOnlyAdmin)
    ]
    assert not bare


def test_a_change_is_kept_with_both_values_and_its_reason(changed: LogEntry) -> None:
    client = client_of(make_staff("admin.view_logentry"))
    page = text_of(
        client.get(reverse("admin:admin_logentry_change", args=[changed.pk]))
    )
    for said in ("a@example.com", "zoë", "She asked by phone.", "root"):
        assert said in page
    listed = text_of(client.get(reverse("admin:admin_logentry_changelist")))
    assert "Changed E-mail and Segments." in listed
    assert "She asked by phone." in listed


def test_what_an_action_noted_is_shown_as_it_is(alice: Member) -> None:
    root = make_superuser("root")
    LogEntry.objects.log_actions(root.pk, [alice], 2, "Assigned: theirs")
    client = client_of(root)
    assert "Assigned: theirs" in text_of(
        client.get(reverse("admin:admin_logentry_changelist"))
    )


def test_what_is_deleted_is_kept(alice: Member) -> None:
    role = Group.objects.create(name="Weekend helpers")
    client = client_of(make_superuser("root"))
    url = reverse("admin:auth_group_delete", args=[role.pk])
    client.post(url, {"post": "yes", "why": "Nobody works at weekends."})
    message = LogEntry.objects.get().change_message
    assert "Weekend helpers" in message
    assert "Nobody works at weekends." in message


def test_a_password_is_never_kept() -> None:
    client = client_of(make_superuser("root"))
    said = {"username": "newcomer", "usable_password": "true"}
    words = {"password1": "Quartz-Lantern-9", "password2": "Quartz-Lantern-9"}
    client.post(reverse("admin:auth_user_add"), {**said, **words})
    assert User.objects.filter(username="newcomer").exists()
    found = User.objects.get(username="newcomer")
    url = reverse("admin:auth_user_password_change", args=[found.pk])
    again = {"password1": "Quartz-Lantern-8", "password2": "Quartz-Lantern-8"}
    client.post(url, {"usable_password": "true", **again})
    added, changed = LogEntry.objects.order_by("pk")
    assert "Quartz" not in added.change_message + changed.change_message
    assert changed.get_change_message() == "Changed password."


@pytest.mark.parametrize(
    "act",
    [
        lambda rows: rows.update(user_id=2),
        lambda rows: rows.update(action_flag=1),
        lambda rows: rows.delete(),
    ],
)
def test_the_log_cannot_be_changed(changed: LogEntry, act) -> None:
    with pytest.raises(DatabaseError), transaction.atomic():
        act(LogEntry.objects.filter(pk=changed.pk))
    assert LogEntry.objects.get().user.username == "root"


def test_an_erased_person_is_gone_from_it(changed: LogEntry, alice: Member) -> None:
    alice.refresh_from_db()
    erase(alice, by=User.objects.get(), at=NOW)
    kept = " ".join(LogEntry.objects.values_list("change_message", flat=True))
    assert "a@example.com" not in kept
    assert "alice" not in kept


@pytest.mark.parametrize("verb", ["add", "delete"])
def test_nobody_adds_or_deletes_here(changed: LogEntry, verb: str) -> None:
    client = client_of(make_superuser("other"))
    ids = [] if verb == "add" else [changed.pk]
    url = reverse(f"admin:admin_logentry_{verb}", args=ids)
    assert client.post(url, {"post": "yes"}).status_code == 403
    assert LogEntry.objects.count() == 1
