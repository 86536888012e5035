"""Whatever receivers and workers do: told at least once, handed over at most once."""

from datetime import timedelta

from django.db.models.functions import Now
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from rewards.models import Message, Redemption
from rewards.outbox import sending
from tests.builders import NOW, balances, make_endpoint
from tests.ingestion.listener import http, listening, reset
from tests.rewards.sending import call_of, redeem_by_call, send, tell

ANSWERS = {
    "fulfilled": http(b'{"status":"fulfilled"}'),
    "accepted": http(b'{"status":"accepted"}', status="202 Later"),
    "refused": http(b"", status="422 No"),
    "failing": http(b"", status="500 No"),
    "busy": http(b"", status="429 Busy"),
    "reset": reset,
}
DIES = "the worker dies"
WEEK = [NOW + timedelta(hours=12 * n) for n in range(14)]

few = settings(max_examples=25, deadline=None)


def die(message: Message) -> None:
    """A worker is killed once it has noted that it sends this."""
    sending._claim(message, at=NOW)
    Message.objects.filter(pk=message.pk).exclude(held_until=None).update(
        held_until=Now() - timedelta(seconds=1)
    )


class TestEvents(TestCase):
    @few
    @given(st.lists(st.sampled_from([DIES, "failing", "busy", "reset"]), max_size=6))
    def test_it_is_told_at_least_once_and_then_no_more(self, fates):
        left = [ANSWERS[fate] for fate in fates if fate != DIES]
        told = []

        def answer(request: bytes):
            if left:
                return left.pop(0)
            told.append(request)
            return ANSWERS["fulfilled"]

        with listening(answer) as server:
            make_endpoint(url=server.url)
            tell()
            message = Message.objects.get()
            if DIES in fates:
                die(message)
            for at in WEEK:
                send(at)
        message.refresh_from_db()
        assert (message.state, len(told)) == (Message.State.SENT, 1)
        assert not message.log.filter(ended_at=None).exists()


class TestCalls(TestCase):
    @few
    @given(
        busy=st.integers(0, 3),
        fate=st.sampled_from([DIES, *(ANSWERS.keys() - {"busy"})]),
    )
    def test_it_is_asked_for_once_unless_it_was_certainly_not_done(self, busy, fate):
        answers = [ANSWERS["busy"]] * busy
        asked = []

        def answer(request: bytes):
            if answers:
                return answers.pop()
            asked.append(request)
            return ANSWERS[fate]

        with listening(answer) as server:
            redemption = redeem_by_call(server.url)
            for at in WEEK[:busy]:
                send(at)
            if fate == DIES:
                Message.objects.update(due_at=NOW)
                die(call_of(redemption))
            for at in WEEK[busy:]:
                send(at)
        redemption.refresh_from_db()
        assert len(asked) == (fate != DIES)
        ends = {
            "fulfilled": "fulfilled",
            "accepted": "reserved",
            "refused": "cancelled",
        }
        assert redemption.status == ends.get(fate, Redemption.Status.REVIEW)
        left = {kind: amount for (_unit, kind), amount in balances().items()}
        assert sum(left.values()) == (900 if fate == "fulfilled" else 1000)
