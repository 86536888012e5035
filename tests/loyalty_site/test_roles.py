"""The roles that are shipped: what each may, what none may, and that it stays so."""

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.core.management import call_command

from loyalty_site.roles import AUDITOR, ROLES

pytestmark = pytest.mark.django_db
roles = pytest.mark.parametrize("name", [*ROLES, AUDITOR])


def holder(name: str) -> User:
    user = User.objects.create_user("holder", is_staff=True)
    user.groups.add(Group.objects.get(name=name))
    return user


@pytest.mark.parametrize("name", ROLES)
def test_a_role_has_exactly_its_permissions(name: str) -> None:
    assert holder(name).get_all_permissions() == set(ROLES[name])


def test_an_auditor_sees_everything_and_changes_nothing() -> None:
    held = holder(AUDITOR).get_all_permissions()
    seen = Permission.objects.filter(codename__startswith="view_").count()
    assert len(held) == seen
    assert all(".view_" in name for name in held)


@roles
def test_no_role_gives_itself_more(name: str) -> None:
    held = holder(name).get_all_permissions()
    forbidden = {name for name in held if name.startswith(("auth.", "admin."))}
    assert all(".view_" in name for name in forbidden)


@pytest.mark.parametrize("name", ROLES)
def test_whoever_changes_something_sees_it(name: str) -> None:
    held = set(ROLES[name])
    for permission in held:
        app, _, codename = permission.partition(".")
        verb, _, model = codename.partition("_")
        if verb in ("add", "change", "delete"):
            assert f"{app}.view_{model}" in held, permission


def test_migrating_again_puts_a_role_back() -> None:
    role = Group.objects.get(name="Support")
    role.permissions.add(Permission.objects.get(codename="erase_member"))
    role.permissions.remove(Permission.objects.get(codename="view_member"))
    own = Group.objects.create(name="Weekend helpers")
    call_command("migrate", verbosity=0)
    assert holder("Support").get_all_permissions() == set(ROLES["Support"])
    assert not own.permissions.exists()
