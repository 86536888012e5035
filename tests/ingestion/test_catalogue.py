"""Syncing the catalogue over HTTP: which calls are made, and what they leave behind."""

from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from pytest_httpserver import HTTPServer

from ingestion.button.client import ButtonClient
from ingestion.button.sandbox import Sandbox
from ingestion.catalogue import Incomplete, sync_catalogue
from merchants.catalogue import rates_at
from merchants.models import CatalogueSync, Merchant, Offer
from rewards import demo
from tests.builders import NOW
from tests.ingestion.test_catalogue_words import STORE, brand_row, offer_row

pytestmark = pytest.mark.django_db
OFFERS = {
    "object": {"merchant_offers": [{"merchant_id": STORE, "offers": [offer_row()]}]}
}


@pytest.fixture
def server(httpserver: HTTPServer, settings: Any) -> HTTPServer:
    settings.BUTTON_API_URL = settings.BUTTON_OFFERS_URL = httpserver.url_for("")[:-1]
    settings.BUTTON_API_KEY = "sk-secret"
    return httpserver


def answer(server: HTTPServer, path: str, status: int = 200, **said: Any) -> None:
    envelope = {"meta": {"status": "ok" if status == 200 else "error"}, **said}
    server.expect_request(path).respond_with_json(envelope, status=status)


def sync(**kwargs: Any) -> list[CatalogueSync]:
    with ButtonClient.from_settings(attempts=1) as client:
        return sync_catalogue(client, at=NOW, **kwargs)


def test_stores_and_rates_of_a_whole_button_are_synced(
    button: Sandbox, client_of_button: ButtonClient
) -> None:
    stores, rates = sync_catalogue(client_of_button, at=NOW)
    assert (stores.source, stores.error) == ("brands", "")
    (remark,) = stores.remarks  # the sandbox has one such, as Button had
    assert "icon_url is no address: “Banner images are not supported" in remark
    assert (rates.error, rates.remarks) == ("", [])
    lantern = Merchant.objects.get(external_id=demo.LANTERN.external_id)
    assert lantern.listed
    assert lantern.slug == "paper-lantern-books"
    assert [offer.percent for offer in rates_at(lantern, NOW)] == ["8", "0", "4"]
    again = sync_catalogue(client_of_button, at=NOW)
    assert [row.changes for row in again] == [[], []]


def test_rates_are_asked_for_nobody_in_particular(server: HTTPServer) -> None:
    answer(server, "/v1/brands", objects=[brand_row()])
    answer(server, "/v1/offers", **OFFERS)
    sync()
    assert server.log[-1][0].json == {"user_id": "catalogue"}


@pytest.mark.parametrize("shape", ["object", "objects"])
def test_a_single_object_is_read_as_well_as_a_list(server, shape: str) -> None:
    answer(
        server,
        "/v1/brands",
        **{shape: [brand_row()] if shape[-1] == "s" else brand_row()},
    )
    answer(server, "/v1/offers", **OFFERS)
    sync()
    assert Merchant.objects.get().hosts == ["lumenoak.example", "m.lumenoak.example"]
    assert Offer.objects.get().percent == "8.25"


@pytest.mark.parametrize("brands", [{"status": 404}, {"objects": []}])
def test_without_brands_the_older_call_is_asked(server, brands) -> None:
    answer(server, "/v1/brands", **brands)
    answer(server, "/v1/merchants", objects=[{"id": STORE, "name": "Lumen & Oak"}])
    answer(server, "/v1/offers", **OFFERS)
    stores, _rates = sync()
    assert (stores.source, stores.stores) == ("merchants", 1)
    assert Merchant.objects.get().listed


def test_a_refused_key_is_recorded_and_asks_no_further(server) -> None:
    answer(server, "/v1/brands", 401, error={"message": "No such key."})
    with pytest.raises(Incomplete, match=r"brands: No such key\."):
        sync()
    assert CatalogueSync.objects.get().error == "No such key."
    assert len(server.log) == 1


def test_a_message_that_no_database_stores_is_recorded_all_the_same(server) -> None:
    answer(server, "/v1/brands", 400, error={"message": "a\0b\ud800"})
    with pytest.raises(Incomplete, match="brands: a\ufffdb\ufffd"):
        sync()
    assert CatalogueSync.objects.get().error == "a\ufffdb\ufffd"


def test_rows_that_no_database_stores_are_synced(server) -> None:
    odd = brand_row(name="A\0\ud800", is_live_ready="yes", description="\ud800")
    answer(server, "/v1/brands", objects=[odd, {"id": "\0"}])
    answer(server, "/v1/offers", **OFFERS)
    assert sync()[0].remarks
    assert Merchant.objects.get().name == "A"


def test_an_answer_that_is_no_answer_leaves_the_catalogue_alone(server) -> None:
    answer(server, "/v1/brands", objects=[brand_row()])
    answer(server, "/v1/offers", **OFFERS)
    sync()
    server.clear()
    server.expect_request("/v1/brands").respond_with_data("<html>", 502)
    with pytest.raises(Incomplete, match="brands"):
        sync()
    assert Merchant.objects.get().listed
    assert Offer.objects.get().until is None


def test_failing_offers_leave_the_stores_synced(server) -> None:
    answer(server, "/v1/brands", objects=[brand_row()])
    server.expect_request("/v1/offers").respond_with_data("", 503)
    with pytest.raises(Incomplete, match="offers"):
        sync()
    assert Merchant.objects.get().listed
    assert [row.source for row in CatalogueSync.objects.order_by("pk")] == [
        "brands",
        "offers",
    ]


def test_an_empty_answer_delists_nobody(server) -> None:
    answer(server, "/v1/brands", objects=[brand_row()])
    answer(server, "/v1/offers", **OFFERS)
    sync()
    server.clear()
    answer(server, "/v1/brands", objects=[])
    answer(server, "/v1/merchants", 404)
    with pytest.raises(Incomplete, match="Missing: 1 of 1 stores"):
        sync()
    assert Merchant.objects.get().listed
    sync(accept_shrunk=True)
    assert not Merchant.objects.get().listed


def say(*arguments: str) -> str:
    out = StringIO()
    call_command("sync_catalogue", *arguments, stdout=out)
    return out.getvalue()


def test_the_command_tells_what_changed_in_words(server) -> None:
    answer(server, "/v1/brands", objects=[brand_row(icon_url="None yet.")])
    answer(server, "/v1/offers", **OFFERS)
    assert say() == (
        "brands: 1 store, 1 change\n"
        f"  {STORE}: new, Lumen & Oak\n"
        f"  odd: Lumen & Oak ({STORE}): icon_url is no address: “None yet.”.\n"
        "offers: 1 store, 1 change\n"
        f"  {STORE}: new rate, 8.25 %\n"
    )
    server.clear()
    answer(server, "/v1/brands", objects=[brand_row(name="Lumen")])
    answer(server, "/v1/offers", **OFFERS)
    assert f"  {STORE}: name: Lumen & Oak → Lumen\n" in say()


def test_the_command_fails_with_1_and_says_why(server) -> None:
    answer(server, "/v1/brands", 401, error={"message": "No such key."})
    with pytest.raises(CommandError, match=r"brands: No such key\.") as failed:
        say()
    assert failed.value.returncode == 1


def test_without_a_key_the_command_asks_nobody(settings) -> None:
    settings.BUTTON_API_KEY = ""
    with pytest.raises(CommandError, match="BUTTON_API_KEY is not set") as failed:
        say()
    assert failed.value.returncode == 2
    assert not CatalogueSync.objects.exists()
