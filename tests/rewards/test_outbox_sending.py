"""Tests of sending events and mail: over real HTTP, with every way it can fail."""

from datetime import UTC, datetime, timedelta
from time import monotonic

import pytest
from django.core import mail
from django.db.models.functions import Now
from pytest_httpserver import HTTPServer
from standardwebhooks.webhooks import Webhook, WebhookVerificationError
from werkzeug import Response

from rewards import vault
from rewards.models import Endpoint, Message
from rewards.outbox import (
    delivery,
    endpoints,
    recording,
    replaying,
    sending,
    signing,
    writing,
)
from rewards.refusals import Refused
from tests.builders import NOW, make_endpoint, make_member
from tests.ingestion.listener import http, listening, reset, silence
from tests.processes import find_free_port
from tests.rewards.sending import send, tell

pytestmark = pytest.mark.django_db

State = Message.State


def test_an_event_is_sent_once_signed_as_the_standard_says(
    httpserver: HTTPServer, settings
):
    settings.DEMO = True
    httpserver.expect_request("/hook", method="POST").respond_with_data("fine")
    url = httpserver.url_for("/hook")
    _endpoint, secret = endpoints.create(name="host", url=url, at=NOW)
    tell()
    assert (send(datetime.now(UTC)), send()) == (1, 0)
    (request, _answer) = httpserver.log[0]
    message = Message.objects.get()
    headers = {name.lower(): value for name, value in request.headers.items()}
    assert Webhook(secret).verify(request.data, headers) == message.payload
    assert request.headers["webhook-id"] == f"msg_{message.pk}"
    assert request.headers["Content-Type"] == "application/json"
    assert (message.state, message.attempts, message.held_until) == ("sent", 1, None)
    attempt = message.log.get()
    assert (attempt.status_code, attempt.said) == (200, "fine")
    assert attempt.ended_at >= attempt.began_at


def test_what_was_changed_on_the_way_or_signed_by_others_is_refused() -> None:
    now, secret, body = datetime.now(UTC), signing.new_secret(), b"{}"
    headers = signing.sign(body, id="msg_1", at=now, secrets=[secret])
    assert Webhook(secret).verify(body, headers) == {}
    for key, said in ((secret, b"{ }"), (signing.new_secret(), body)):
        with pytest.raises(WebhookVerificationError, match="No matching signature"):
            Webhook(key).verify(said, headers)


def test_for_a_day_after_rotation_both_secrets_fit() -> None:
    now, body = datetime.now(UTC), b"{}"
    endpoint, old = endpoints.create(name="host", url="https://h.example", at=now)
    new = endpoints.rotate(endpoint, at=now)
    secrets = signing.secrets_of(endpoint, at=now + timedelta(hours=23))
    headers = signing.sign(body, id="msg_1", at=now, secrets=secrets)
    for secret in (old, new):
        assert Webhook(secret).verify(body, headers) == {}
    assert signing.secrets_of(endpoint, at=now + timedelta(days=1)) == [new]
    newest = endpoints.rotate(endpoint, at=now)
    assert signing.secrets_of(endpoint, at=now) == [newest, new]
    assert newest.encode() not in bytes(endpoint.sealed)


FAILING = {
    "500": http(b"oops", status="500 No"),
    "redirect": http(b"", status="302 Away", location="https://elsewhere.example/"),
    "not modified": http(b"", status="304 Same"),
    "400": http(b"", status="400 No"),
    "reset": reset,
    "garbage": b"garbage\r\n\r\n",
}


@pytest.mark.parametrize("name", FAILING)
def test_what_fails_is_sent_again_with_growing_pauses(name: str) -> None:
    with listening(lambda _: FAILING[name]) as server:
        make_endpoint(url=server.url)
        tell()
        at, pauses = NOW, []
        while True:
            assert send(at) == 1
            message = Message.objects.get()
            if message.state != State.WAITING:
                break
            pauses.append(round((message.due_at - at).total_seconds()))
            at = message.due_at
        assert send(at + timedelta(days=9)) == 0
    assert (message.state, message.attempts) == ("failed", len(recording.PAUSES) + 1)
    least = zip(pauses, recording.PAUSES, strict=True)
    assert all(pause <= waited <= pause * 1.2 + 1 for waited, pause in least)
    assert timedelta(days=2.9) < at - NOW < timedelta(days=3.6)
    ids = {
        line for r in server.requests for line in r.split(b"\r\n") if b"-id:" in line
    }
    assert len(ids) == 1


def test_a_dead_endpoint_delays_nobody_else(httpserver: HTTPServer, monkeypatch):
    monkeypatch.setattr(delivery, "TOTAL", 2)
    httpserver.expect_request("/").respond_with_data("fine")
    with listening(lambda _: silence) as dead:
        make_endpoint("dead", url=dead.url, events=["a.dead"])
        make_endpoint("fine", url=httpserver.url_for("/"), events=["a.fine"])
        for n in range(20):
            tell(str(n), type="a.dead")
        for n in range(20):
            tell(str(n), type="a.fine")
        began = monotonic()
        done: list[float] = []

        def expired() -> bool:
            waiting = Message.objects.filter(state=State.WAITING, type="a.fine")
            if waiting.exists():
                return False
            done.append(monotonic() - began)
            return True

        sending.work(at=NOW, expired=expired)
        assert dead.connections <= sending.AT_ONCE
    assert done[0] < 2 < done[-1]
    fine = Message.objects.filter(type="a.fine")
    assert {m.state for m in fine} == {State.SENT}


def test_an_answer_without_end_is_cut_off(monkeypatch):
    monkeypatch.setattr(delivery, "MOST_BYTES", 1000)
    with listening(lambda _: http(b"x" * 100_000)) as server:
        make_endpoint(url=server.url)
        tell()
        send()
    attempt = Message.objects.get().log.get()
    assert (attempt.status_code, attempt.said) == (200, "x" * 500)


def test_what_came_back_can_be_stored_whatever_it_is():
    with listening(lambda _: http(b"a\x00b\xff", status="500 No")) as server:
        make_endpoint(url=server.url)
        tell()
        send()
    assert Message.objects.get().log.get().said == "a\ufffdb\ufffd"


def test_an_endpoint_that_is_gone_is_switched_off(httpserver: HTTPServer):
    httpserver.expect_request("/").respond_with_response(Response(status=410))
    endpoint = make_endpoint(url=httpserver.url_for("/"))
    tell("1")
    send()
    tell("2")
    endpoint.refresh_from_db()
    assert not endpoint.active
    assert Message.objects.get().state == State.FAILED


def test_while_an_endpoint_is_off_its_messages_wait(httpserver: HTTPServer):
    httpserver.expect_request("/").respond_with_data("fine")
    endpoint = make_endpoint(url=httpserver.url_for("/"))
    tell()
    endpoints.switch(endpoint, on=False)
    assert send() == 0
    endpoints.switch(endpoint, on=True)
    assert send() == 1


def test_a_lost_key_stops_that_endpoint_alone(httpserver: HTTPServer, settings):
    httpserver.expect_request("/").respond_with_data("fine")
    settings.ENCRYPTION_KEYS = ["another"]
    lost = vault.seal("whsec_")
    settings.ENCRYPTION_KEYS = ["this one"]
    make_endpoint("lost", url=httpserver.url_for("/"), sealed=lost)
    make_endpoint("good", url=httpserver.url_for("/"))
    tell()
    assert send() == 2
    states = dict(Message.objects.values_list("endpoint__name", "state"))
    assert states == {"lost": State.WAITING, "good": State.SENT}


def test_what_died_with_its_worker_is_sent_again(httpserver: HTTPServer):
    """A worker that is killed leaves an attempt without an end, and a lease."""
    httpserver.expect_request("/").respond_with_data("fine")
    make_endpoint(url=httpserver.url_for("/"))
    tell()
    message = Message.objects.get()
    message.log.create(began_at=NOW)
    held = Message.objects.filter(pk=message.pk)
    held.update(held_by="the dead", held_until=Now() + timedelta(minutes=1), attempts=1)
    assert send() == 0
    held.update(held_until=Now() - timedelta(seconds=1))
    assert send() == 1
    message.refresh_from_db()
    assert (message.state, message.attempts) == (State.SENT, 2)
    assert [a.said for a in message.log.all()] == [recording.DIED, "fine"]


@pytest.mark.parametrize("status", [200, 500])
def test_what_is_dropped_while_it_is_sent_stays_dropped(status: int) -> None:
    """As erasing its member does, who may be named in the answer."""
    make_endpoint()
    tell()
    message = Message.objects.get()
    claimed = sending._claim(message, at=NOW)
    assert claimed
    Message.objects.update(state=State.DROPPED, payload={})
    given = delivery.Answer(status=status, body=b"alice")
    recording.record(
        claimed.message, given, attempt=claimed.attempt, lease=claimed.lease, at=NOW
    )
    message.refresh_from_db()
    assert (message.state, message.held_until) == (State.DROPPED, None)
    assert message.log.get().said == ""


def test_staff_send_it_again_as_itself_or_never(httpserver: HTTPServer):
    httpserver.expect_request("/").respond_with_data("fine")
    make_endpoint(url=httpserver.url_for("/"))
    tell("1")
    tell("2")
    first, second = Message.objects.order_by("pk")
    replaying.drop(second, at=NOW)
    send()
    replaying.send_again(first, at=NOW)
    send()
    ids = [request.headers["webhook-id"] for request, _ in httpserver.log]
    assert ids == [f"msg_{first.pk}"] * 2
    with pytest.raises(Refused, match="was sent"):
        replaying.drop(first, at=NOW)
    replaying.send_again(second, at=NOW)
    assert send() == 1


def test_a_mail_goes_out_and_a_failing_one_waits(monkeypatch):
    words = {"to": "alice@example.com", "subject": "Soon", "text": "Words"}
    writing.mail("points.expiring", key="1", member=make_member(), at=NOW, **words)

    def fail(_self, _messages):
        raise OSError

    with monkeypatch.context() as patch:
        patch.setattr(
            "django.core.mail.backends.locmem.EmailBackend.send_messages", fail
        )
        send()
    message = Message.objects.get()
    assert (message.state, message.log.get().said) == ("waiting", "Not taken: OSError.")
    send(message.due_at)
    assert [(m.to, m.subject, m.body) for m in mail.outbox] == [
        (["alice@example.com"], "Soon", "Words")
    ]
    assert Message.objects.get().state == State.SENT


@pytest.mark.parametrize(
    ("url", "debug", "taken"),
    [
        ("https://host.example/hook", False, True),
        ("https://10.0.0.7/hook", False, True),
        ("http://host.example/hook", True, False),
        ("http://localhost:9000/hook", False, False),
        ("http://localhost:9000/hook", True, True),
        ("http://127.0.0.1:9000/hook", True, True),
        ("https://user:password@host.example/", True, False),
        ("https://[nonsense/", True, False),
        ("https:///nowhere", True, False),
        ("https://host.example/\r\nX-Forged: 1", True, False),
        ("https://host.example/a b", True, False),
        ("ftp://localhost/", True, False),
    ],
)
@pytest.mark.once
def test_addresses_are_https_but_for_trying_things_out(url, debug, taken, settings):
    settings.DEBUG, settings.DEMO = debug, False
    if taken:
        endpoints.refuse_address(url)
    else:
        with pytest.raises(Refused):
            endpoints.refuse_address(url)
    assert not Endpoint.objects.exists()


def test_nobody_listening_there_is_known_to_have_got_nothing():
    message = Message(
        kind=Message.Kind.EVENT,
        payload={},
        endpoint=make_endpoint(url=f"http://127.0.0.1:{find_free_port()}/"),
    )
    with delivery.client() as client:
        answer = delivery.deliver(message, http=client, at=NOW)
    assert (answer.sent, answer.status) == (False, None)
    assert answer.said == "Not reached: ConnectError."
