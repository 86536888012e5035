"""Tests that each switch does what it says, and no other."""

import http.client
import json
import time

import pytest

from ingestion.button.sandbox.faults import KINDS, Faults, UnknownFault
from tests.processes import wait_until

pytestmark = pytest.mark.once

PATH = "/v1/affiliation/transactions"


@pytest.mark.parametrize(
    ("kind", "status"),
    [("unauthorized", 401), ("forbidden", 403), ("broken", 500), ("throttled", 429)],
)
def test_statuses_come_in_the_envelope_and_once(sandbox, caller, kind, status):
    sandbox.faults.set(kind, next=1, seconds=7)
    found, headers, body = caller.send("GET", PATH)
    assert found == status
    assert json.loads(body)["meta"]["status"] == "error"
    assert headers.get("Retry-After") == ("7" if kind == "throttled" else None)
    assert caller.get(PATH)[0] == 200


def test_html_comes_with_200(sandbox, caller):
    sandbox.faults.set("html", next=1)
    status, headers, body = caller.send("GET", PATH)
    assert (status, headers["Content-Type"][:9]) == (200, "text/html")
    assert body.startswith(b"<!doctype html>")


def test_slow_is_late(sandbox, caller):
    sandbox.faults.set("slow", next=1, seconds=0.3)
    began = time.monotonic()
    assert caller.get(PATH)[0] == 200
    assert time.monotonic() - began >= 0.3


def test_the_connection_is_reset(sandbox, caller):
    sandbox.faults.set("reset", next=1)
    with pytest.raises(ConnectionError):
        caller.get(PATH)
    assert caller.get(PATH)[0] == 200


def test_the_answer_breaks_off(sandbox, caller):
    sandbox.faults.set("truncated", next=1)
    with pytest.raises(http.client.IncompleteRead):
        caller.get(PATH)


def test_next_leads_elsewhere(sandbox, caller):
    sandbox.place(customer="a")
    sandbox.place(customer="a")
    sandbox.faults.set("elsewhere", next=1)
    page = caller.get(PATH, page_size=1)[1]
    assert page["meta"]["next"].startswith("https://api.elsewhere.example/")
    assert len(caller.rows(page_size=1)) == 2


def test_a_cursor_repeats(sandbox, caller):
    for _ in range(3):
        sandbox.place(customer="a")
    sandbox.faults.set("repeated", next=2)
    first = caller.get(PATH, page_size=1)[1]
    cursor = first["meta"]["next"].partition("cursor=")[2]
    again = caller.get(PATH, page_size=1, cursor=cursor)[1]
    assert again["objects"] == first["objects"]
    assert again["meta"]["next"].partition("cursor=")[2] == cursor


def test_a_cursor_expires(sandbox, caller):
    for _ in range(2):
        sandbox.place(customer="a")
    page = caller.get(PATH, page_size=1)[1]
    cursor = page["meta"]["next"].partition("cursor=")[2]
    sandbox.faults.set("expired", next=1)
    status, document = caller.get(PATH, cursor=cursor)
    assert (status, "expired" in document["error"]["message"]) == (400, True)
    assert caller.get(PATH, cursor=cursor)[0] == 200


def test_a_wrong_signature_is_sent_again(reporting, receiver):
    reporting.faults.set("wrong_signature", next=1)
    reporting.place(customer="a")
    wait_until(lambda: reporting.webhooks.waiting() == 0)
    assert [t["answered"] for t in receiver.taken] == [401, 200]


def test_a_later_event_overtakes(reporting, receiver):
    reporting.faults.set("reordered", next=1, seconds=0.3)
    order = reporting.place(customer="a")
    reporting.validate(order.id)
    wait_until(lambda: reporting.webhooks.waiting() == 0)
    assert [event for event, _ in receiver.events] == ["tx-validated", "tx-pending"]


def test_one_comes_twice(reporting, receiver):
    reporting.faults.set("duplicated", next=1)
    reporting.place(customer="a")
    wait_until(lambda: reporting.webhooks.waiting() == 0)
    assert len(receiver.taken) == 2
    assert len({t["id"] for t in receiver.taken}) == 1
    assert len({t["request_id"] for t in receiver.taken}) == 2


def test_one_never_comes(reporting, receiver):
    reporting.faults.set("dropped", next=1)
    reporting.place(customer="a", total=100)
    reporting.place(customer="a", total=200)
    wait_until(lambda: reporting.webhooks.waiting() == 0)
    assert receiver.events == [("tx-pending", 200)]
    assert len(list(reporting.truth())) == 2


def test_switches_by_json(caller):
    path = "/v1/brands"
    _, document = caller.post(
        "/sandbox/faults", {"broken": {"probability": 1, "only": path}}
    )
    assert document["object"]["broken"]["probability"] == 1
    assert caller.get(path)[0] == 500
    assert caller.get(PATH)[0] == 200
    assert caller.get("/sandbox/faults")[1]["object"]["broken"]["struck"] == 1
    wrong = [{"nonsense": {}}, {"slow": 3}, {"slow": {"next": "x"}}]
    for given in [*wrong, {"slow": {"probability": 2}}]:
        assert caller.post("/sandbox/faults", {"broken": {}, **given})[0] == 400
    assert caller.get(path)[0] == 500  # a refused one changed nothing
    caller.post("/sandbox/faults", {})
    assert caller.get(path)[0] == 200


def test_chance_comes_from_the_seed_for_each_alone():
    def strikes(faults):
        return [faults.strikes("slow") for _ in range(200)]

    one, two = Faults(seed=3), Faults(seed=3)
    for faults in (one, two):
        faults.set("slow", probability=0.3)
    two.set("broken", probability=0.5)
    assert [two.strikes("broken") for _ in range(50)]
    found = strikes(one)
    assert found == strikes(two)
    assert 30 < sum(found) < 90


def test_an_unknown_switch_is_refused():
    faults = Faults()
    with pytest.raises(UnknownFault):
        faults.set("nonsense")
    assert set(faults.settings()) == set(KINDS)
