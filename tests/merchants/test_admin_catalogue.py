"""Syncs, tracking hosts and clicks in admin."""

import pytest
from django.test import Client
from django.urls import reverse

from merchants.catalogue import Brand, sync
from merchants.clicks import number
from merchants.models import CatalogueSync, Click, Merchant, TrackingHost
from tests.builders import NOW, make_click, make_merchant
from tests.staff import client_of, count_queries, make_staff, make_superuser, text_of

pytestmark = pytest.mark.django_db
CLICKS = "/admin/merchants/click/"
SYNCS = "/admin/merchants/cataloguesync/"
HOSTS = "/admin/merchants/trackinghost/"


@pytest.fixture
def root() -> Client:
    return client_of(make_superuser())


def sync_brand(**said: object) -> CatalogueSync:
    return sync([Brand("org-1", **said)], network="button", source="brands", at=NOW)


def test_a_sync_tells_what_changed_and_what_was_odd(root: Client) -> None:
    sync_brand(name="Lumen & Oak")
    row = sync_brand(name="Lumen", live=True, icon_url="None yet.")
    page = text_of(root.get(f"{SYNCS}{row.pk}/change/"))
    assert "name: Lumen &amp; Oak → Lumen" in page
    assert "live at the network: no → yes" in page
    assert "Lumen (org-1): icon_url is no address: “None yet.”." in page
    assert (
        reverse("admin:merchants_merchant_change", args=[Merchant.objects.get().pk])
        in page
    )
    assert "<td" in text_of(root.get(SYNCS))


def test_nobody_edits_a_sync_or_a_click() -> None:
    root = client_of(make_superuser())
    row, click = sync_brand(name="Lumen"), make_click()
    for page in (f"{SYNCS}{row.pk}", f"{CLICKS}{click.pk}"):
        assert root.post(f"{page}/change/", {}).status_code == 403
        assert root.post(f"{page}/delete/", {"post": "yes"}).status_code == 403
    assert root.get(f"{CLICKS}add/").status_code == 403
    assert Click.objects.get() == click


def test_a_click_is_found_by_whole_values(root: Client) -> None:
    store = make_merchant()
    click = make_click(store, own_reference="mail 7")
    make_click(store, customer_id="bob")
    for term, found in (
        (click.reference, 1),
        (number(click), 1),
        (f" {number(click).lower()} ", 1),
        ("alice", 1),
        ("mail 7", 1),
        ("ali", 0),
        ("", 2),
    ):
        page = root.get(CLICKS, {"q": term})
        assert len(page.context["cl"].result_list) == found, term


def test_a_click_tells_what_was_promised(root: Client) -> None:
    click = make_click(shown={"rates": ["4.5 %"]})
    page = text_of(root.get(f"{CLICKS}{click.pk}/change/"))
    assert "4.5 %" in page
    assert number(click) in page


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("Click.Network.example", "click.network.example"),
        ("bücher.example.", "xn--bcher-kva.example"),
        ("a.example:8443", "a.example:8443"),
    ],
)
def test_a_tracking_host_is_normalised(root: Client, given: str, kept: str) -> None:
    root.post(f"{HOSTS}add/", {"host": given, "note": "affiliate network"})
    assert TrackingHost.objects.get().host == kept


@pytest.mark.parametrize(
    "host",
    [
        *("https://a.example", "a.example/path", "a.example?q", "a.example#x"),
        *(
            "me@a.example",
            "com",
            "localhost",
            "127.0.0.1",
            "[::1]",
            "a b.example",
            "*.a.example",
        ),
        *("a.example:x", "a\\b.example", "..", "-"),
    ],
)
def test_what_is_no_bare_host_name_is_refused(root: Client, host: str) -> None:
    page = root.post(f"{HOSTS}add/", {"host": host})
    assert page.status_code == 200
    assert not TrackingHost.objects.exists()


def test_a_host_is_there_once(root: Client) -> None:
    TrackingHost.objects.create(host="a.example")
    page = root.post(f"{HOSTS}add/", {"host": "A.example"})
    assert page.status_code == 200
    assert TrackingHost.objects.count() == 1


def test_without_permission_there_is_nothing_to_see() -> None:
    clerk = client_of(make_staff("merchants.view_merchant"))
    for page in (CLICKS, SYNCS, HOSTS):
        assert clerk.get(page).status_code == 403


def test_longer_lists_ask_no_more_queries(root: Client) -> None:
    store = make_merchant()
    for n in range(3):
        make_click(store, customer_id=f"c{n}")
    count_queries(root, CLICKS)
    few = count_queries(root, CLICKS)
    for n in range(3, 40):
        make_click(store, customer_id=f"c{n}")
    assert count_queries(root, CLICKS) == few


def test_the_form_warns_of_hosts_that_anybody_can_have(root: Client) -> None:
    assert "such as co.uk" in text_of(root.get(f"{HOSTS}add/"))
