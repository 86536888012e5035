"""Tests of the staff pages of endpoints and of the outbox."""

import re

import pytest
from django.test import Client
from django.urls import reverse

from rewards.models import Endpoint, Message
from rewards.outbox import signing
from tests.builders import NOW, make_endpoint, make_member
from tests.rewards.sending import redeem_by_call, tell
from tests.staff import (
    client_of,
    confirm,
    count_queries,
    make_staff,
    make_superuser,
    text_of,
)

pytestmark = pytest.mark.django_db

ADD = reverse("admin:rewards_endpoint_add")
LIST = reverse("admin:rewards_message_changelist")


@pytest.fixture
def root() -> Client:
    return client_of(make_superuser())


def page(name: str, obj: Endpoint | Message) -> str:
    return reverse(f"admin:rewards_{name}", args=[obj.pk])


def secrets_in(response) -> list[str]:
    return re.findall(r"whsec_[A-Za-z0-9+/=]+", text_of(response))


def test_an_endpoint_is_made_and_its_secret_shown_once(root: Client) -> None:
    data = {"name": "host", "url": "https://host.example/", "events": "debt.opened"}
    answer = root.post(ADD, data, follow=True)
    endpoint = Endpoint.objects.get()
    (secret,) = secrets_in(answer)
    assert signing.secrets_of(endpoint, at=NOW) == [secret]
    assert secret.encode() not in bytes(endpoint.sealed)
    assert endpoint.events == ["debt.opened"]
    assert not secrets_in(root.get(page("endpoint_change", endpoint)))


@pytest.mark.parametrize(
    "changes", [{"url": "http://host.example/"}, {"url": "nonsense"}, {"events": "x"}]
)
def test_a_bad_endpoint_is_refused(root: Client, changes: dict[str, str]) -> None:
    data = {"name": "host", "url": "https://host.example/", **changes}
    answer = root.post(ADD, data)
    assert answer.context["adminform"].form.errors
    assert not Endpoint.objects.exists()


def test_an_endpoint_is_changed_without_touching_its_secret(root: Client) -> None:
    endpoint = make_endpoint()
    sealed = bytes(endpoint.sealed)
    data = {"name": "other", "url": "https://other.example/"}
    root.post(page("endpoint_change", endpoint), data)
    endpoint.refresh_from_db()
    assert (endpoint.name, bytes(endpoint.sealed)) == ("other", sealed)


def test_a_secret_is_changed_and_the_old_one_signs_too(root: Client) -> None:
    endpoint = make_endpoint()
    (old,) = signing.secrets_of(endpoint, at=NOW)
    answer = root.post(page("endpoint_rotate", endpoint), follow=True)
    endpoint.refresh_from_db()
    assert endpoint.rotated_at
    secrets = signing.secrets_of(endpoint, at=endpoint.rotated_at)
    assert secrets == [*secrets_in(answer), old]


def test_an_endpoint_is_switched_off_and_on(root: Client) -> None:
    endpoint = make_endpoint()
    for name, on in (("off", False), ("on", True)):
        assert f"switch_{name}" in text_of(root.get(page("endpoint_change", endpoint)))
        root.post(page(f"endpoint_switch_{name}", endpoint))
        endpoint.refresh_from_db()
        assert endpoint.active is on


def test_a_test_event_is_written_for_this_endpoint_alone(root: Client) -> None:
    make_endpoint("another")
    endpoint = make_endpoint(events=["debt.opened"])
    root.post(page("endpoint_test", endpoint))
    message = Message.objects.get()
    assert (message.type, message.endpoint) == ("test", endpoint)


def test_a_message_is_sent_again_or_dropped(root: Client) -> None:
    make_endpoint()
    tell()
    message = Message.objects.get()
    Message.objects.update(state="failed", attempts=14, ended_at=NOW)
    root.post(page("message_again", message))
    message.refresh_from_db()
    assert (message.state, message.attempts, message.ended_at) == ("waiting", 0, None)
    root.post(page("message_drop", message))
    message.refresh_from_db()
    assert message.state == "dropped"


def test_what_failed_is_sent_again_together(root: Client) -> None:
    make_endpoint()
    for n in range(3):
        tell(str(n))
    Message.objects.update(state="failed")
    first, second, _third = Message.objects.order_by("pk")
    data = {"action": "send_selected_again", "_selected_action": [first.pk, second.pk]}
    looks = client_of(make_staff("rewards.view_message"))
    assert looks.post(LIST, data).status_code == 403
    assert not Message.objects.filter(state="waiting").exists()
    root.post(LIST, data)
    assert not Message.objects.filter(state="waiting").exists()
    confirm(root, LIST, data)
    waiting = Message.objects.filter(state="waiting")
    assert set(waiting) == {first, second}


def test_a_call_is_decided_about_at_its_redemption(root: Client) -> None:
    message = redeem_by_call("https://host.example/").messages.get()
    Message.objects.update(state="unknown")
    for name in ("again", "drop"):
        answer = root.post(page(f"message_{name}", message))
        assert answer.context["form"].non_field_errors()
    message.refresh_from_db()
    assert message.state == "unknown"


def test_messages_are_found_by_whom_or_what_they_are_about(root: Client) -> None:
    make_member("bob")
    redemption = redeem_by_call("https://host.example/")
    for term, found in ((redemption.public_id, 1), ("alice", 1), ("bob", 0), ("x", 0)):
        answer = root.get(LIST, {"q": term})
        assert len(answer.context["cl"].result_list) == found


def test_the_list_costs_the_same_with_many_messages(root: Client) -> None:
    make_endpoint()
    tell("1")
    few = count_queries(root, LIST)
    for n in range(30):
        tell(str(n))
    assert count_queries(root, LIST) == few


def test_what_came_back_is_shown_as_text(root: Client) -> None:
    make_endpoint()
    tell()
    message = Message.objects.get()
    message.log.create(began_at=NOW, ended_at=NOW, said="<script>alert(1)</script>")
    shown = text_of(root.get(page("message_change", message)))
    assert "&lt;script&gt;alert(1)" in shown
    assert "<script>alert(1)" not in shown
