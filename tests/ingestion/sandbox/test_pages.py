"""Tests of the page to play with, and of the shops behind links."""

from urllib.parse import quote, urlencode

import pytest

from ingestion.button.sandbox import Sandbox
from ingestion.button.sandbox.catalogue import TRACKING_HOST
from tests.ingestion.sandbox.callers import Caller
from tests.processes import wait_until

pytestmark = pytest.mark.once

SHOP = "https://marlowcoffee.example/mugs?a=b%20c"


def link(sandbox, **changed):
    query = {
        "btn_url": SHOP,
        "btn_ref": sandbox.organization,
        "btn_pub_user": "alice",
        "btn_pub_ref": "clk_1",
        **changed,
    }
    given = {name: value for name, value in query.items() if value is not None}
    return f"/?{urlencode(given, quote_via=quote, safe='')}"


def test_an_order_placed_by_the_form_is_reported(reporting, receiver):
    caller = Caller(reporting)
    assert b"Place an order" in caller.send("GET", "/")[2]
    status, headers, _ = caller.form("/orders", customer="alice", currency="USD")
    assert status == 303
    wait_until(lambda: receiver.taken)
    data = receiver.taken[0]["data"]
    assert data["publisher_customer_id"] == "alice"
    page = caller.send("GET", headers["Location"])[2].decode()
    assert data["button_order_id"] in page
    assert "delivered" in page


def test_every_button_does_something(sandbox, caller):
    order = sandbox.place(
        customer="a", store="Paper Lantern Books", goods={"Notebook": 9}
    )
    path = f"/orders/{order.order_id}"
    for action, fields in (
        ("return", {}),
        ("adjust", {"total": "9000"}),
        ("second-transaction", {}),
        ("second-account", {}),
        ("hold", {}),
        ("release", {}),
        ("replay", {}),
        ("validate", {}),
    ):
        status, headers, _ = caller.form(f"{path}/{action}", **fields)
        assert (status, headers["Location"]) == (303, "/"), action
    dollars, pounds = sandbox.truth()
    assert (dollars.status, pounds.status) == ("validated", "pending")
    assert dollars.order_total == 9000
    said = caller.form(f"{path}/decline")[1]["Location"]
    assert b"stays so" in caller.send("GET", said)[2]
    assert sandbox.find(order.order_id).status == "validated"


def test_pause_resume_and_ping(sandbox, caller):
    caller.form("/webhooks/pause")
    assert sandbox.webhooks.paused
    assert b"Resume" in caller.send("GET", "/")[2]
    caller.form("/webhooks/resume")
    assert not sandbox.webhooks.paused
    caller.form("/webhooks/ping")
    assert sandbox.webhooks.newest(most=1)[0]["event"] == "ping"


def test_switches_are_set_and_refused(sandbox, caller):
    caller.form("/faults", **{"slow-percent": "25", "broken-next": "3"})
    settings = sandbox.faults.settings()
    assert settings["slow"]["probability"] == 0.25
    assert settings["broken"]["next"] == 3
    caller.form("/faults", **{"slow-percent": "250"})
    assert sandbox.faults.settings() == settings


def test_an_install_and_an_order_of_nobody(sandbox, caller):
    caller.form("/orders", customer="", install="1")
    caller.form("/orders", customer="", discount="1")
    install, order = sandbox.truth()
    assert install.category == "app-install"
    assert (order.customer, install.customer) == (None, None)
    caller.form("/orders", customer="two words")
    assert len(list(sandbox.truth())) == 2


@pytest.mark.parametrize(
    "headers",
    [
        *({"Origin": "http://evil.example"}, {"Origin": "null"}),
        *({"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}),
    ],
)
def test_another_sites_form_is_refused(sandbox, caller, headers):
    assert caller.send("POST", "/orders", "customer=a", **headers)[0] == 403
    assert not list(sandbox.truth())


@pytest.mark.parametrize(
    "host", ["evil@127.0.0.1", "127.0.0.1.evil.example", "evil.example", "127.0.0.1:x"]
)
def test_another_name_is_not_this_machines(sandbox, caller, host):
    assert caller.send("POST", "/orders", "customer=a", Host=host)[0] == 421
    assert caller.send("GET", "/", Host=host)[0] == 421
    assert not list(sandbox.truth())


@pytest.mark.parametrize("length", ["9" * 5000, "-1", "x", "", "1" * 13])
def test_what_is_no_length_is_answered(caller, length):
    answer = caller.send("POST", "/orders", "", **{"Content-Length": length})
    assert answer[0] == 400
    assert caller.send("GET", "/")[0] == 200


def test_too_much_is_answered(caller):
    answer = caller.send("POST", "/orders", "", **{"Content-Length": str(2**21)})
    assert answer[0] == 413


@pytest.mark.parametrize("path", ["/sandbox/orders", "/sandbox/faults", "/v1/links"])
def test_brackets_without_end_are_no_json(caller, capfd, path):
    status, _, body = caller.send("POST", path, "[" * 50_000)
    assert status == 400
    assert b"no JSON" in body
    assert not capfd.readouterr().err


def test_a_link_leads_to_a_shop_where_one_click_orders(sandbox, caller):
    status, _, body = caller.send("GET", link(sandbox))
    assert status == 200
    assert b"Marlow Coffee Roasters" in body
    fields = {"customer": "alice", "reference": "clk_1", "goods-Enamel mug": "2"}
    caller.form("/orders", store="Marlow Coffee Roasters", **fields)
    [truth] = sandbox.truth()
    assert (truth.customer, truth.order_total) == ("alice", 3600)
    assert sandbox.find(truth.order_id).pub_ref == "clk_1"


def test_a_tracking_link_leads_to_the_shop_behind_it(sandbox, caller):
    url = f"https://{TRACKING_HOST}/c?{urlencode({'u': SHOP})}"
    status, _, body = caller.send("GET", link(sandbox, btn_url=url))
    assert (status, b"Marlow" in body) == (200, True)


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"btn_url": None}, "btn_url is missing"),
        ({"btn_url": quote(SHOP, safe="")}, "encoded twice"),
        ({"btn_url": "http://marlowcoffee.example/"}, "no absolute https"),
        ({"btn_url": "https://marlowcoffee.example/a b"}, "no absolute https"),
        ({"btn_url": "https://marlowcoffee.example/é"}, "no absolute https"),
        ({"btn_url": "https://nobody.example/"}, "no brand"),
        ({"btn_url": "https://brightwater.example/"}, "not approved"),
        ({"btn_ref": "srctok-1"}, "not your organization"),
        ({"btn_pub_user": "two words"}, "btn_pub_user"),
        ({"btn_pub_user": "x" * 256}, "btn_pub_user"),
        ({"btn_pub_ref": "x" * 513}, "longer than 512"),
        ({"btn_other": "1"}, "no parameter"),
    ],
)
def test_a_wrong_link_says_what_is_wrong(sandbox, caller, changed, fault):
    status, _, body = caller.send("GET", link(sandbox, **changed))
    assert (status, fault in body.decode()) == (400, True)
    assert b"Place the order" not in body


def test_a_link_given_twice_or_unencoded_is_wrong(sandbox, caller):
    twice = f"{link(sandbox)}&btn_ref=x"
    assert b"there twice" in caller.send("GET", twice)[2]
    raw = link(sandbox).replace("%3A", "%3a").replace("alice", "al|ce")
    assert b"percent-encoded" in caller.send("GET", raw)[2]


def test_a_link_without_a_user_still_leads_there(sandbox, caller):
    status, _, body = caller.send("GET", link(sandbox, btn_pub_user=None))
    assert (status, b"nobody can be rewarded" in body) == (200, True)


def test_the_api_makes_links_that_lead_there(sandbox, caller):
    body = {"url": SHOP, "experience": {"btn_pub_user": "alice"}}
    made = caller.post("/v1/links", body)[1]["object"]["links"]["universal"]
    assert made.startswith(sandbox.url)
    path = made.removeprefix(sandbox.url)
    assert caller.send("GET", f"/{path.lstrip('/')}")[0] == 200


def test_what_our_server_made_of_it(httpserver):
    httpserver.expect_request(
        "/api/v1/purchases/btnorder-1/", headers={"Authorization": "Bearer k"}
    ).respond_with_json(
        {"status": "pending", "awards": [{"granted": 36, "unit": "points"}]}
    )
    url = httpserver.url_for("").rstrip("/")
    with Sandbox(server_url=url, server_key="k") as sandbox:
        sandbox.place(customer="a", order_id="btnorder-1")
        page = Caller(sandbox).send("GET", "/")[2].decode()
    assert "pending: 36 points" in page
    assert f"{url}/activity/" in page
