"""The stores that members can buy from, what they promise, and leaving for them."""

import json
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from merchants import clicks
from merchants.models import Click, Merchant
from rewards.pages import limits
from rewards.pages.departures import VISITS, way_to
from rewards.pages.stores import PAGE_SIZE
from tests.builders import (
    fixed,
    make_merchant,
    publish_program,
    rule,
    share,
)
from tests.rewards.storefront import make_offer, make_stores
from tests.rewards.visitors import sign_in, text_of

pytestmark = pytest.mark.django_db

ORGANIZATION = "org-02f4c8e96b1d7a50"


@pytest.fixture(autouse=True)
def program(settings):
    settings.BUTTON_ORGANIZATION_ID = ORGANIZATION
    publish_program(rule(), rule("half", unit="USD", reward=share("50")))


@pytest.fixture
def store() -> Merchant:
    return make_merchant(categories=["Home"])


def names(page) -> list[str]:
    return [card.name for card in page.context["catalogue"].cards]


def test_anybody_sees_the_stores_and_what_they_promise(client, store):
    make_offer(store, "8", kind="category", label="Lamps")
    make_offer(store, "4")
    said = text_of(client.get("/stores/"))
    assert "Lumen & Oak Home up to 100 points + $4.00 on an order of $100.00" in said


def test_only_listed_stores_with_a_name_are_shown(client, store):
    make_merchant("Hidden", external_id="org-2", listing="never")
    make_merchant("Gone", external_id="org-3", live=False)
    make_merchant("", external_id="org-4", listing="always")
    assert names(client.get("/stores/")) == ["Lumen & Oak"]


def test_staffs_name_wins_and_decides_the_order(client, store):
    make_merchant("Zebra", external_id="org-2", own_name="aardvark")
    assert names(client.get("/stores/")) == ["aardvark", "Lumen & Oak"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"q": "LUMEN"}, ["Lumen & Oak"]),
        ({"q": "écl"}, ["Éclair"]),
        ({"q": "nobody"}, []),
        ({"q": "\0"}, []),
        ({"category": "Food"}, ["Éclair"]),
        ({"category": "Foo"}, []),
        ({"q": "lumen", "category": "Food"}, []),
        ({"page": "99"}, ["Lumen & Oak", "Éclair"]),
        ({"page": "x"}, ["Lumen & Oak", "Éclair"]),
    ],
)
def test_stores_are_found_by_name_and_category(client, store, query, found):
    make_merchant("Éclair", external_id="org-2", categories=["Food", "Sweets"])
    page = client.get("/stores/", query)
    assert names(page) == found
    assert list(page.context["catalogue"].categories) == ["Food", "Home", "Sweets"]


def test_pages_hold_every_store_once(client):
    make_stores(PAGE_SIZE * 2 + 1)
    seen = [
        name
        for number in (1, 2, 3)
        for name in names(client.get("/stores/", {"page": number}))
    ]
    assert len(seen) == len(set(seen)) == PAGE_SIZE * 2 + 1
    assert seen == sorted(seen)


def test_a_search_survives_paging(client):
    make_stores(PAGE_SIZE + 1)
    page = client.get("/stores/", {"q": "store"}).content.decode()
    assert 'href="?q=store&amp;page=2"' in page


@pytest.mark.parametrize("number", [1, PAGE_SIZE])
def test_a_full_list_asks_no_more_than_a_short_one(client, number):
    make_stores(number)
    client.get("/stores/")
    with CaptureQueriesContext(connection) as queries:
        client.get("/stores/")
    assert len(queries) == 6


def test_a_store_says_rates_terms_and_times(client, store):
    make_offer(store, "8", kind="category", label="Lamps", tag="Holiday")
    make_offer(store, "4")
    make_offer(store, "0", kind="exclusion", label="Gift cards")
    Merchant.objects.update(
        description="Lighting.",
        exclusions="No shipping.",
        coupons_allowed=False,
        gift_cards_allowed=True,
        other_terms="No wholesale.",
        own_terms="Tested by us.",
        reporting_days=2,
        finalization_minutes=64800,
        synced_at="2026-11-19T12:00:00Z",
    )
    said = text_of(client.get("/stores/lumen-oak/"))
    for words in (
        "Lighting.",
        "up to 100 points + $4.00 on an order of $100.00",
        "Lamps Holiday 100 points + $4.00 on an order of $100.00",
        "Everything else 100 points + $2.00 on an order of $100.00",
        "Gift cards Earns nothing",
        "Excluded No shipping.",
        "Orders with a discount code earn nothing.",
        "Orders with gift cards earn too.",
        "No wholesale.",
        "Tested by us.",
        "Usually within 2 days of your order.",
        "Usually after 45 days",
        "Rates as of Nov. 19, 2026.",
    ):
        assert words in said


def test_a_store_that_said_nothing_promises_nothing_else(client, store):
    said = text_of(client.get("/stores/lumen-oak/"))
    assert "100 points on an order of $100.00" in said
    assert "$50.00 of each $100.00 that the store pays us" in said
    assert "The store has not said how soon it reports orders." in said
    assert "Rates as of" not in said
    assert "discount code earn" not in said


def test_no_picture_of_a_store_is_loaded(client, store):
    Merchant.objects.update(icon_url="https://img.example/lumen.png")
    for path in ("/stores/", "/stores/lumen-oak/"):
        assert "img.example" not in client.get(path).content.decode()


def test_strangers_are_asked_to_sign_in_and_come_back(client, store):
    page = client.get("/stores/lumen-oak/", {"to": "https://lumenoak.example/a"})
    assert "Sign in to shop" in text_of(page)
    answer = client.get("/go/lumen-oak/", {"to": "https://lumenoak.example/a"})
    assert answer.status_code == 302
    assert answer.url == (
        "/sign-in/?next=/stores/lumen-oak/%3Fto%3D"
        "https%253A%252F%252Flumenoak.example%252Fa"
    )
    assert not Click.objects.exists()


@pytest.mark.parametrize("path", ["/stores/nobody/", "/stores/hidden/"])
def test_an_unknown_or_hidden_store_has_no_page(client, path):
    make_merchant("Hidden", listing="never")
    assert client.get(path).status_code == 404
    member = sign_in("alice")
    assert member.get(path.replace("stores", "go")).status_code == 404
    assert not Click.objects.exists()


def test_a_member_leaves_by_a_button_link_of_its_own(store):
    make_offer(store, "4")
    answer = sign_in("alice").get("/go/lumen-oak/")
    click = Click.objects.get()
    assert answer.status_code == 302
    link = urlsplit(answer.url)
    assert f"{link.scheme}://{link.netloc}{link.path}" == "https://r.bttn.io"
    assert {name: value for name, [value] in parse_qs(link.query).items()} == {
        "btn_url": "https://lumenoak.example/",
        "btn_pub_user": "alice",
        "btn_pub_ref": click.reference,
        "btn_ref": ORGANIZATION,
    }
    assert clicks.is_ours(click.reference)
    assert (click.customer_id, click.merchant) == ("alice", store)
    assert "no-store" in answer["Cache-Control"]


def test_the_click_keeps_what_was_promised(store):
    make_offer(store, "4")
    Merchant.objects.update(exclusions="No shipping.")
    sign_in("alice").get("/go/lumen-oak/")
    shown = Click.objects.get().shown
    assert shown["edition"] == 1
    assert [(a["unit"], a["amount"]) for a in shown["headline"]] == [
        ("points", 100),
        ("USD", 200),
    ]
    assert shown["rates"][0]["kind"] == "default"
    assert shown["terms"]["exclusions"] == "No shipping."


def test_a_member_leaves_for_one_page_of_a_store(store):
    url = "https://www.lumenoak.example/lämp?a=b&c=d#e"
    answer = sign_in("alice").get("/go/lumen-oak/", {"to": url})
    [target] = parse_qs(urlsplit(answer.url).query)["btn_url"]
    assert target == "https://www.lumenoak.example/l%C3%A4mp?a=b&c=d#e"
    assert Click.objects.get().destination == target


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/",
        "https://lumenoak.example.evil.example/",
        "https://lumenoak.example@evil.example/",
        "javascript:alert(1)",
        "//lumenoak.example/",
        "https://lumenoak.example/" + "a" * 4000,
    ],
)
def test_a_wrong_destination_is_refused_and_nothing_recorded(store, url):
    answer = sign_in("alice").get("/go/lumen-oak/", {"to": url})
    assert answer.status_code == 422
    assert "We can't take you there" in text_of(answer)
    assert "No visit was recorded." in text_of(answer)
    assert not Click.objects.exists()


def test_the_reason_is_told_and_never_becomes_markup(store):
    Merchant.objects.update(name="<script>x</script>")
    answer = sign_in("alice").get("/go/lumen-oak/", {"to": "https://evil.example/"})
    assert "evil.example does not belong to" in text_of(answer)
    assert "<script>" not in answer.content.decode()


def test_without_an_organization_nobody_leaves(store, settings):
    settings.BUTTON_ORGANIZATION_ID = ""
    answer = sign_in("alice").get("/go/lumen-oak/")
    assert answer.status_code == 503
    assert "not set up yet" in text_of(answer)
    assert not Click.objects.exists()


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Purpose": "prefetch"},
        {"Sec-Purpose": "prefetch;prerender"},
        {"Purpose": "prefetch"},
        {"X-Moz": "prefetch"},
    ],
)
def test_looking_ahead_records_nothing(store, headers):
    answer = sign_in("alice").get("/go/lumen-oak/", headers=headers)
    assert answer.status_code == 425
    assert not Click.objects.exists()


def test_head_and_post_record_nothing(store):
    member = sign_in("alice")
    assert member.head("/go/lumen-oak/").status_code == 204
    assert member.post("/go/lumen-oak/").status_code == 405
    assert not Click.objects.exists()


def test_a_login_that_is_no_members_goes_nowhere(client, store):
    client.force_login(User.objects.create_user("eve", is_staff=True))
    assert client.get("/go/lumen-oak/").url == "/"
    assert not Click.objects.exists()


def test_a_page_vouched_for_is_one_page_of_one_store(store):
    other = make_merchant("Other", external_id="org-2", hosts=["other.example"])
    url = "https://new.example/lamps"
    way = way_to(store, url, vouched_for="alice")
    member = sign_in("alice")
    for wrong in (
        way.replace("lumen-oak", other.slug),
        way.replace("new.example", "evil.example"),
        way.replace("lamps", "beds"),
        way[:-3],
        way_to(store, url),
        way_to(store, url, vouched_for="bob"),
    ):
        assert member.get(wrong).status_code == 422
    assert not Click.objects.exists()
    assert member.get(way).status_code == 302
    assert Click.objects.get().destination == url
    store.refresh_from_db()
    assert store.hosts == ["lumenoak.example"]


def test_a_seal_holds_for_no_other_cut_of_address_and_seal(store):
    url = "https://new.example/lamps"
    seal = parse_qs(way_to(store, url, vouched_for="alice"))["vouched"][0]
    member = sign_in("alice")
    head, _, tail = f"{url}:{seal}".partition(":")
    while tail:
        if head != url:
            wrong = {"to": head, "vouched": tail}
            assert member.get("/go/lumen-oak/", wrong).status_code == 422, wrong
        more, _, tail = tail.partition(":")
        head = f"{head}:{more}"
    for odd in (f":{seal}", f"x:{seal}", "é:é:é", "::", "\0"):
        wrong = {"to": url, "vouched": odd}
        assert member.get("/go/lumen-oak/", wrong).status_code == 422
    assert not Click.objects.exists()


def test_a_flood_of_visits_is_not_recorded(store, monkeypatch):
    monkeypatch.setattr(limits, "time", lambda: 1_800_000_000.0)
    member = sign_in("alice")
    for _ in range(VISITS):
        assert member.get("/go/lumen-oak/").status_code == 302
    answer = member.get("/go/lumen-oak/")
    assert (answer.status_code, answer["Retry-After"]) == (429, "60")
    assert "Please wait a minute." in text_of(answer)
    assert "No visit was recorded." in text_of(answer)
    assert Click.objects.count() == VISITS
    assert sign_in("bob").get("/go/lumen-oak/").status_code == 302
    monkeypatch.setattr(limits, "time", lambda: 1_800_000_060.0)
    assert member.get("/go/lumen-oak/").status_code == 302


def test_another_site_leads_to_the_stores_page_alone(store):
    query = {"to": "https://lumenoak.example/a?b=c"}
    headers = {"Sec-Fetch-Site": "cross-site"}
    member = sign_in("alice")
    answer = member.get("/go/lumen-oak/", query, headers=headers)
    assert answer.url == (
        "/stores/lumen-oak/?to=https%3A%2F%2Flumenoak.example%2Fa%3Fb%3Dc"
    )
    assert not Click.objects.exists()
    way = '/go/lumen-oak/?to=https%3A%2F%2Flumenoak.example%2Fa%3Fb%3Dc"'
    assert way in member.get(answer.url).content.decode()
    for site in ("same-origin", "same-site", "none"):
        answer = member.get("/go/lumen-oak/", headers={"Sec-Fetch-Site": site})
        assert answer.url.startswith("https://r.bttn.io")


def test_a_click_keeps_little_of_a_store_that_says_very_much(store):
    make_offer(store, "9", rank=0)
    for n in range(60):
        make_offer(store, "1", kind="category", label=f"Goods {n}", rank=n + 1)
    Merchant.objects.update(exclusions="x" * 20_000, other_terms="y" * 20_000)
    sign_in("alice").get("/go/lumen-oak/")
    shown = Click.objects.get().shown
    assert (len(shown["rates"]), shown["rates_left_out"]) == (50, 11)
    assert [a["amount"] for a in shown["headline"] if a["unit"] == "USD"] == [450]
    assert len(shown["terms"]["exclusions"]) == 2000
    assert len(json.dumps(shown)) < 40_000


def test_leaving_asks_the_database_little(store):
    make_offer(store, "4")
    member = sign_in("alice")
    member.get("/go/lumen-oak/")
    with CaptureQueriesContext(connection) as queries:
        member.get("/go/lumen-oak/")
    assert len(queries) <= 12


def test_a_rule_that_gives_nothing_for_the_sample_says_so(client, store, settings):
    settings.PUBLISH_MARGIN = 0
    above = {"currencies": ["USD"], "min_order_total": "500.00"}
    publish_program(rule("big", reward=fixed("5"), when=above))
    assert "Earns nothing at present." in text_of(client.get("/stores/"))
    assert "Everything Earns nothing" in text_of(client.get("/stores/lumen-oak/"))


def test_the_navigation_leads_to_stores_and_visits(client, store):
    assert 'href="/stores/"' in client.get("/").content.decode()
    assert 'href="/visits/"' not in client.get("/").content.decode()
    page = sign_in("alice").get("/stores/").content.decode()
    assert 'href="/stores/" aria-current="page"' in page
    assert 'href="/visits/"' in page
