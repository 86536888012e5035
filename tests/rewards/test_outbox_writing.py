"""Tests of what is written to the outbox: once a fact, and only with the fact."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from rewards.ledger import expiries
from rewards.models import Endpoint, Member, Message
from rewards.outbox import writing
from tests.builders import NOW, make_endpoint, make_member
from tests.rewards.adjusting import adjust, apply, check, clerk, make_units, undo
from tests.rewards.sending import call_of, redeem_by_call, tell
from tests.rewards.spending import spend

pytestmark = pytest.mark.django_db


def test_an_event_says_its_type_its_time_and_the_fact() -> None:
    make_endpoint()
    alice = make_member()
    data = {"customer_id": "alice", "amount": 5}
    writing.emit(writing.Fact("points.expired", "1", data, alice), at=NOW)
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


def test_many_facts_take_as_many_queries_as_one() -> None:
    make_endpoint("one")
    make_endpoint("other", events=["a.b"])
    facts = [writing.Fact("a.b", str(n), {"n": n}) for n in range(20)]
    with CaptureQueriesContext(connection) as queries:
        writing.emit(*facts, writing.Fact("c.d", "1", {}), at=NOW)
        writing.emit(at=NOW)
    assert len([q for q in queries if "POINT" not in q["sql"]]) == 2
    assert Message.objects.count() == 41


class TestBatches:
    """Whatever is worked in batches asks once a batch who wants to be told."""

    @pytest.fixture(autouse=True)
    def six_members(self) -> None:
        make_units()
        make_endpoint()
        for n in range(6):
            make_member(f"m{n}")

    @staticmethod
    def told(work: Callable[[], object]) -> dict[str, int]:
        """What was told since, by type, and how often endpoints were asked for."""
        before = Message.objects.count()
        with CaptureQueriesContext(connection) as queries:
            work()
        types = Message.objects.order_by("pk").values_list("type", flat=True)[before:]
        asked = [q for q in queries if 'FROM "rewards_endpoint"' in q["sql"]]
        return {**Counter(types), "asked": len(asked)}

    def test_a_file_its_undoing_and_the_debts_of_that(self) -> None:
        ann, bea = clerk("ann"), clerk("bea")
        lines = [f"m{n},points,100" for n in range(6)]
        bulk = check("\n".join(["customer_id,unit,amount", *lines]), by=ann)
        given = self.told(lambda: apply(bulk, by=bea))
        assert given == {"adjustment.posted": 6, "asked": 1}
        for n in range(6):
            spend(60, name=f"spent-{n}", customer_id=f"m{n}")
        undone = self.told(lambda: undo(bulk, by=bea))
        assert undone == {"adjustment.undone": 6, "debt.opened": 6, "asked": 2}

    def test_warnings_and_expiries(self) -> None:
        ann = clerk("ann")
        for member in Member.objects.all():
            adjust(member, 100, by=ann, expires_after_days=30)
        warned = self.told(lambda: expiries.warn(at=NOW + timedelta(days=25)))
        assert warned == {"points.expiring": 6, "asked": 1}
        gone = self.told(lambda: expiries.expire(at=NOW + timedelta(days=40)))
        assert gone == {"points.expired": 6, "asked": 1}


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
