"""Tests of what is written to the outbox: once a fact, and only with the fact."""

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from rewards.models import Endpoint, Message
from rewards.outbox import writing
from tests.builders import NOW, make_endpoint, make_member
from tests.rewards.sending import call_of, redeem_by_call, tell

pytestmark = pytest.mark.django_db


def test_an_event_says_its_type_its_time_and_the_fact() -> None:
    make_endpoint()
    alice = make_member()
    data = {"customer_id": "alice", "amount": 5}
    writing.emit("points.expired", key="1", data=data, member=alice, at=NOW)
    message = Message.objects.get()
    assert message.payload == {
        "type": "points.expired",
        "timestamp": "2026-11-20T12:00:00Z",
        "data": data,
    }
    assert (message.kind, message.state) == ("event", "waiting")
    assert (message.member, message.due_at) == (alice, NOW)


def test_a_repeated_fact_is_told_once() -> None:
    make_endpoint()
    for _ in range(2):
        tell("1")
    tell("2")
    tell("1", type="points.expiring")
    assert Message.objects.count() == 3


def test_each_endpoint_is_told_what_it_wants_and_no_more() -> None:
    make_endpoint("all")
    make_endpoint("some", events=["points.expired"])
    make_endpoint("others", events=["debt.opened"])
    make_endpoint("off", active=False)
    tell()
    told = Message.objects.values_list("endpoint__name", flat=True)
    assert set(told) == {"all", "some"}


def test_where_nobody_listens_one_small_query_is_all_there_is() -> None:
    with CaptureQueriesContext(connection) as queries:
        tell()
    assert len(queries) == 1
    assert not Message.objects.exists()


def test_what_is_rolled_back_is_told_to_nobody() -> None:
    make_endpoint()
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        tell()
        raise ZeroDivisionError
    assert not Message.objects.exists()


def test_a_mail_is_written_once() -> None:
    for _ in range(2):
        writing.mail(
            "points.expiring",
            key="1",
            to="alice@example.com",
            subject="Soon",
            text="Words",
            at=NOW,
        )
    assert Message.objects.get().payload["to"] == "alice@example.com"


def test_a_redemption_has_one_call_that_says_what_is_wanted() -> None:
    redemption = redeem_by_call("https://shop.example/redeem")
    writing.call(redemption, at=NOW)
    call = call_of(redemption)
    assert call.key == redemption.public_id
    assert call.payload == {
        "redemption": redemption.public_id,
        "customer_id": "alice",
        "reward": "call",
        "unit": "points",
        "amount": 100,
    }


class TestFacts(TestCase):
    @given(
        facts=st.lists(
            st.tuples(st.sampled_from(["a.b", "c.d"]), st.sampled_from("123")),
            max_size=12,
        ),
        wanted=st.lists(
            st.lists(st.sampled_from(["a.b", "c.d"]), max_size=2), max_size=3
        ),
    )
    def test_every_wanted_fact_is_told_exactly_once(self, facts, wanted):
        for number, events in enumerate(wanted):
            make_endpoint(f"host {number}", events=events)
        for type, key in facts:
            tell(key, type=type)
        told = sorted(Message.objects.values_list("endpoint__name", "key"))
        assert told == sorted(
            (endpoint.name, f"{type} {key}")
            for endpoint in Endpoint.objects.all()
            for type, key in set(facts)
            if not endpoint.events or type in endpoint.events
        )
