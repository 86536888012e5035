"""Merchants in admin: found, edited, listed, and kept while anything points at them."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from merchants.catalogue import Rate, sync_rates
from merchants.models import Merchant
from tests.builders import NOW, make_click, publish_program, report, settle_reports
from tests.staff import client_of, count_queries, make_staff, make_superuser, text_of

pytestmark = pytest.mark.django_db
LIST = "/admin/merchants/merchant/"


@pytest.fixture
def root() -> Client:
    return client_of(make_superuser())


def make_merchant(name: str = "Lumen & Oak", **changes: object) -> Merchant:
    changes.setdefault("external_id", f"org-{name[:5].lower()}")
    return Merchant.objects.create(name=name, **changes)


def page_of(merchant: Merchant, page: str = "change") -> str:
    return reverse(f"admin:merchants_merchant_{page}", args=[merchant.pk])


def test_merchants_are_searched_and_filtered(root: Client) -> None:
    make_merchant("Lumen & Oak", listing="always")
    make_merchant("Fern & Field")
    for given, expected in (
        ({"q": "lumen"}, 1),
        ({"q": "org-fern"}, 1),
        ({"listed__exact": "1"}, 1),
        ({}, 2),
    ):
        assert len(root.get(LIST, given).context["cl"].result_list) == expected


def test_a_nameless_merchant_goes_by_its_id(root: Client) -> None:
    make_merchant("", external_id="org-met-in-an-order")
    assert "org-met-in-an-order" in text_of(root.get(LIST))


def test_a_merchant_is_named_and_listed(root: Client) -> None:
    merchant = make_merchant("", external_id="org-1")
    given = {"own_name": "Lumen & Oak", "listing": "always"}
    root.post(page_of(merchant), given)
    merchant.refresh_from_db()
    assert (str(merchant), merchant.slug) == ("Lumen & Oak", "lumen-oak")
    assert merchant.listed


def test_what_the_network_says_is_not_edited(root: Client) -> None:
    merchant = make_merchant(synced_at=NOW, hosts=["lumenoak.example"])
    page = root.get(page_of(merchant))
    assert "changes there changes here" in text_of(page)
    assert "lumenoak.example" in text_of(page)
    given = {
        "name": "Other",
        "hosts": "evil.example",
        "homepage_url": "https://e.example",
    }
    root.post(page_of(merchant), {**given, "own_name": "Ours", "listing": "auto"})
    merchant.refresh_from_db()
    assert (merchant.name, merchant.own_name) == ("Lumen & Oak", "Ours")
    assert (merchant.hosts, merchant.homepage_url) == (["lumenoak.example"], "")


def test_a_store_that_was_never_synced_is_filled_in_by_hand(root: Client) -> None:
    merchant = make_merchant()
    given = {
        "name": "Lumen",
        "homepage_url": "https://lumen.example/",
        "listing": "auto",
    }
    root.post(page_of(merchant), {**given, "hosts": "Lumen.example\nbücher.example "})
    merchant.refresh_from_db()
    assert merchant.hosts == ["lumen.example", "xn--bcher-kva.example"]
    page = root.post(page_of(merchant), {**given, "hosts": "https://lumen.example/"})
    assert "is no host name" in text_of(page)


@pytest.mark.parametrize(
    "home",
    [
        *("ftp://lumen.example/", "javascript:alert(1)", "data:,x", "https://1.2.3.4/"),
        *(
            "https://me:secret@lumen.example/",
            "ftps://lumen.example/",
            "https://lumen/",
        ),
    ],
)
def test_a_home_page_is_one_that_browsers_open(root: Client, home: str) -> None:
    merchant = make_merchant(homepage_url="https://lumen.example/")
    given = {"name": "Lumen", "listing": "auto", "slug": "lumen", "hosts": ""}
    assert (
        root.post(page_of(merchant), {**given, "homepage_url": home}).status_code == 200
    )
    merchant.refresh_from_db()
    assert merchant.homepage_url == "https://lumen.example/"
    root.post(page_of(merchant), {**given, "homepage_url": "http://ö.example"})
    merchant.refresh_from_db()
    assert merchant.homepage_url == "http://xn--nda.example/"


def test_a_store_is_added_by_hand(root: Client) -> None:
    given = {"network": "button", "external_id": "org-1", "own_name": "Ours"}
    root.post(reverse("admin:merchants_merchant_add"), given)
    assert Merchant.objects.get().slug == "ours"


def test_rates_their_history_and_changes_are_on_the_page(root: Client) -> None:
    merchant = make_merchant(external_id="org-1", synced_at=NOW)
    for percent, at in (("4.5", NOW), ("8", NOW + timedelta(hours=1))):
        rates = {"org-1": [Rate("offer-1", label="Lamps", percent=percent)]}
        sync_rates(rates, network="button", at=at)
    page = text_of(root.get(page_of(merchant)))
    now, past, changes = page.split("What it pays us now")[1].split("<section>")
    assert "8 %" in now
    assert "4.5 %" in past
    assert "Lamps: 4.5 % → Lamps: 8 %" in changes


def test_what_orders_find_it_by_stays(root: Client) -> None:
    merchant = make_merchant()
    given = {"name": "Other", "external_id": "org-stolen", "network": "elsewhere"}
    root.post(page_of(merchant), given)
    merchant.refresh_from_db()
    assert (merchant.network, merchant.external_id) == ("button", "org-lumen")


def test_a_taken_slug_is_refused(root: Client) -> None:
    make_merchant("Fern", slug="taken")
    merchant = make_merchant()
    page = root.post(page_of(merchant), {"slug": "taken", "listing": "auto"})
    assert page.status_code == 200
    merchant.refresh_from_db()
    assert merchant.slug == "lumen-oak"


def test_a_merchant_with_orders_or_clicks_is_not_deleted(root: Client) -> None:
    publish_program()
    settle_reports(report())
    clicked = make_merchant("Clicked")
    make_click(clicked)
    for merchant in Merchant.objects.all():
        assert page_of(merchant, "delete") not in text_of(root.get(page_of(merchant)))
        answer = root.post(page_of(merchant, "delete"), {"post": "yes"})
        assert answer.status_code == 403
    assert Merchant.objects.count() == 2


def test_an_unused_merchant_is_deleted(root: Client) -> None:
    merchant = make_merchant()
    sync_rates(
        {merchant.external_id: [Rate("offer-1", percent="8")]}, network="button", at=NOW
    )
    root.post(page_of(merchant, "delete"), {"post": "yes"})
    assert not Merchant.objects.exists()


def test_who_may_only_view_changes_nothing() -> None:
    merchant = make_merchant()
    clerk = client_of(make_staff("merchants.view_merchant"))
    assert clerk.get(page_of(merchant)).status_code == 200
    for page, given in (("change", {"own_name": "Mine"}), ("delete", {"post": "yes"})):
        assert clerk.post(page_of(merchant, page), given).status_code == 403
    merchant.refresh_from_db()
    assert str(merchant) == "Lumen & Oak"


def test_a_longer_list_asks_no_more_queries(root: Client) -> None:
    for n in range(10):
        make_merchant(f"{n}", external_id=f"org-{n}")
    count_queries(root, LIST)
    few = count_queries(root, LIST)
    for n in range(10, 60):
        make_merchant(f"{n}", external_id=f"org-{n}")
    assert count_queries(root, LIST) == few
