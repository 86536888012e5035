"""Tests of Button's API as the sandbox plays it, over real HTTP."""

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from ingestion.button.sandbox import Sandbox
from ingestion.button.sandbox.catalogue import BRANDS, LIVE, NO_BANNER, TRACKING_HOST
from tests.ingestion.sandbox.callers import Caller

pytestmark = pytest.mark.once

TRANSACTIONS = "/v1/affiliation/transactions"
NOON = datetime(2026, 3, 4, 12, 0, 0, 250_000, tzinfo=UTC)


def test_another_key_gets_the_envelope_of_401(sandbox):
    for key in ("", "sk-other"):
        status, document = Caller(sandbox, key=key).get(TRANSACTIONS)
        assert status == 401
        assert document["meta"] == {"status": "error"}
        assert document["error"]["message"]


def test_an_account_appears_with_its_first_transaction(sandbox, caller):
    _, before = caller.get("/v1/affiliation/accounts")
    assert [a["currency"] for a in before["objects"]] == ["USD"]
    sandbox.place(customer="a", currency="JPY")
    _, after = caller.get("/v1/affiliation/accounts")
    assert [a["currency"] for a in after["objects"]] == ["USD", "JPY"]
    assert set(after["objects"][0]) == {"id", "name", "currency", "organization"}


def test_a_row_has_the_apis_spelling(sandbox, caller):
    order = sandbox.place(
        customer="a", store="Marlow Coffee Roasters", pub_ref="clk_1", at=NOON
    )
    [row] = caller.get(TRANSACTIONS)[1]["objects"]
    assert row["order_purchased_date"] == "2026-03-04T11:50:00Z"
    assert row["modified_date"] == "2026-03-04T12:00:00Z"
    assert "event_date" not in row
    assert "order_purchase_date" not in row
    assert row["commerce_organization_name"] == "Marlow Coffee Roasters"
    assert row["country"] == "US"
    assert (row["id"], row["pub_ref"]) == (order.id, "clk_1")
    lines = row["order_line_items"]
    assert row["amount"] == sum(line["publisher_commission"] for line in lines)
    assert row["order_total"] == sum(line["total"] for line in lines)


def test_a_window_has_its_start_and_not_its_end(sandbox, caller):
    times = [NOON + timedelta(minutes=n) for n in range(3)]
    orders = [sandbox.place(customer="a", at=at) for at in times]
    sandbox.validate(orders[0].id, at=NOON + timedelta(days=1))

    def ids(**query):
        return [row["id"] for row in caller.get(TRANSACTIONS, **query)[1]["objects"]]

    first, second, third = (order.id for order in orders)
    window = {"start": times[0].isoformat(), "end": times[2].isoformat()}
    assert ids(**window) == [first, second]
    assert ids(**window, time_field="modified_date") == [second]
    assert ids(time_field="modified_date") == [second, third, first]
    assert ids(start="2026-03-04T11:51:00+00:00", time_field="attribution_date") == [
        second,
        third,
    ]


def test_pages_hold_every_row_once(sandbox, caller):
    sandbox.load(
        sandbox.made_up(
            1234, start=NOON - timedelta(days=9), end=NOON, currencies=("USD", "GBP")
        )
    )
    everything = {one.transaction_id for one in sandbox.truth()}
    for query in ({"page_size": 100}, {"page_size": 7, "time_field": "modified_date"}):
        rows = [row["id"] for row in caller.rows(**query)]
        assert len(rows) == 1234
        assert set(rows) == everything
    assert len(caller.get(TRANSACTIONS)[1]["objects"]) == 50
    pounds = sandbox.account("GBP")
    rows = caller.rows(f"/v1/affiliation/accounts/{pounds}/transactions")
    assert {row["account_id"] for row in rows} == {pounds}
    assert len(rows) == sum(one.account == pounds for one in sandbox.truth())


def test_a_page_leads_back_to_the_one_before(sandbox, caller):
    sandbox.load(sandbox.made_up(25, start=NOON - timedelta(days=1), end=NOON))
    first = caller.get(TRANSACTIONS, page_size=10)[1]
    assert first["meta"]["previous"] is None
    url = urlsplit(first["meta"]["next"])
    assert f"{url.scheme}://{url.netloc}" == sandbox.url
    second = caller.get(f"{url.path}?{url.query}")[1]
    assert len(second["objects"]) == 10  # the cursor knows the size
    back = urlsplit(second["meta"]["previous"])
    assert caller.get(f"{back.path}?{back.query}")[1]["objects"] == first["objects"]


def test_a_cursor_can_expire():
    with Sandbox(cursor_life=-2) as sandbox:
        caller = Caller(sandbox)
        sandbox.place(customer="a")
        sandbox.place(customer="a")
        url = caller.get(TRANSACTIONS, page_size=1)[1]["meta"]["next"]
        [cursor] = parse_qs(urlsplit(url).query)["cursor"]
        assert caller.get(TRANSACTIONS, cursor=cursor)[0] == 400


@pytest.mark.parametrize(
    "query",
    [
        {"cursor": "nonsense"},
        {"time_field": "event_date"},
        {"start": "yesterday"},
        {"page_size": "0"},
    ],
)
def test_a_bad_parameter_is_named(caller, query):
    status, document = caller.get(TRANSACTIONS, **query)
    assert status == 400
    assert next(iter(query)) in document["error"]["message"]


def test_a_country_is_folded(sandbox, caller):
    sandbox.place(customer="a", country="US")
    sandbox.place(customer="a", country="GB")
    rows = caller.get(TRANSACTIONS, country="gb")[1]["objects"]
    assert [row["country"] for row in rows] == ["GB"]


def test_brands_are_partners_with_terms(caller):
    brands = caller.get("/v1/brands")[1]["objects"]
    assert len(brands) == 8
    assert [b["name"] for b in brands if not b["is_live_ready"]] == ["Saltmarsh Swim"]
    assert NO_BANNER in {b["icon_url"] for b in brands}
    one = caller.get(f"/v1/brands/{brands[1]['id']}")[1]["object"]
    assert one == brands[1]
    assert one["terms_and_conditions"]["finalization_window_minutes"] == 45 * 1440


@pytest.mark.parametrize(
    ("name", "status"), [("org-x", 400), ("org-0000000000000000", 404)]
)
def test_an_unknown_brand(caller, name, status):
    assert caller.get(f"/v1/brands/{name}")[0] == status


def test_merchants_by_partnership(caller):
    approved = caller.get("/v1/merchants", status="approved", currency="USD")[1]
    available = caller.get("/v1/merchants", status="available")[1]
    assert len(approved["objects"]) == 8
    assert [m["name"] for m in available["objects"]] == ["Brightwater Cycles"]
    assert caller.get("/v1/merchants", status="x")[0] == 400


def test_offers_say_what_orders_pay(sandbox, caller):
    _, document = caller.post("/v1/offers", {"user_id": "alice"})
    offers = {
        m["merchant_id"]: m["offers"] for m in document["object"]["merchant_offers"]
    }
    assert set(offers) == {brand.id for brand in LIVE}
    every = [offer for several in offers.values() for offer in several]
    assert any(o["display_params"]["offer_type"] == "Exclusion" for o in every)
    assert any(o.get("rate_fixed") == "3.50" for o in every)
    assert all(("rate_percent" in o) != ("rate_fixed" in o) for o in every)

    paid = sandbox.place(
        customer="alice",
        store="Marlow Coffee Roasters",
        goods={"Coffee subscription": 2, "Enamel mug": 1},
    )
    assert paid.commission == 2 * 350 + 1800 * 9 // 100
    gift = sandbox.place(
        customer="alice", store="Paper Lantern Books", goods={"Gift card": 1}
    )
    assert (gift.order_total, gift.commission) == (5000, 0)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"user_id": "two words"},
        {"user_id": "x" * 256},
        {"user_id": "a", "email_sha256s": ["no"]},
        {"user_id": "a", "device_ids": ["d"] * 11},
    ],
)
def test_offers_want_a_user(caller, body):
    assert caller.post("/v1/offers", body)[0] == 400


def test_links_are_made_refused_and_unknown(sandbox, caller):
    store = LIVE[0]
    experience = {"btn_pub_user": "alice", "btn_pub_ref": "clk_1"}
    body = {"url": f"{store.store.homepage_url}a b", "experience": experience}
    status, document = caller.post("/v1/links", body)
    assert (status, document["object"]["merchant_id"]) == (200, store.id)
    link = document["object"]["links"]["universal"]
    assert f"btn_ref={sandbox.organization}" in link
    assert "a%20b" in link

    other = next(b for b in BRANDS.values() if b.status == "available")
    status, document = caller.post("/v1/links", {"url": other.store.homepage_url})
    assert (status, document["error"]["type"]) == (403, "NoMerchantApproval")
    assert document["error"]["details"] == {"merchant_id": other.id}

    status, document = caller.post("/v1/links", {"url": "https://nobody.example/"})
    assert (status, document["error"]["type"]) == (404, "NoMerchantLinkSupport")
    assert caller.post("/v1/links", {})[0] == 400


def test_a_tracking_link_belongs_to_the_brand_behind_it(caller):
    url = f"https://{TRACKING_HOST}/c?u=https%3A%2F%2Ffernandfield.example%2F"
    document = caller.post("/v1/links/info", {"url": url})[1]
    assert BRANDS[document["object"]["organization_id"]].name == "Fern & Field"
    assert document["object"]["approved"] is True


def test_the_truth_needs_the_key(sandbox, caller):
    order = sandbox.place(customer="alice", total=1234)
    [row] = caller.get("/sandbox/truth")[1]["objects"]
    assert row["order_id"] == order.order_id
    assert (row["order_total"], row["status"]) == (1234, "pending")
    assert Caller(sandbox, key="x").get("/sandbox/truth")[0] == 401


def test_orders_are_made_by_json(sandbox, caller):
    order = {"customer": "bob", "total": 900, "at": NOON.isoformat()}
    _, document = caller.post("/sandbox/orders", order)
    path = f"/sandbox/orders/{document['object']['order_id']}"
    assert (
        caller.post(f"{path}/adjust", {"total": 500})[1]["object"]["order_total"] == 500
    )
    assert caller.post(f"{path}/validate", {})[0] == 200
    status, document = caller.post(f"{path}/decline", {})
    assert (status, document["error"]["type"]) == (409, "Refused")
    assert [one.status for one in sandbox.truth()] == ["validated"]
    assert caller.post("/sandbox/orders", {"colour": "red"})[0] == 400
    assert caller.post(f"{path}/nonsense", {})[0] == 404


def test_a_page_of_500_rows_is_quick_among_many(sandbox, caller):
    sandbox.load(sandbox.made_up(5000, start=NOON - timedelta(days=9), end=NOON))
    rows = caller.get(TRANSACTIONS, page_size=500, time_field="modified_date")
    assert len(rows[1]["objects"]) == 500
    plan = sandbox.state.rows(
        "EXPLAIN QUERY PLAN SELECT row FROM transactions WHERE (modified, seq) > (0, 0)"
        " AND modified >= 0 AND modified < 9 ORDER BY modified, seq LIMIT 501"
    )
    assert "transactions_modified" in plan[0]["detail"]
    assert len(plan) == 1  # no sorting beside the index


def test_another_machines_name_is_refused(caller):
    assert caller.send("GET", "/", Host="evil.example")[0] == 421
