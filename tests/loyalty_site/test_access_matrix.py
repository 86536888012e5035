"""Who may ask for what: every address of the site, every role, every method.

Walked from the URL map itself, so that an address without an expectation fails. Objects
need not exist: whether somebody may is decided before whether there is anything.
"""

import logging
import re
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from loyalty_site.roles import AUDITOR, ROLES
from tests.builders import publish_program, rule
from tests.rewards.test_admin_access import MAY as OURS
from tests.rewards.visitors import sign_in
from tests.staff import client_of

pytestmark = [pytest.mark.django_db, pytest.mark.once]

METHODS = ("get", "head", "post", "put", "patch", "delete", "options")
SAFE = ("get", "head")
VERBS = {
    "changelist": ("view", "change"),
    "history": ("view", "change"),
    "change": ("view", "change"),
    "add": ("add",),
    "delete": ("delete",),
}
MAY = {
    **OURS,
    "networkaccount_confirm": "change_networkaccount",
    "networkaccount_leave_out": "change_networkaccount",
    "apikey_revoke": "change_apikey",
    "alarm_mark_this_seen": "ingestion.change_alarm",
    "inboundevent_process_this_again": "ingestion.change_inboundevent",
    "window_ask_network": "change_purchase",
    "poll_poll_now": "ingestion.change_poll",
    "poll_backfill": "ingestion.change_poll",
    "reconciliation_compare": "ingestion.change_reconciliation",
    "reconciliation_take_in_what_is_missing": "ingestion.change_reconciliation",
}
"""Pages of ours by the one permission that each asks for, of rewards where not said."""

ANY_STAFF = {"index", "password_change", "password_change_done", "jsi18n", "search"}
"""Django's and the theme's own, which are everybody's and show nothing of a model."""

BY_MODEL = {"autocomplete", "view_on_site", "app_list", "auth_user_password_change"}
"""They ask for the permission of the model that they are asked about."""

FOR_ALL = {"admin:", "admin:login", "admin:logout"}

NEVER = {
    *("ingestion_reconciliation_add", "ingestion_window_add", "rewards_adjustment_add"),
    *("rewards_backtest_add", "rewards_bulk_add", "rewards_edition_add"),
    "rewards_rerun_add",
}
"""Made by pages of our own, never by a bare form."""


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Each refusal is logged with its traceback, and there are thousands."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


class Address(NamedTuple):
    """One address: its name, its route, and something that fits its parameters."""

    name: str
    route: str

    @property
    def path(self) -> str:
        route = re.sub(r"<slug:[^>]+>", "nothing", self.route)
        route = re.sub(r"<(path|int):[^>]+>", "999999", route)
        route = re.sub(r"<[^>]+>", "nobody", route)
        return "/" + route


def addresses() -> list[Address]:
    return list(dict.fromkeys(_walk(get_resolver(), "", "")))


def _walk(place: URLResolver, prefix: str, route: str) -> Iterator[Address]:
    for one in place.url_patterns:
        if isinstance(one, URLResolver):
            inner = f"{prefix}{one.namespace}:" if one.namespace else prefix
            yield from _walk(one, inner, route + str(one.pattern))
        elif isinstance(one, URLPattern) and "(?P<" not in str(one.pattern):
            yield Address(f"{prefix}{one.name or ''}", route + str(one.pattern))


def test_every_address_of_the_admin_has_an_expectation() -> None:
    assert not [one for one in of_admin() if not _known(one)]


def of_admin() -> list[Address]:
    """The addresses of the admin, but for those that are everybody's."""
    return [
        one
        for one in addresses()
        if one.route.startswith("admin/") and one.name not in FOR_ALL
    ]


def _known(one: Address) -> bool:
    name = one.name.removeprefix("admin:")
    own = name.partition("_")[2]
    named = {*ANY_STAFF, *BY_MODEL, "find", "health"}
    return name in named or own in MAY or name.rpartition("_")[2] in VERBS


def allowed(one: Address, user: User) -> bool:
    """Whether this person may, by permissions alone."""
    name = one.name.removeprefix("admin:")
    app, _, own = name.partition("_")
    if name == "health":
        return user.has_perm("ingestion.view_alarm")
    if name in ANY_STAFF or name == "find":
        return True
    if own in MAY:
        wanted = MAY[own] if "." in MAY[own] else f"rewards.{MAY[own]}"
        return user.has_perm(wanted)
    model, _, verb = own.rpartition("_")
    verbs = () if name in NEVER else VERBS[verb]
    return any(user.has_perm(f"{app}.{one}_{model}") for one in verbs)


class Answer(NamedTuple):
    """How an address answered, and whether it should have let this person in."""

    address: str
    method: str
    status: int
    may: bool

    @property
    def is_expected(self) -> bool:
        if self.status >= 500:
            return False
        if not self.may:
            return self.status >= 300
        return self.method not in SAFE or self.status != 403


def answers(
    client: Client, user: User, methods: tuple[str, ...] = ("get", "post")
) -> Iterator[Answer]:
    for one in of_admin():
        if one.name.removeprefix("admin:") not in BY_MODEL:
            may = allowed(one, user)
            for method in methods:
                status = getattr(client, method)(one.path).status_code
                yield Answer(one.name, method, status, may)


@pytest.mark.parametrize("role", [*ROLES, AUDITOR])
def test_a_role_gets_what_it_may_and_nothing_else(role: str) -> None:
    publish_program(rule())
    user = User.objects.create_user("holder", is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    wrong = [one for one in answers(client_of(user), user) if not one.is_expected]
    assert not wrong, "\n".join(map(str, wrong))


@pytest.mark.parametrize("who", ["a stranger", "a member"])
def test_others_are_sent_to_sign_in(who: str, client: Client) -> None:
    visitor = sign_in("alice") if who == "a member" else client
    for one in of_admin():
        for method in METHODS:
            answer = getattr(visitor, method)(one.path)
            assert answer.status_code in (302, 403, 405), (one, method)
            if answer.status_code == 302:
                assert answer["Location"].startswith("/admin/login/"), (one, method)


def test_staff_without_a_role_see_no_model() -> None:
    bare = User.objects.create_user("bare", is_staff=True)
    found = answers(client_of(bare), bare, METHODS)
    wrong = [one for one in found if not one.is_expected]
    assert not wrong, "\n".join(map(str, wrong))


def test_nothing_is_registered_that_the_matrix_does_not_walk() -> None:
    walked = {one.name for one in addresses()}
    for model in admin.site._registry:
        meta = model._meta
        assert f"admin:{meta.app_label}_{meta.model_name}_changelist" in walked
