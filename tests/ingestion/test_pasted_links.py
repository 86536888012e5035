"""Pasted links: whose they are, told by what we know or else by Button."""

import json
import socket
from time import monotonic
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth.models import User

from ingestion import pages
from ingestion.button.sandbox import Sandbox
from ingestion.button.sandbox.catalogue import TRACKING_HOST
from merchants import clicks
from merchants.models import Click, Merchant, TrackingHost
from rewards import demo
from rewards.pages import limits
from tests.builders import MERCHANT, make_merchant, publish_program, rule
from tests.rewards.storefront import make_stores
from tests.rewards.visitors import sign_in, text_of

pytestmark = pytest.mark.django_db

LINK = "https://lumenoak.example/lamps/9?colour=sand&size=m"
NEW = "https://shop.lumen-new.example/lamps/9"


@pytest.fixture(autouse=True)
def store(settings) -> Merchant:
    settings.BUTTON_ORGANIZATION_ID = "org-02f4c8e96b1d7a50"
    settings.BUTTON_API_KEY = ""
    publish_program(rule())
    return make_merchant()


@pytest.fixture
def wire(settings, httpserver):
    """A Button that answers, and is asked nothing before it is told what."""
    settings.BUTTON_API_KEY = "sk-test"
    settings.BUTTON_API_URL = httpserver.url_for("").rstrip("/")
    return httpserver


def answer(wire, body: object, status: int = 200) -> None:
    wire.expect_request("/v1/links", method="POST").respond_with_json(
        body, status=status
    )


def belongs_to(merchant: object) -> dict[str, object]:
    links = {"universal": "https://r.bttn.io?btn_url=x"}
    return {
        "meta": {"status": "ok"},
        "object": {"merchant_id": merchant, "affiliate": None, "links": links},
    }


def refusal(kind: str, **details: str) -> dict[str, object]:
    error = {"type": kind, "message": "No.", "details": details}
    return {"meta": {"status": "error"}, "error": error}


def paste(url: str):
    return sign_in("alice").post("/go/", {"url": url})


def assert_no_way(page, *said: str) -> None:
    assert page.status_code == 422
    assert "This link earns nothing" in text_of(page)
    for words in said:
        assert words in text_of(page)
    assert not Click.objects.exists()


@pytest.mark.parametrize(
    "url", [LINK, LINK.removeprefix("https://"), LINK.replace("//", "//www.")]
)
def test_a_link_of_a_known_store_leads_there_by_a_button(url):
    page = paste(f"  {url} ")
    assert page.status_code == 200
    assert "This link leads to Lumen & Oak" in text_of(page)
    assert "100 points on an order of $100.00" in text_of(page)
    assert not Click.objects.exists()
    way = page.context["found"].way
    assert way.startswith("/go/lumen-oak/?to=")
    assert f'href="{way.replace("&", "&amp;")}"' in page.content.decode()
    assert sign_in("alice").get(way).status_code == 302
    target = url if "://" in url else f"https://{url}"
    assert Click.objects.get().destination == target


def test_button_is_not_asked_about_what_we_know(wire):
    assert paste(LINK).status_code == 200
    assert wire.log == []


def test_the_store_nearest_to_the_host_is_meant():
    make_merchant("Outlet", external_id="org-2", hosts=["outlet.lumenoak.example"])
    found = paste("https://www.outlet.lumenoak.example/a").context["found"]
    assert str(found.store) == "Outlet"


def test_a_tracking_host_is_no_stores_own():
    TrackingHost.objects.create(host="go.affiliate.example")
    assert_no_way(paste("https://go.affiliate.example/x"), "None of our stores is at")


def test_hidden_stores_are_not_found(store):
    Merchant.objects.update(listing="never")
    assert_no_way(paste(LINK), "None of our stores is at lumenoak.example.")


@pytest.mark.parametrize(
    "url",
    ["", "https://", "lamp", "javascript:alert(1)", "http://[::1]/", "https://1.2.3.4"],
)
def test_what_is_no_address_is_told_so(url, wire):
    assert_no_way(paste(url), "This is no address of a page.")
    assert wire.log == []


@pytest.mark.parametrize(
    "url", ["https://eve@lumenoak.example/", "ftp://lumenoak.example/"]
)
def test_a_known_stores_wrong_address_is_refused_with_the_reason(url):
    assert_no_way(paste(url), "The address has")


def test_what_was_pasted_never_becomes_markup():
    page = paste('https://evil.example/"><script>alert(1)</script>')
    assert_no_way(page)
    assert "<script>alert" not in page.content.decode()


def test_without_a_key_button_is_not_asked(settings):
    settings.BUTTON_API_URL = "http://127.0.0.1:1"
    assert_no_way(paste(NEW), "None of our stores is at shop.lumen-new.example.")


def test_a_host_that_button_knows_better_leads_to_the_store(wire, store):
    answer(wire, belongs_to(MERCHANT))
    page = paste(NEW)
    assert "This link leads to Lumen & Oak" in text_of(page)
    way = page.context["found"].way
    assert not Click.objects.exists()
    left = sign_in("alice").get(way)
    [target] = parse_qs(urlsplit(left.url).query)["btn_url"]
    assert target == NEW
    assert Click.objects.get().destination == NEW
    store.refresh_from_db()
    assert store.hosts == ["lumenoak.example"]


def test_button_is_told_address_and_customer_and_a_reference_of_ours(wire):
    answer(wire, belongs_to(MERCHANT))
    paste(NEW)
    [(request, _)] = wire.log
    asked = json.loads(request.data)
    assert asked["url"] == NEW
    assert asked["experience"]["btn_pub_user"] == "alice"
    assert clicks.is_ours(asked["experience"]["btn_pub_ref"])


def test_a_store_that_does_not_pay_us_is_named(wire):
    make_merchant("Farrow", external_id="org-2", live=False, hosts=[])
    answer(wire, refusal("NoMerchantApproval", merchant_id="org-2"), 403)
    assert_no_way(paste(NEW), "Farrow does not reward orders made through us.")


def test_an_unknown_store_that_does_not_pay_us_goes_by_its_host(wire):
    answer(wire, refusal("NoMerchantApproval"), 403)
    assert_no_way(paste(NEW), "shop.lumen-new.example does not reward orders")


def test_where_there_is_no_store_it_is_told_so(wire):
    answer(wire, refusal("NoMerchantLinkSupport"), 404)
    assert_no_way(paste(NEW), "There is no store at shop.lumen-new.example")


@pytest.mark.parametrize("odd", ["org\0", "\ud800", "a b", "x" * 256])
def test_a_refusal_that_names_no_store_is_our_trouble(wire, odd):
    answer(wire, refusal("NoMerchantApproval", merchant_id=odd), 403)
    assert_no_way(paste(NEW), "we could not ask further just now")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https://user:secret@shop.lumen-new.example/x", "has a user name"),
        ("ftp://shop.lumen-new.example/x", "has to begin with https://"),
        ("https://shop.lumen-new.example:8443/", "at shop.lumen-new.example:8443."),
        (f"{NEW}/{'a' * 4000}", "too long"),
        (f"{NEW}/{'a' * 100_000}", "too long"),
    ],
)
def test_button_is_not_told_of_what_can_not_be_gone_to(wire, url, said):
    assert_no_way(paste(url), said)
    assert wire.log == []


@pytest.mark.parametrize("letters", ["日" * 400, "/" * 3900, "&" * 3900])
def test_an_address_that_our_own_server_would_not_take_is_offered_no_button(letters):
    page = paste(f"https://lumenoak.example/?q={letters}")
    if page.status_code == 422:
        assert_no_way(page, "The address is too long.")
        return
    way = page.context["found"].way
    assert len(way) < 8_190 - len("GET  HTTP/1.1\r\n")
    assert sign_in("alice").get(way).status_code == 302


def test_a_long_address_in_chinese_leads_to_its_store(wire):
    answer(wire, belongs_to(MERCHANT))
    for start in ("https://lumenoak.example/", "https://new.example/"):
        page = paste(start + "日" * 400)
        assert sign_in("alice").get(page.context["found"].way).status_code == 302


def test_one_thread_alone_waits_for_button(wire):
    answer(wire, belongs_to(MERCHANT))
    with pages._ASKING:
        assert_no_way(paste(NEW), "we could not ask further just now")
        assert paste(LINK).status_code == 200
    assert wire.log == []
    assert paste(NEW).status_code == 200
    assert paste(NEW).status_code == 200


def test_the_place_is_free_again_after_a_failure(wire):
    answer(wire, refusal("Whatever"), 500)
    paste(NEW)
    paste(NEW)
    assert len(wire.log) == 2


def test_button_keeps_a_member_waiting_for_seconds_only(settings, monkeypatch):
    assert pages.PATIENCE == 4
    monkeypatch.setattr(pages, "PATIENCE", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings.BUTTON_API_KEY = "sk-test"
        settings.BUTTON_API_URL = f"http://127.0.0.1:{silent.getsockname()[1]}"
        began = monotonic()
        assert_no_way(paste(NEW), "we could not ask further just now")
        assert monotonic() - began < 2


def test_a_member_asks_ten_times_a_minute(wire, monkeypatch):
    monkeypatch.setattr(limits, "time", lambda: 1_800_000_000.0)
    answer(wire, belongs_to(MERCHANT))
    for _ in range(10):
        assert paste(NEW).status_code == 200
    assert_no_way(paste(NEW), "we could not ask further just now")
    assert len(wire.log) == 10
    assert paste(LINK).status_code == 200  # which Button isn't asked about
    assert sign_in("bob").post("/go/", {"url": NEW}).status_code == 200
    monkeypatch.setattr(limits, "time", lambda: 1_800_000_060.0)
    assert paste(NEW).status_code == 200


def test_a_store_that_members_may_not_see_is_none_of_ours(wire):
    make_merchant("Hidden", external_id="org-2", listing="never", hosts=[])
    answer(wire, belongs_to("org-2"))
    page = paste(NEW)
    assert_no_way(page, "The store at shop.lumen-new.example is none of ours.")
    assert "Hidden" not in page.content.decode()


@pytest.mark.parametrize(
    "body",
    [
        *(belongs_to(None), belongs_to(7), {"meta": {}}, []),
        *(belongs_to("org\0"), belongs_to("org\ud800"), belongs_to("x" * 256)),
    ],
)
def test_an_answer_that_says_nothing_is_our_trouble(wire, body):
    answer(wire, body)
    assert_no_way(paste(NEW), "we could not ask further just now")


@pytest.mark.parametrize("status", [401, 429, 500])
def test_a_button_that_fails_is_our_trouble(wire, status):
    answer(wire, refusal("Whatever"), status)
    assert_no_way(paste(NEW), "we could not ask further just now")


def test_no_network_is_our_trouble(settings):
    settings.BUTTON_API_KEY = "sk-test"
    settings.BUTTON_API_URL = "http://127.0.0.1:1"
    page = paste(NEW)
    assert_no_way(page, "we could not ask further just now")
    assert "sk-test" not in page.content.decode()


def test_only_members_paste_and_only_by_post(client):
    assert client.post("/go/", {"url": LINK}).url == "/sign-in/?next=/stores/"
    assert sign_in("alice").get("/go/").status_code == 405
    client.force_login(User.objects.create_user("eve"))
    assert client.post("/go/", {"url": LINK}).url == "/"


def test_a_link_through_an_affiliate_network_leads_to_its_store(button: Sandbox):
    demo.make_stores()
    url = f"https://{TRACKING_HOST}/?u=https%3A%2F%2Fcoveoutdoor.example%2Fjackets"
    page = paste(url)
    assert "This link leads to Cove Outdoor" in text_of(page)
    assert sign_in("alice").get(page.context["found"].way).status_code == 302
    assert Click.objects.get().destination == url


@pytest.mark.parametrize("number", [1, 100])
def test_many_stores_ask_no_more_than_few(number, django_assert_num_queries):
    make_stores(number)
    member = sign_in("alice")
    member.post("/go/", {"url": LINK})
    with django_assert_num_queries(9):
        assert member.post("/go/", {"url": LINK}).status_code == 200
