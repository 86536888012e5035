"""Signing in and out, and the one-click way in that only a demo has."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from rewards import demo
from tests.builders import NOW, make_member
from tests.rewards.visitors import sign_in, text_of

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery"


@pytest.fixture
def alice():
    member = make_member("alice")
    member.user = User.objects.create_user("alice", password=PASSWORD)
    member.save(update_fields=["user"])
    return member


def post_password(client, password, **data):
    return client.post("/sign-in/", {"username": "alice", "password": password, **data})


def test_a_member_signs_in_with_a_password(client, alice):
    answer = post_password(client, PASSWORD)
    assert answer.headers["Location"] == "/"
    assert "Your balance" in text_of(client.get("/"))


def test_a_wrong_password_is_told_and_changes_nothing(client, alice):
    answer = post_password(client, "wrong")
    assert answer.status_code == 200
    assert 'role="alert"' in answer.content.decode()
    assert "_auth_user_id" not in client.session


def test_a_page_asked_for_waits_until_one_is_in(client, alice):
    asked = client.get("/activity/")
    assert asked.headers["Location"] == "/sign-in/?next=/activity/"
    answer = post_password(client, PASSWORD, next="/activity/")
    assert answer.headers["Location"] == "/activity/"


def test_nobody_is_sent_to_another_site(client, alice):
    answer = post_password(client, PASSWORD, next="https://evil.example/")
    assert answer.headers["Location"] == "/"


def test_who_is_in_already_needs_no_form():
    assert sign_in("alice").get("/sign-in/").headers["Location"] == "/"


def test_a_login_without_member_has_only_the_start_page(client):
    client.force_login(User.objects.create_user("eve"))
    assert client.get("/activity/").headers["Location"] == "/"
    assert client.get("/activity/1/").headers["Location"] == "/"


def test_signing_out_takes_a_post():
    client = sign_in("alice")
    assert client.get("/sign-out/").status_code == 405
    assert client.post("/sign-out/").headers["Location"] == "/"
    assert "_auth_user_id" not in client.session


def test_the_demo_member_enters_with_one_click(client, settings):
    settings.DEMO = True
    demo.make_member(at=NOW)
    assert "Look around as the demo member" in text_of(client.get("/sign-in/"))
    assert client.post("/sign-in/demo/").headers["Location"] == "/"
    assert "Your balance" in text_of(client.get("/"))


def test_without_demo_there_is_no_such_door(client):
    demo.make_member(at=NOW)
    assert "demo member" not in text_of(client.get("/sign-in/"))
    assert client.post("/sign-in/demo/").status_code == 404
    assert "_auth_user_id" not in client.session


@pytest.mark.parametrize("change", [{"is_staff": True}, {"is_active": False}])
def test_the_door_is_for_a_plain_member_alone(client, settings, change):
    settings.DEMO = True
    demo.make_member(at=NOW)
    User.objects.update(**change)
    assert client.post("/sign-in/demo/").status_code == 404
    assert "_auth_user_id" not in client.session


def test_the_door_takes_a_post_with_a_token(settings):
    settings.DEMO = True
    demo.make_member(at=NOW)
    client = Client(enforce_csrf_checks=True)
    assert client.get("/sign-in/demo/").status_code == 405
    refused = client.post("/sign-in/demo/")
    assert refused.status_code == 403
    assert "no longer valid" in text_of(refused)
