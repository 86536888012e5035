"""Rates: what a store paid on any past day can be told."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from merchants.catalogue import Rate, rates_at, sync_rates
from merchants.models import CatalogueSync, Merchant, Offer
from tests.builders import NOW, make_merchant

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
LAMPS = Rate("offer-1", kind="category", label="Lamps", percent="4.5", rank=1)
REST = Rate("offer-2", percent="2", rank=2)


@pytest.fixture
def store() -> Merchant:
    return make_merchant(external_id="org-1")


def sync(at=NOW, **rates: list[Rate]) -> CatalogueSync:
    said = {name.replace("_", "-"): its for name, its in rates.items()}
    return sync_rates(said, network="button", at=at)


def paid(store: Merchant, at: Any) -> list[str]:
    return [offer.percent or str(offer.fixed) for offer in rates_at(store, at)]


def test_the_rates_of_any_day_can_be_told(store) -> None:
    sync(org_1=[LAMPS, REST])
    sync(
        NOW + DAY,
        org_1=[Rate("offer-1", "category", "Lamps", percent="8", rank=1), REST],
    )
    sync(NOW + 2 * DAY, org_1=[REST])
    told = [paid(store, NOW + n * DAY) for n in (-1, 0, 0.5, 1, 1.5, 2, 9)]
    assert told == [
        [],
        ["4.5", "2"],
        ["4.5", "2"],
        ["8", "2"],
        ["8", "2"],
        ["2"],
        ["2"],
    ]


def test_a_change_ends_one_row_and_begins_another(store) -> None:
    sync(org_1=[LAMPS])
    row = sync(NOW + DAY, org_1=[Rate("offer-1", "category", "Lamps", percent="8")])
    old, new = Offer.objects.order_by("pk")
    assert (old.percent, old.since, old.until) == ("4.5", NOW, NOW + DAY)
    assert (new.percent, new.since, new.until) == ("8", NOW + DAY, None)
    assert row.changes == [
        {
            "merchant": "org-1",
            "field": "rate",
            "before": "Lamps: 4.5 %",
            "after": "Lamps: 8 %",
        }
    ]


def test_the_same_again_writes_nothing(store) -> None:
    sync(org_1=[LAMPS, REST])
    assert sync(NOW + DAY, org_1=[LAMPS, REST]).changes == []
    assert Offer.objects.filter(since=NOW, until=None).count() == 2


def test_another_rank_alone_is_no_new_promise(store) -> None:
    sync(org_1=[LAMPS, REST])
    row = sync(NOW + DAY, org_1=[LAMPS, Rate("offer-2", percent="2", rank=0)])
    assert row.changes == []
    assert paid(store, NOW + DAY) == ["2", "4.5"]


def test_a_fixed_amount_is_kept_in_minor_units(store) -> None:
    row = sync(org_1=[Rate("offer-1", fixed=350, currency="GBP")])
    offer = Offer.objects.get()
    assert (offer.fixed, offer.currency, offer.percent) == (350, "GBP", "")
    assert row.changes[0]["after"] == "3.50 GBP"


def test_an_exclusion_earns_nothing_whatever_its_rate(store) -> None:
    sync(org_1=[Rate("offer-1", kind="exclusion", fixed=350, currency="GBP")])
    offer = Offer.objects.get()
    assert (offer.percent, offer.fixed, offer.currency) == ("0", None, "")


def test_a_rate_that_returns_begins_anew(store) -> None:
    sync(org_1=[LAMPS, REST])
    sync(NOW + DAY, org_1=[REST])
    sync(NOW + 2 * DAY, org_1=[LAMPS, REST])
    assert paid(store, NOW + DAY) == ["2"]
    assert paid(store, NOW + 3 * DAY) == ["4.5", "2"]


def test_most_stores_without_rates_at_once_are_not_believed() -> None:
    for n in (1, 2, 3):
        make_merchant(f"{n}", external_id=f"org-{n}")
    sync(org_1=[LAMPS], org_2=[LAMPS], org_3=[LAMPS])
    new = Rate("offer-1", percent="9")
    for rates in ({}, {"org_1": [], "org_2": []}, {"org_1": [new]}):
        row = sync(NOW + DAY, **rates)
        assert row.error.endswith("of 3 stores. Theirs are kept.")
    assert Offer.objects.filter(until=None).count() == 3
    assert paid(Merchant.objects.get(external_id="org-1"), NOW + DAY) == ["9"]
    sync_rates({}, network="button", at=NOW + DAY, accept_shrunk=True)
    assert not Offer.objects.filter(until=None).exists()


def test_a_rate_of_an_unknown_store_or_there_twice_is_remarked(store) -> None:
    row = sync(org_1=[LAMPS, LAMPS], org_nobody=[REST])
    assert Offer.objects.count() == 1
    assert row.remarks == [
        "org-1: offer-1 is there twice.",
        "org-nobody has rates, and is not in the catalogue.",
    ]


def test_a_long_label_is_cut_and_is_no_change_the_next_time(store) -> None:
    long = Rate("offer-1", label="Lamps " * 100, tag="new " * 50, percent="1")
    sync(org_1=[long])
    assert sync(NOW + DAY, org_1=[long]).changes == []
    assert len(Offer.objects.get().label) <= 400


def test_more_rates_ask_no_more_queries() -> None:
    def count(stores: int, percent: str) -> int:
        rates = {f"org_{n}": [Rate("offer-1", percent=percent)] for n in range(stores)}
        with CaptureQueriesContext(connection) as queries:
            sync(NOW, **rates)
        return len(queries)

    for n in range(40):
        make_merchant(f"{n}", external_id=f"org-{n}")
    few = count(2, "1")
    assert count(40, "2") <= few + 1 <= 9


def test_of_very_many_rates_the_first_are_kept(store) -> None:
    row = sync(org_1=[Rate(f"offer-{n}", percent="1") for n in range(501)])
    assert store.offers.count() == 500
    assert row.remarks == ["org-1 has 501 rates: 500 are kept."]


def test_what_no_database_stores_is_nowhere_kept(store) -> None:
    odd = Rate("offer-1", label="a\0b\ud800c", tag="\ud800", percent="1")
    row = sync_rates(
        {"org-1": [odd]}, network="button", at=NOW, remarks=["\0 and \ud800"]
    )
    row.refresh_from_db()
    assert row.remarks == ["\ufffd and \ufffd"]
    assert [offer.label for offer in store.offers.all()] == ["abc"]
