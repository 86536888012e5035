"""Links that leave: right, or refused with a reason; never broken."""

import re
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from merchants.links import (
    LONGEST,
    LONGEST_LINK,
    LinkRefused,
    button_link,
    destination,
    front_door,
)
from merchants.models import Merchant, TrackingHost
from tests.merchants.url_corpus import AUTHORITIES, CORPUS, RIGHT, WRONG

pytestmark = [pytest.mark.once, pytest.mark.django_db]
ORGANIZATION = "org-02f4c8e96b1d7a50"
RFC_3986 = re.compile(
    r"https://[a-z0-9._-]+(:\d+)?(/([\w.~!$&'()*+,;=:@/?#-]|%[0-9A-Fa-f]{2})*)"
)
STORE = Merchant(
    name="Lumen & Oak",
    homepage_url="https://www.oak-home.example/",
    hosts=["lumenoak.example", "xn--bcher-kva.example", "shop.lumen.example:8443"],
)
TRACKING = "click.network.example"


@pytest.fixture(autouse=True)
def ours(settings, db):
    settings.BUTTON_LINK_URL = "https://r.bttn.io"
    settings.BUTTON_ORGANIZATION_ID = ORGANIZATION
    TrackingHost.objects.create(host=TRACKING)


def link_to(url: str, customer_id: str = "mbr_7Qk2", reference: str = "clk-1") -> str:
    return button_link(url, customer_id=customer_id, reference=reference)


def refusal(url: str, merchant: Merchant = STORE) -> LinkRefused:
    with pytest.raises(LinkRefused) as refused:
        destination(url, merchant=merchant)
    return refused.value


def test_the_corpus_is_large_and_says_nothing_twice() -> None:
    assert len({url for url, _ in CORPUS}) == len(CORPUS) >= 500


def test_every_right_address_of_the_corpus_comes_out_right() -> None:
    wrong = [
        (url, expected, out)
        for url, expected in RIGHT
        if (out := destination(url, merchant=STORE)) != expected
    ]
    assert not wrong


def test_every_wrong_address_of_the_corpus_is_refused_with_its_reason() -> None:
    faults = []
    for url, reason in WRONG:
        try:
            faults.append((url[:80], reason, destination(url, merchant=STORE)))
        except LinkRefused as refused:
            if refused.reason != reason or not str(refused):
                faults.append((url[:80], reason, refused.reason))
    assert not faults


def test_a_link_of_every_right_address_decodes_to_it() -> None:
    for _, url in RIGHT:
        assert dict(parse_qsl(urlsplit(link_to(url)).query))["btn_url"] == url


ADDRESSES = st.builds(
    "{}{}{}".format,
    st.sampled_from([*AUTHORITIES, "https://evil.example", "http:", "//", ""]),
    st.sampled_from(["", "/", "?", "#", "/%", ":443/", "@", ".", "\\"]),
    st.one_of(
        st.text(max_size=60), st.text("aä%20/?#&=;.:@[]\\ \t\n|+Ff", max_size=40)
    ),
)


@given(ADDRESSES)
@example("https://lumenoak.example/%%32e%%32e/x")
@example("https://lumenoak.example/\ud800\udc00")
@example("https://lumenoak.example/a//..//b")
def test_an_address_is_refused_or_right_and_again_the_same(url: str) -> None:
    try:
        once = destination(url, merchant=STORE)
    except LinkRefused:
        return
    assert RFC_3986.fullmatch(once)
    assert destination(once, merchant=STORE) == once
    assert (urlsplit(once).hostname or "").endswith(
        (*STORE.hosts[:2], "shop.lumen.example", "oak-home.example", TRACKING)
    )


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=60))
def test_text_in_a_query_arrives_as_it_was(text: str) -> None:
    kept = text.strip().replace("#", "").replace("%", "")
    url = destination(f"https://lumenoak.example/?q=.{kept}.", merchant=STORE)
    assert unquote(url.partition("?q=")[2]) == f".{kept}."


@given(
    st.sampled_from([url for _, url in RIGHT]),
    st.from_regex(r"[!-~]{1,255}", fullmatch=True),
    st.from_regex(r"[!-~]{1,100}", fullmatch=True),
)
def test_every_value_of_a_link_is_encoded_exactly_once(
    url: str, customer_id: str, reference: str
) -> None:
    link = link_to(url, customer_id, reference)
    assert link.isascii()
    assert len(link) <= LONGEST_LINK
    assert link.startswith("https://r.bttn.io?btn_url=https%3A%2F%2F")
    assert parse_qsl(link.partition("?")[2], strict_parsing=True) == [
        ("btn_url", url),
        ("btn_pub_user", customer_id),
        ("btn_pub_ref", reference),
        ("btn_ref", ORGANIZATION),
    ]


def test_a_link_to_the_letter() -> None:
    url = "https://lumenoak.example/lamps/9?colour=dark%20oak&n=1#top"
    assert link_to(url) == (
        "https://r.bttn.io?btn_url=https%3A%2F%2Flumenoak.example%2Flamps%2F9"
        "%3Fcolour%3Ddark%2520oak%26n%3D1%23top"
        "&btn_pub_user=mbr_7Qk2&btn_pub_ref=clk-1&btn_ref=org-02f4c8e96b1d7a50"
    )


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"customer_id": ""}, "customer"),
        ({"customer_id": "a b"}, "customer"),
        ({"customer_id": "zoë"}, "customer"),
        ({"customer_id": "a\n"}, "customer"),
        ({"customer_id": "x" * 256}, "customer"),
        ({"reference": ""}, "reference"),
        ({"reference": "x" * 101}, "reference"),
        ({"reference": "a b"}, "reference"),
        ({"url": "https://lumenoak.example/" + "&" * 3975}, "long"),
    ],
)
def test_what_button_would_not_take_is_refused(given, reason) -> None:
    values = {"url": "https://lumenoak.example/", **given}
    with pytest.raises(LinkRefused) as refused:
        link_to(**values)
    assert refused.value.reason == reason


@pytest.mark.parametrize(
    ("tail", "goes_out"), [("a" * 3975, 4000), ("日" * 440, 3985), ("ä" * 660, 3985)]
)
def test_a_long_address_of_any_script_has_its_link(tail: str, goes_out: int) -> None:
    url = destination(f"https://lumenoak.example/{tail}", merchant=STORE)
    assert len(url) == goes_out <= LONGEST
    link = link_to(url, "~" * 255, "~" * 100)
    assert dict(parse_qsl(urlsplit(link).query))["btn_url"] == url


def test_the_longest_ids_that_button_takes_are_taken() -> None:
    link = link_to("https://lumenoak.example/", "~" * 255, "~" * 100)
    assert link.count("~") == 355


def test_without_an_organization_there_is_no_link(settings) -> None:
    settings.BUTTON_ORGANIZATION_ID = ""
    with pytest.raises(LinkRefused, match="BUTTON_ORGANIZATION_ID") as refused:
        link_to("https://lumenoak.example/")
    assert refused.value.reason == "unset"


def test_a_refusal_names_the_host_and_the_store() -> None:
    assert str(refusal("https://bücher.evil.example/")) == (
        "xn--bcher-kva.evil.example does not belong to Lumen & Oak."
    )


def test_a_store_without_hosts_is_reached_by_no_address() -> None:
    for url, _ in RIGHT[:50]:
        if "network" not in url:
            assert refusal(url, Merchant(name="Bare")).reason in {"host", "port"}


def test_the_front_door_is_the_home_page_or_the_first_host() -> None:
    assert front_door(STORE) == "https://www.oak-home.example/"
    assert front_door(Merchant(hosts=["a.example:8443"])) == "https://a.example:8443/"
    assert (
        front_door(Merchant(homepage_url="http://ö.example:444/shop"))
        == "https://xn--nda.example:444/shop"
    )


@pytest.mark.parametrize(
    ("home", "reason"), [("", "nowhere"), ("ftp://a.example", "scheme"), ("x", "url")]
)
def test_a_store_whose_address_is_unknown_has_no_front_door(home, reason) -> None:
    with pytest.raises(LinkRefused) as refused:
        front_door(Merchant(homepage_url=home))
    assert refused.value.reason == reason


def test_tracking_hosts_are_asked_for_where_the_stores_own_do_not_do(
    django_assert_num_queries,
) -> None:
    with django_assert_num_queries(0):
        destination("https://lumenoak.example/x", merchant=STORE)
    with django_assert_num_queries(1):
        destination("https://click.network.example/x", merchant=STORE)
    TrackingHost.objects.all().delete()
    assert refusal("https://click.network.example/x").reason == "host"
