"""Comparing, taking in and backfilling by staff, through the pages."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from ingestion import sweeps
from ingestion.button.client import ButtonClient
from ingestion.button.sandbox import Sandbox
from ingestion.models import Poll, Reconciliation, Window
from ingestion.polling import poll_due
from rewards.models import Purchase
from tests.builders import balances, publish_program

pytestmark = pytest.mark.django_db(transaction=True)

DAY = timedelta(days=1)
LIST = "/admin/ingestion/reconciliation/"


@pytest.fixture
def root() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    return client


@pytest.fixture
def lost(button: Sandbox) -> Any:
    """An order that no webhook brought and no window will ever see again."""
    publish_program()
    at = datetime.now(UTC).replace(microsecond=0) - 5 * DAY
    for n in range(4):
        button.place(customer="bob", total=1000, at=at + n * DAY)
    call_command("poll_transactions")
    return button.place(customer="alice", total=7000, at=at)


def compare(client: ButtonClient) -> None:
    sweeps.compare_next(client, at=datetime.now(UTC))


def test_staff_compare_and_take_in(
    root: Client, lost: Any, client_of_button: ButtonClient
) -> None:
    today = datetime.now(UTC).date()
    days = {"first": today - 10 * DAY, "last": today}
    asked = root.post(LIST + "compare/", days, follow=True)
    assert "A worker compares" in asked.content.decode()
    compare(client_of_button)
    done = Reconciliation.objects.get()
    page = reverse("admin:ingestion_reconciliation_change", args=[done.pk])
    shown = root.get(page).content.decode()
    assert lost.order_id in shown
    assert "missing here" in shown
    assert "differs" in shown
    assert not Purchase.objects.filter(order_key=lost.order_id).exists()
    root.post(f"{LIST}{done.pk}/take-in/", follow=True)
    compare(client_of_button)
    poll_due(client_of_button, at=datetime.now(UTC))
    assert balances("alice") == {("points", "pending"): 70}
    assert "take-in" not in root.get(page).content.decode()


def test_whoever_may_only_look_decides_nothing(
    lost: Any, client_of_button: ButtonClient
) -> None:
    looker = User.objects.create_user("looker", is_staff=True)
    looker.user_permissions.set(
        Permission.objects.filter(codename__in=("view_reconciliation", "view_poll"))
    )
    client = Client()
    client.force_login(looker)
    done = Reconciliation.objects.create(
        start=datetime.now(UTC) - DAY,
        end=datetime.now(UTC),
        began_at=datetime.now(UTC),
    )
    poll = Poll.objects.first()
    assert poll
    windows = Window.objects.count()
    today = datetime.now(UTC).date()
    days = {"first": today, "last": today}
    for address in (
        f"{LIST}compare/",
        f"{LIST}{done.pk}/take-in/",
        f"/admin/ingestion/poll/{poll.pk}/backfill/",
    ):
        assert client.post(address, days).status_code == 403
    assert Reconciliation.objects.count() == 1
    assert Reconciliation.objects.get().take_in_asked_at is None
    assert Window.objects.count() == windows


@pytest.mark.parametrize(
    ("days", "said"),
    [
        ({"first": "2026-11-02", "last": "2026-11-01"}, "before the first"),
        ({"first": "2020-01-01", "last": "2026-11-01"}, "thirteen months"),
        ({"first": "9999-12-31", "last": "9999-12-31"}, "Days are from 2010"),
        ({"first": "2026-11-01", "last": "9999-12-31"}, "Days are from 2010"),
        ({"first": "0001-01-01", "last": "0001-01-02"}, "Days are from 2010"),
        ({"first": "2009-12-31", "last": "2010-01-02"}, "Days are from 2010"),
        ({"first": "soon", "last": "2026-11-01"}, "valid date"),
    ],
)
def test_a_stretch_that_makes_no_sense(
    root: Client, days: dict[str, str], said: str
) -> None:
    answer = root.post(LIST + "compare/", days)
    assert said in answer.content.decode()
    assert not Reconciliation.objects.exists()


def test_staff_backfill_an_account(
    root: Client, lost: Any, client_of_button: ButtonClient
) -> None:
    poll = Poll.objects.get(account__currency="USD")
    mark = poll.mark
    Poll.objects.update(due_at=datetime.now(UTC) + DAY)
    today = datetime.now(UTC).date()
    days = {"first": today - 30 * DAY, "last": today}
    root.post(f"/admin/ingestion/poll/{poll.pk}/backfill/", days, follow=True)
    windows = Window.objects.filter(purpose="backfill")
    assert windows.count() == 5
    poll_due(client_of_button, at=datetime.now(UTC))
    assert not windows.filter(finished_at=None).exists()
    assert balances("alice") == {("points", "pending"): 70}
    poll.refresh_from_db()
    assert poll.mark == mark
