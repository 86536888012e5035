"""Leaving for a store: a link, a click that remembers it, a reference nobody forges."""

from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest

from merchants import clicks
from merchants.links import LinkRefused
from merchants.models import Click
from tests.builders import NOW, make_click, make_merchant

pytestmark = pytest.mark.django_db
SHOWN = {"rates": ["4.5 %"], "terms": "No commission on shipping."}


@pytest.fixture(autouse=True)
def ours(settings):
    settings.BUTTON_ORGANIZATION_ID = "org-02f4c8e96b1d7a50"


def leave(**changes) -> clicks.Departure:
    given = {"customer_id": "alice", "shown": SHOWN, "at": NOW, **changes}
    return clicks.leave(given.pop("merchant", None) or make_merchant(), **given)


def test_a_departure_is_recorded_with_what_was_promised() -> None:
    store = make_merchant()
    departure = leave(
        merchant=store, url="http://lumenoak.example/desk lamps", own_reference="mail-7"
    )
    click = Click.objects.get()
    assert click == departure.click
    assert (click.customer_id, click.merchant, click.clicked_at) == (
        "alice",
        store,
        NOW,
    )
    assert click.destination == "https://lumenoak.example/desk%20lamps"
    assert (click.own_reference, click.shown) == ("mail-7", SHOWN)


def test_the_link_carries_the_clicks_reference() -> None:
    departure = leave()
    query = parse_qs(urlsplit(departure.url).query)
    assert query["btn_pub_ref"] == [departure.click.reference]
    assert query["btn_url"] == ["https://lumenoak.example/"]


@pytest.mark.parametrize(
    "changes", [{"url": "https://evil.example/"}, {"customer_id": "a b"}]
)
def test_a_refused_departure_records_nothing(changes) -> None:
    with pytest.raises(LinkRefused):
        leave(**changes)
    assert not Click.objects.exists()


def test_a_reference_is_opaque_and_never_the_same() -> None:
    references = {clicks.new_reference() for _ in range(1000)}
    assert len({reference[:12] for reference in references}) == 1000
    for reference in references:
        assert clicks.is_ours(reference)
        assert len(reference) == 40
        assert reference.isalnum() and reference.isascii()


@pytest.mark.parametrize(
    "forge",
    [
        lambda r: "",
        lambda r: r[:-1],
        lambda r: r + "a",
        lambda r: r.upper(),
        lambda r: r + "\n",
        lambda r: "ſ" + r[1:],
        lambda r: ("b" if r[0] == "a" else "a") + r[1:],
        lambda r: r[:-1] + ("b" if r[-1] == "a" else "a"),
        lambda r: r[::-1],
        lambda r: "clk_forged",
    ],
)
def test_a_forged_reference_is_told_without_the_database(
    forge: Callable[[str], str], django_assert_num_queries
) -> None:
    with django_assert_num_queries(0):
        assert not clicks.is_ours(forge(clicks.new_reference()))


def test_a_reference_under_another_key_is_not_ours(settings) -> None:
    reference = clicks.new_reference()
    settings.DIGEST_KEY = "another"
    assert not clicks.is_ours(reference)


def test_a_visits_number_is_short_and_finds_it() -> None:
    click = make_click(reference="abcdefgh" + "2" * 32)
    assert clicks.number(click) == "ABCD-EFGH"
    start = clicks.start_of_reference(" abcd-efgh ")
    assert Click.objects.get(reference__startswith=start) == click
