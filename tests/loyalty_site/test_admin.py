"""Staff accounts: nobody gives himself, or anybody, more than he has."""

from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse

from loyalty_site.roles import AUDITOR, ROLES
from loyalty_site.unfold import MENU, UNFOLD
from tests.staff import PASSWORD, client_of, make_staff, make_superuser, text_of

pytestmark = pytest.mark.django_db
POWERS = ("is_staff", "is_superuser", "groups", "user_permissions")
ALL = ("add", "change", "view", "delete")


@pytest.fixture
def clerk() -> User:
    """Staff who may do everything to users that a permission can allow."""
    names = [f"auth.{verb}_{model}" for verb in ALL for model in ("user", "group")]
    return make_staff(*names)


def page_of(user: User, page: str = "change") -> str:
    return reverse(f"admin:auth_user_{page}", args=[user.pk])


def powers(user: User) -> dict[str, Any]:
    user = User.objects.get(pk=user.pk)
    return {
        "staff": user.is_staff,
        "superuser": user.is_superuser,
        "password": user.password,
        "active": user.is_active,
        "groups": list(user.groups.values_list("pk", flat=True)),
        "permissions": sorted(user.user_permissions.values_list("pk", flat=True)),
    }


def grab(group: Group) -> dict[str, Any]:
    """Everything that somebody might ask for."""
    return {
        "username": "changed",
        "is_active": "on",
        "is_staff": "on",
        "is_superuser": "on",
        "groups": [group.pk],
        "user_permissions": [1, 2, 3],
    }


def test_staff_change_neither_themselves_nor_other_staff(clerk: User) -> None:
    client, group = client_of(clerk), Group.objects.create(name="all")
    for user in (clerk, make_staff(username="other"), make_superuser()):
        before = powers(user)
        assert client.post(page_of(user), grab(group)).status_code == 403
        given = {"password1": "taken over now", "password2": "taken over now"}
        password = reverse("admin:auth_user_password_change", args=[user.pk])
        assert client.post(password, given).status_code == 403
        assert powers(user) == before


def test_staff_give_a_plain_login_no_powers(clerk: User) -> None:
    member = User.objects.create_user("member")
    before = powers(member)
    answer = client_of(clerk).post(
        page_of(member), grab(Group.objects.create(name="g"))
    )
    assert answer.status_code == 302
    assert User.objects.get(pk=member.pk).username == "changed"
    assert powers(member) == before


def test_staff_make_logins_without_powers(clerk: User) -> None:
    given = {"username": "new", "password1": PASSWORD, "password2": PASSWORD}
    given |= {"usable_password": "true", "is_superuser": "on", "is_staff": "on"}
    client_of(clerk).post(reverse("admin:auth_user_add"), given)
    new = User.objects.get(username="new")
    assert not new.is_staff
    assert not new.is_superuser


def test_groups_are_a_superusers(clerk: User) -> None:
    group = Group.objects.create(name="weekend helpers")
    shipped = set(ROLES) | {AUDITOR}
    url = reverse("admin:auth_group_change", args=[group.pk])
    assert client_of(clerk).post(url, {"name": "x"}).status_code == 403
    add = reverse("admin:auth_group_add")
    assert client_of(clerk).post(add, {"name": "x"}).status_code == 403
    assert client_of(make_superuser()).get(url).status_code == 200
    names = set(Group.objects.values_list("name", flat=True))
    assert names == {*shipped, "weekend helpers"}


def test_a_shipped_role_stays_as_it_is() -> None:
    root, role = client_of(make_superuser()), Group.objects.get(name="Support")
    for verb in ("change", "delete"):
        url = reverse(f"admin:auth_group_{verb}", args=[role.pk])
        assert root.post(url, {"name": "x", "post": "yes"}).status_code == 403
    role.refresh_from_db()
    assert role.permissions.count() == len(ROLES["Support"])


def test_nobody_is_deleted(clerk: User) -> None:
    root = make_superuser()
    for user in (clerk, root):
        answer = client_of(root).post(page_of(user, "delete"), {"post": "yes"})
        assert answer.status_code == 403
    assert User.objects.count() == 2


def test_a_superuser_gives_powers(clerk: User) -> None:
    root = client_of(make_superuser())
    group = Group.objects.create(name="support")
    given = {"username": "clerk", "is_active": "on", "is_staff": "on"}
    root.post(page_of(clerk), given | {"groups": [group.pk]})
    assert powers(clerk)["groups"] == [group.pk]


@pytest.fixture
def with_menu(settings: Any) -> None:
    settings.UNFOLD = UNFOLD


def menu_links() -> list[str]:
    return [str(item["link"]) for part in MENU for item in part["items"]]


def test_every_link_of_the_menu_leads_somewhere(with_menu: None) -> None:
    root = client_of(make_superuser())
    home = text_of(root.get("/admin/"))
    for link in menu_links():
        assert f'href="{link}"' in home
        assert root.get(link, follow=True).status_code == 200


def test_the_menu_shows_only_what_one_may_see(with_menu: None) -> None:
    client = client_of(make_staff("rewards.view_purchase"))
    home = text_of(client.get("/admin/"))
    shown = [link for link in menu_links() if f'href="{link}"' in home]
    assert shown == ["/admin/rewards/purchase/"]


def test_strangers_are_asked_to_sign_in(client: Client) -> None:
    for link in menu_links():
        assert client.get(link).status_code == 302
