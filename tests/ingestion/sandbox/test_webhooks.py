"""Tests of delivering: signed, in order, again and again, paused, resumed."""

import time
from itertools import pairwise

import pytest

from ingestion.button.sandbox import Sandbox
from ingestion.button.sandbox.catalogue import LIVE
from tests.processes import wait_until

pytestmark = pytest.mark.once


def idle(sandbox, seconds=10):
    wait_until(lambda: sandbox.webhooks.waiting() == 0, seconds=seconds)


def test_an_order_is_reported_in_the_webhooks_spelling(reporting, receiver):
    order = reporting.place(customer="alice", pub_ref="clk_1", store=LIVE[0].id)
    idle(reporting)
    [taken] = receiver.taken
    assert taken["id"].startswith("hook-")
    assert taken["request_id"].startswith("attempt-")
    assert (taken["event_type"], taken["answered"]) == ("tx-pending", 200)
    data = taken["data"]
    assert data["id"] == order.id
    assert data["publisher_customer_id"] == "alice"
    assert data["publisher_organization"] == reporting.organization
    assert len(data["modified_date"]) == len("2026-03-04T12:00:00.000Z")
    assert "order_purchase_date" in data
    assert "event_date" in data
    assert not {"order_purchased_date", "country"} & data.keys()


def test_a_failed_one_is_sent_again_under_its_own_id(reporting, receiver):
    receiver.answers = [500, 401, 503]
    reporting.place(customer="alice")
    idle(reporting)
    assert [t["answered"] for t in receiver.taken] == [500, 401, 503, 200]
    assert len({t["id"] for t in receiver.taken}) == 1
    assert len({t["request_id"] for t in receiver.taken}) == 4
    pauses = [b["at"] - a["at"] for a, b in pairwise(receiver.taken)]
    # 10, 20 and 40 seconds of an hour that takes 10; the receiver's clock is another.
    assert pauses[0] > 9 / 360
    assert pauses[1] > 19 / 360
    assert pauses[2] > 39 / 360


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, "delivered"),
        (204, "delivered"),
        (202, "accepted, not processed"),
        (400, "dropped: 400"),
    ],
)
def test_these_answers_are_final(reporting, receiver, status, outcome):
    receiver.answers = [status]
    reporting.place(customer="alice")
    idle(reporting)
    time.sleep(0.1)
    assert [t["answered"] for t in receiver.taken] == [status]
    assert reporting.webhooks.newest(most=1)[0]["outcome"] == outcome


def test_after_three_days_it_is_given_up(receiver):
    receiver.always = 500
    with Sandbox(receiver=receiver.url, hour=0.02) as sandbox:
        sandbox.place(customer="alice")
        idle(sandbox, seconds=20)
        [delivery] = sandbox.webhooks.newest(most=1)
        assert delivery["outcome"] == "given up after 3 days"
        # A back-off for an hour, then hourly: eighty tries and no more.
        assert 10 < delivery["attempts"] <= 82
        times = [a["at"] for a in sandbox.webhooks.attempts(delivery["seq"])]
        assert times[-1] - times[0] >= 72 * 20


def test_a_transactions_next_event_waits_for_the_one_before(receiver):
    receiver.answers = [500, 500]
    with Sandbox(receiver=receiver.url, hour=30) as sandbox:
        order = sandbox.place(customer="alice", total=5000)
        wait_until(lambda: receiver.taken)
        sandbox.adjust(order.id, total=4000)
        sandbox.validate(order.id)
        other = sandbox.place(customer="bob", total=700)
        idle(sandbox)
    own = [t for t in receiver.taken if t["data"]["id"] == order.id]
    assert [(t["event_type"], t["data"]["order_total"]) for t in own] == [
        *[("tx-pending", 5000)] * (len(own) - 2),
        ("tx-pending", 4000),
        ("tx-validated", 4000),
    ]
    positions = [t["data"]["id"] for t in receiver.taken]
    assert positions.index(other.id) < len(positions) - 1  # it did not wait


def test_five_failures_pause_and_resuming_delivers_the_backlog(receiver):
    receiver.always = 503
    with Sandbox(receiver=receiver.url, hour=30) as sandbox:
        for number in range(4):
            sandbox.place(customer=f"c{number}")
        wait_until(lambda: len({t["id"] for t in receiver.taken}) == 4)
        assert not sandbox.webhooks.paused
        sandbox.place(customer="c4")
        wait_until(lambda: sandbox.webhooks.paused)
        assert "5 failed" in sandbox.webhooks.paused
        time.sleep(0.2)  # what was under way
        before = len(receiver.taken)
        sandbox.place(customer="c5")
        time.sleep(0.3)
        assert len(receiver.taken) == before
        receiver.always = 200
        sandbox.resume()
        idle(sandbox)
        assert not sandbox.webhooks.paused
    delivered = {t["id"] for t in receiver.taken if t["answered"] == 200}
    assert len(delivered) == 6


def test_few_failures_among_many_do_not_pause(receiver):
    with Sandbox(receiver=receiver.url, hour=600) as sandbox:
        for number in range(60):
            sandbox.place(customer=f"c{number}")
        idle(sandbox)
        receiver.always = 503
        for number in range(6):
            sandbox.place(customer=f"d{number}")
        wait_until(lambda: len({t["id"] for t in receiver.taken}) == 66)
        assert not sandbox.webhooks.paused  # six of 66


def test_a_receiver_that_is_not_there_counts_as_failing():
    with Sandbox(receiver="http://127.0.0.1:9/hooks", hour=36000) as sandbox:
        sandbox.place(customer="alice")
        wait_until(lambda: sandbox.webhooks.newest(most=1)[0]["attempts"])
        [delivery] = sandbox.webhooks.newest(most=1)
        assert delivery["status"] is None
        assert "refused" in delivery["note"].lower()


def test_a_replay_has_the_same_id(reporting, receiver):
    order = reporting.place(customer="alice")
    idle(reporting)
    assert reporting.replay(order.order_id) == 1
    idle(reporting)
    first, second = receiver.taken
    assert (first["id"], first["data"]) == (second["id"], second["data"])
    assert first["request_id"] != second["request_id"]


def test_held_webhooks_wait_until_released(reporting, receiver):
    order = reporting.place(customer="alice", notify=False)
    reporting.delay(order.order_id)
    reporting.validate(order.order_id)
    reporting.place(customer="bob")
    wait_until(lambda: len(receiver.taken) == 1)
    time.sleep(0.1)
    assert reporting.webhooks.waiting() == 1
    reporting.release(order.order_id)
    idle(reporting)
    assert [event for event, _ in receiver.events] == ["tx-pending", "tx-validated"]


def test_ping_and_an_order_of_nobody(reporting, receiver):
    reporting.ping()
    reporting.place(customer=None)
    idle(reporting)
    events = {t["event_type"]: t["data"] for t in receiver.taken}
    assert events["ping"] == {}
    assert events["tx-pending"]["publisher_customer_id"] is None


def test_a_restarted_sandbox_goes_on(receiver, tmp_path):
    data = tmp_path / "sandbox.sqlite3"
    with Sandbox(data=data, receiver="http://127.0.0.1:9/hooks") as sandbox:
        order = sandbox.place(customer="alice", total=5000)
        sandbox.adjust(order.id, total=4000)
        wait_until(lambda: sandbox.webhooks.newest(most=9)[-1]["attempts"])
    with Sandbox(data=data, receiver=receiver.url) as sandbox:
        assert sandbox.find(order.order_id).order_total == 4000
        sandbox.resume()  # without waiting for the next try
        idle(sandbox)
        again = sandbox.place(customer="alice")
        assert again.id != order.id
        idle(sandbox)
        assert len(list(sandbox.truth())) == 2
    assert receiver.events[:2] == [("tx-pending", 5000), ("tx-pending", 4000)]
