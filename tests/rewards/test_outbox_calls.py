"""Tests of calls for redemptions: handed over once, or a person looks."""

import json
import threading
from datetime import timedelta
from functools import partial
from multiprocessing import get_context

import pytest
from django.db import connection
from django.db.models.functions import Now
from pytest_httpserver import HTTPServer
from werkzeug import Response

from rewards.models import Account, Endpoint, Freeze, Message, Redemption
from rewards.outbox import delivery, recording, replaying, sending
from rewards.redemptions import fulfilment
from rewards.refusals import Refused
from tests.builders import NOW
from tests.ingestion.listener import cut, http, listening, reset, silence
from tests.processes import find_free_port, wait_until
from tests.rewards.sending import call_of, redeem_by_call, send
from tests.staff import make_staff, make_superuser

pytestmark = pytest.mark.django_db

Status, State = Redemption.Status, Message.State


def answer(code: int, /, **said: object) -> Response:
    return Response(json.dumps(said), code, content_type="application/json")


def look(redemption: Redemption) -> tuple[str, str, int]:
    """What became of the redemption, of its call, and what is left to spend."""
    redemption.refresh_from_db()
    accounts = Account.objects.filter(member=redemption.member)
    available = accounts.get(kind=Account.Kind.AVAILABLE).balance
    return redemption.status, call_of(redemption).state, available or 0


@pytest.fixture
def shop(httpserver: HTTPServer):
    """The host application, and how often it is asked; it answers as told."""
    answers: list[Response] = []
    httpserver.expect_request("/redeem", method="POST").respond_with_handler(
        lambda _request: answers.pop(0)
    )
    httpserver.answers = answers  # type: ignore[attr-defined]
    return httpserver


def asked(shop: HTTPServer) -> list[str]:
    return [request.headers["Idempotency-Key"] for request, _answer in shop.log]


@pytest.mark.parametrize(
    ("said", "left"),
    [
        (answer(200, status="fulfilled", reference="GC-7"), (Status.FULFILLED, 900)),
        (answer(201, status="fulfilled", reference=7), (Status.FULFILLED, 900)),
        (answer(202, status="accepted"), (Status.RESERVED, 900)),
        (answer(200, status="accepted"), (Status.RESERVED, 900)),
        (answer(422, reason="sold out"), (Status.CANCELLED, 1000)),
        (answer(400), (Status.CANCELLED, 1000)),
        (answer(404), (Status.CANCELLED, 1000)),
        (answer(410), (Status.CANCELLED, 1000)),
    ],
)
def test_a_clear_answer_is_acted_on_once(shop, said: Response, left) -> None:
    shop.answers.append(said)
    redemption = redeem_by_call(shop.url_for("/redeem"))
    assert (send(), send(NOW + timedelta(days=9))) == (1, 0)
    status, state, available = look(redemption)
    assert (status, available) == left
    assert state == State.SENT
    assert asked(shop) == [redemption.public_id]
    if status == Status.FULFILLED:
        assert redemption.reference == ("GC-7" if said.status_code == 200 else "")
    if said.status_code == 422:
        assert redemption.why == "sold out"


UNCLEAR = {
    "500": http(b"", status="500 No"),
    "503": http(b"", status="503 No"),
    "408": http(b"", status="408 Slow"),
    "409": http(b"", status="409 Conflict"),
    "redirect": http(b"", status="307 Away", location="/elsewhere"),
    "204": http(b"", status="204 Nothing"),
    "no JSON": http(b"<html>"),
    "another status": http(b'{"status":"maybe"}'),
    "no object": http(b'["fulfilled"]'),
    "202 and fulfilled": http(b'{"status":"fulfilled"}', status="202 Hm"),
    "cut short": http(b'{"status":"fulf', content_length=99),
    "nothing": cut(b""),
    "reset": reset,
    "silence": silence,
    "deep": http(b"[" * 20_000),
}


@pytest.mark.parametrize("name", UNCLEAR)
def test_an_unclear_answer_goes_to_staff_and_nobody_asks_again(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "TOTAL", 1)
    with listening(lambda _: UNCLEAR[name]) as server:
        redemption = redeem_by_call(server.url)
        assert (send(), send(NOW + timedelta(days=9))) == (1, 0)
        assert len(server.requests) == 1
    assert look(redemption) == (Status.REVIEW, State.UNKNOWN, 900)
    assert redemption.why


def test_what_was_certainly_not_sent_is_sent_later(shop) -> None:
    redemption = redeem_by_call(f"http://127.0.0.1:{find_free_port()}/redeem")
    send()
    assert look(redemption) == (Status.RESERVED, State.WAITING, 900)
    Endpoint.objects.update(url=shop.url_for("/redeem"))
    shop.answers += [answer(429), answer(425), answer(200, status="fulfilled")]
    for _ in range(3):
        assert look(redemption)[0] == Status.RESERVED
        send(call_of(redemption).due_at)
    assert look(redemption) == (Status.FULFILLED, State.SENT, 900)
    assert asked(shop) == [redemption.public_id] * 3


def test_what_was_never_reached_in_three_days_is_given_back(monkeypatch) -> None:
    monkeypatch.setattr(recording, "PAUSES", (10, 10))
    redemption = redeem_by_call(f"http://127.0.0.1:{find_free_port()}/redeem")
    for minutes in range(3):
        send(NOW + timedelta(minutes=minutes))
    assert look(redemption) == (Status.CANCELLED, State.FAILED, 1000)


def test_what_may_have_been_handed_over_before_is_never_given_back_by_itself(
    shop, monkeypatch
) -> None:
    """Nobody knows what the first call did; asked again, it is never reached."""
    monkeypatch.setattr(recording, "PAUSES", (10,))
    shop.answers.append(answer(500))
    redemption = redeem_by_call(shop.url_for("/redeem"))
    send()
    replaying.ask_again(redemption, by=make_superuser(), at=NOW)
    Endpoint.objects.update(url=f"http://127.0.0.1:{find_free_port()}/redeem")
    for minutes in range(3):
        send(NOW + timedelta(minutes=minutes))
    assert look(redemption) == (Status.REVIEW, State.UNKNOWN, 900)


def ask_again_and_hear(shop: HTTPServer, said: Response) -> Redemption:
    """Nobody knows what the first call did, so staff have it made again."""
    shop.answers += [answer(500), said]
    redemption = redeem_by_call(shop.url_for("/redeem"))
    send()
    replaying.ask_again(redemption, by=make_superuser(), at=NOW)
    assert send() == 1
    return redemption


@pytest.mark.parametrize(
    "said",
    [
        *(answer(code) for code in (400, 401, 403, 404, 410)),
        answer(422, reason="sold out"),
        answer(422, status="Refused"),
        answer(409, status="refused"),
        answer(200, status="refused"),
    ],
)
def test_a_no_to_the_second_call_may_not_be_about_the_first(
    shop, said: Response
) -> None:
    """A gateway says it too, or a shop that has forgotten the key."""
    redemption = ask_again_and_hear(shop, said)
    assert look(redemption) == (Status.REVIEW, State.UNKNOWN, 900)
    assert str(said.status_code) in redemption.why or "sold out" in redemption.why
    replaying.ask_again(redemption, by=make_superuser("another"), at=NOW)
    shop.answers.append(answer(200, status="fulfilled"))
    send()
    assert look(redemption) == (Status.FULFILLED, State.SENT, 900)


def test_only_a_refusal_in_so_many_words_gives_back_after_that(shop) -> None:
    said = answer(422, status="refused", reason="sold out")
    redemption = ask_again_and_hear(shop, said)
    assert look(redemption) == (Status.CANCELLED, State.SENT, 1000)
    assert redemption.why == "sold out"


def die(redemption: Redemption) -> Message:
    """A worker is killed between noting its attempt and noting the answer."""
    message = call_of(redemption)
    sending._claim(message, at=NOW)
    held = Message.objects.filter(pk=message.pk)
    held.update(held_until=Now() - timedelta(seconds=1))
    return message


def test_a_call_that_died_with_its_worker_goes_to_staff_and_not_out_twice(shop):
    redemption = redeem_by_call(shop.url_for("/redeem"))
    message = die(redemption)
    assert (send(), send(NOW + timedelta(days=9))) == (0, 0)
    assert look(redemption) == (Status.REVIEW, State.UNKNOWN, 900)
    assert message.log.get().said == recording.DIED
    assert asked(shop) == []


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_is_killed_while_it_waits_for_the_answer(shop) -> None:
    """Killed for real, once the host application has got the call."""
    with listening(lambda _: silence) as server:
        redemption = redeem_by_call(server.url)
        connection.close()  # or the child would share it
        worker = get_context("fork").Process(target=send)
        worker.start()
        wait_until(lambda: server.requests)
        worker.kill()
        worker.join()
        assert call_of(redemption).log.get().ended_at is None
        assert send(NOW + timedelta(hours=1)) == 0  # the lease holds still
        assert look(redemption)[:2] == (Status.RESERVED, State.WAITING)
        Message.objects.update(held_until=Now() - timedelta(seconds=1))
        assert (send(), send(NOW + timedelta(days=9))) == (0, 0)
        assert len(server.requests) == 1
    assert look(redemption) == (Status.REVIEW, State.UNKNOWN, 900)


def test_an_answer_that_comes_after_the_lease_changes_nothing(shop) -> None:
    """A worker was stopped for minutes, and then goes on as if nothing were."""
    redemption = redeem_by_call(shop.url_for("/redeem"))
    slow = sending._claim(call_of(redemption), at=NOW)
    assert slow
    Message.objects.update(held_until=Now() - timedelta(seconds=1))
    send()
    late = delivery.Answer(status=200, body=b'{"status":"fulfilled"}')
    recording.record(slow.message, late, attempt=slow.attempt, lease=slow.lease, at=NOW)
    assert look(redemption) == (Status.REVIEW, State.UNKNOWN, 900)
    slow.attempt.refresh_from_db()
    assert slow.attempt.status_code == 200


def test_staff_ask_again_with_the_same_key(shop) -> None:
    shop.answers += [answer(500), answer(500), answer(200, status="fulfilled")]
    redemption = redeem_by_call(shop.url_for("/redeem"))
    clerk = make_superuser()
    for _ in range(2):
        send()
        assert look(redemption)[:2] == (Status.REVIEW, State.UNKNOWN)
        replaying.ask_again(redemption, by=clerk, at=NOW)
        assert look(redemption)[:2] == (Status.RESERVED, State.WAITING)
    send()
    assert look(redemption) == (Status.FULFILLED, State.SENT, 900)
    assert asked(shop) == [redemption.public_id] * 3
    ids = {request.headers["webhook-id"] for request, _ in shop.log}
    assert len(ids) == 1


def test_who_may_not_decide_can_not_ask_again(shop) -> None:
    redemption = redeem_by_call(shop.url_for("/redeem"))
    die(redemption)
    send()
    ask = partial(replaying.ask_again, redemption, at=NOW)
    with pytest.raises(Refused, match="Only who may change"):
        ask(by=make_staff())
    fulfilment.fulfil(redemption, by=make_superuser(), at=NOW)
    with pytest.raises(Refused, match="not in review"):
        ask(by=make_superuser("another"))
    assert look(redemption) == (Status.FULFILLED, State.UNKNOWN, 900)


@pytest.mark.parametrize("end", ["fulfil", "cancel"])
def test_a_redemption_that_has_ended_is_not_called_for(shop, end: str) -> None:
    redemption = redeem_by_call(shop.url_for("/redeem"))
    getattr(fulfilment, end)(redemption, reason="By hand", at=NOW)
    assert send() == 0
    assert call_of(redemption).state == State.DROPPED
    assert asked(shop) == []


def test_staff_can_not_cancel_while_the_host_application_is_asked(shop) -> None:
    redemption = redeem_by_call(shop.url_for("/redeem"))
    sending._claim(call_of(redemption), at=NOW)
    with pytest.raises(Refused, match="is being asked"):
        fulfilment.cancel(redemption, by=make_superuser(), reason="x", at=NOW)
    assert look(redemption)[0] == Status.RESERVED


def test_for_a_frozen_member_nothing_is_asked_until_staff_have_looked(shop) -> None:
    shop.answers.append(answer(200, status="fulfilled"))
    redemption = redeem_by_call(shop.url_for("/redeem"))
    freeze = Freeze.objects.create(
        member=redemption.member, check_name="x", frozen_at=NOW
    )
    assert send() == 0
    assert look(redemption) == (Status.RESERVED, State.WAITING, 900)
    freeze.delete()
    assert send() == 1
    assert look(redemption) == (Status.FULFILLED, State.SENT, 900)


def meanwhile(redemption: Redemption, said: Response, do) -> str:
    """Something happens while the host application is about to answer."""
    claimed = sending._claim(call_of(redemption), at=NOW)
    assert claimed
    do()
    given = delivery.Answer(status=said.status_code, body=said.data)
    recording.record(
        claimed.message, given, attempt=claimed.attempt, lease=claimed.lease, at=NOW
    )
    return look(redemption)[0]


def test_the_host_application_may_fulfil_before_it_answers(shop) -> None:
    redemption = redeem_by_call(shop.url_for("/redeem"))
    early = partial(fulfilment.fulfil, redemption, reference="API", at=NOW)
    for_good = meanwhile(redemption, answer(202, status="accepted"), early)
    assert (for_good, redemption.reference) == (Status.FULFILLED, "API")
    assert call_of(redemption).state == State.SENT


@pytest.mark.parametrize("status", [200, 422])
def test_for_a_frozen_member_a_person_looks(shop, status: int) -> None:
    redemption = redeem_by_call(shop.url_for("/redeem"))
    freeze = partial(
        Freeze.objects.create, member=redemption.member, check_name="x", frozen_at=NOW
    )
    said = answer(status, status="fulfilled")
    assert meanwhile(redemption, said, freeze) == Status.REVIEW
    assert "frozen" in redemption.why


@pytest.mark.django_db(transaction=True)
def test_many_workers_at_once_ask_once(shop) -> None:
    """Each redemption is called for once, whoever wakes up when."""
    redemptions = [
        redeem_by_call(shop.url_for("/redeem"), customer_id=f"m{n}") for n in range(8)
    ]
    shop.answers += [answer(200, status="fulfilled") for _ in redemptions] * 2

    def work() -> None:
        try:
            send()
        finally:
            connection.close()

    workers = [threading.Thread(target=work) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(asked(shop)) == sorted(r.public_id for r in redemptions)
    assert {look(r)[:2] for r in redemptions} == {(Status.FULFILLED, State.SENT)}
