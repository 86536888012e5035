"""Syncing the catalogue: a diff, staff's own words untouched, nobody lost at once."""

from datetime import timedelta
from time import monotonic
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from merchants.catalogue import Brand, _Slugs, sync
from merchants.models import CatalogueSync, Merchant
from tests.builders import NOW, make_merchant, report, settle_reports

pytestmark = pytest.mark.django_db
LATER = NOW + timedelta(hours=6)


def brand(number: int = 1, **changes: Any) -> Brand:
    values = {
        "name": f"Store {number}",
        "description": "Lamps",
        "homepage_url": f"https://store{number}.example/",
        "icon_url": f"https://img.example/{number}.png",
        "hosts": [f"store{number}.example"],
        "live": True,
        "reporting_days": 1,
    }
    return Brand(external_id=f"org-{number}", **{**values, **changes})


def sync_brands(*brands: Brand, at=NOW, **changes: Any) -> CatalogueSync:
    given = {"network": "button", "source": "brands", **changes}
    return sync(brands, at=at, **given)


def store(number: int = 1) -> Merchant:
    return Merchant.objects.get(external_id=f"org-{number}")


def change(field: str, before: Any, after: Any, number: int = 1) -> dict[str, Any]:
    return {
        "merchant": f"org-{number}",
        "field": field,
        "before": before,
        "after": after,
    }


def test_new_stores_are_made_whole_and_live_ones_are_listed() -> None:
    row = sync_brands(brand(1), brand(2, live=False))
    made = store()
    assert (made.name, made.slug, made.hosts) == (
        "Store 1",
        "store-1",
        ["store1.example"],
    )
    assert (made.reporting_days, made.synced_at) == (1, NOW)
    assert (made.listed, store(2).listed) == (True, False)
    assert (row.stores, row.error, row.remarks) == (2, "", [])
    assert row.changes == [
        change("created", None, "Store 1"),
        change("created", None, "Store 2", number=2),
    ]


def test_the_same_again_changes_nothing_but_its_freshness() -> None:
    sync_brands(brand(), brand(2))
    row = sync_brands(brand(), brand(2), at=LATER)
    assert row.changes == []
    assert store().synced_at == LATER


def test_what_changed_is_told_before_and_after() -> None:
    sync_brands(brand())
    row = sync_brands(brand(hosts=["new.example"], reporting_days=3, description=""))
    assert row.changes == [
        change("description", "Lamps", ""),
        change("hosts", ["store1.example"], ["new.example"]),
        change("reporting_days", 1, 3),
    ]
    assert store().hosts == ["new.example"]


def test_what_staff_say_stays() -> None:
    sync_brands(brand())
    own = {
        "own_name": "Ours",
        "own_description": "Nice",
        "own_terms": "Ask first",
        "listing": "never",
        "slug": "mine",
    }
    Merchant.objects.update(**own)
    sync_brands(brand(name="Renamed"), at=LATER)
    assert Merchant.objects.filter(name="Renamed", listed=False, **own).exists()


def test_what_is_not_said_stays() -> None:
    sync_brands(brand(exclusions="No shipping", finalization_minutes=60))
    row = sync_brands(Brand("org-1", name="Store 1"), at=LATER)
    assert row.changes == []
    assert (store().exclusions, store().finalization_minutes) == ("No shipping", 60)
    assert store().live


def test_a_store_met_in_an_order_gets_its_name_and_address() -> None:
    settle_reports(report(merchant="org-1", merchant_name=""))
    assert not store().listed
    sync_brands(brand())
    assert (store().name, store().slug, store().listed) == ("Store 1", "store-1", True)
    assert store().purchases.count() == 1


def test_a_vanished_store_is_delisted_and_comes_back() -> None:
    sync_brands(brand(1), brand(2), brand(3))
    row = sync_brands(brand(1), brand(2), at=LATER)
    assert row.changes == [change("gone_at", None, LATER.isoformat(), number=3)]
    assert (store(3).gone_at, store(3).listed, store(3).synced_at) == (
        LATER,
        False,
        NOW,
    )
    row = sync_brands(brand(1), brand(2), brand(3), at=LATER)
    assert row.changes == [change("gone_at", LATER.isoformat(), None, number=3)]
    assert store(3).listed


def test_a_store_that_is_gone_already_is_not_gone_again() -> None:
    sync_brands(brand(1), brand(2))
    sync_brands(brand(1))
    assert sync_brands(brand(1), at=LATER).changes == []
    assert store(2).gone_at == NOW


@pytest.mark.parametrize("left", [0, 1])
def test_most_stores_missing_at_once_delists_nobody(left: int) -> None:
    sync_brands(*(brand(n) for n in range(3)))
    row = sync_brands(*(brand(n) for n in range(left)), at=LATER)
    assert row.error == f"Missing: {3 - left} of 3 stores. All are kept."
    assert row.changes == []
    assert Merchant.objects.filter(listed=True).count() == 3
    assert Merchant.objects.filter(synced_at=LATER).count() == left


def test_staff_can_say_that_most_stores_are_gone() -> None:
    sync_brands(*(brand(n) for n in range(3)))
    assert not sync_brands(at=LATER, accept_shrunk=True).error
    assert Merchant.objects.filter(gone_at=LATER).count() == 3


def test_other_networks_and_stores_never_synced_are_left_alone() -> None:
    make_merchant("Met", external_id="org-met", network="button")
    make_merchant("Else", external_id="org-else", network="elsewhere", synced_at=NOW)
    sync_brands(brand(), at=LATER)
    assert not Merchant.objects.exclude(gone_at=None).exists()
    assert Merchant.objects.filter(synced_at=LATER).get() == store()


def test_an_address_that_is_a_sentence_is_left_out_and_remarked() -> None:
    row = sync_brands(
        brand(
            icon_url="Banners are not supported.", homepage_url="javascript:alert(1)"
        ),
        brand(
            2, icon_url="http://img.example/plain.png", homepage_url="http://b.example"
        ),
        brand(3, icon_url="", homepage_url="https://bücher.example/ü"),
    )
    assert (store().icon_url, store().homepage_url) == ("", "")
    assert (store(2).icon_url, store(2).homepage_url) == ("", "http://b.example/")
    assert store(3).homepage_url == "https://xn--bcher-kva.example/%C3%BC"
    assert row.remarks == [
        "Store 1 (org-1): homepage_url is no address: “javascript:alert(1)”.",
        "Store 1 (org-1): icon_url is no address: “Banners are not supported.”.",
        "Store 2 (org-2): icon_url is no address: “http://img.example/plain.png”.",
    ]


def test_hosts_are_normalised_and_odd_ones_remarked() -> None:
    row = sync_brands(
        brand(hosts=["Bücher.example", "*.a.example", "a.example", "127.0.0.1", "com"])
    )
    assert store().hosts == ["xn--bcher-kva.example", "a.example"]
    assert row.remarks == [
        "Store 1 (org-1): hosts has “127.0.0.1”, which is none.",
        "Store 1 (org-1): hosts has “com”, which is none.",
    ]


def test_text_is_cut_and_cleaned_for_every_database() -> None:
    sync_brands(brand(name="x" * 500, description="a\0b\ud800c\nd\x07"))
    assert store().name == "x" * 200
    assert store().description == "abc\nd"
    assert len(store().slug) <= 120


def test_a_store_does_not_lose_its_name_and_needs_none() -> None:
    sync_brands(brand(), brand(2, name=" "))
    sync_brands(brand(name=""), brand(2, name=None))
    assert store().name == "Store 1"
    assert (str(store(2)), store(2).slug) == ("org-2", "store-org-2")


def test_slugs_are_made_in_bulk_and_never_twice() -> None:
    make_merchant("Lamps", external_id="org-old")
    sync_brands(
        *(brand(n, name=name) for n, name in enumerate(["Lamps", "lamps!", "日本"]))
    )
    assert [store(n).slug for n in range(3)] == ["lamps-2", "lamps-3", "store-org-2"]


def test_a_slug_stays_when_its_store_is_renamed() -> None:
    sync_brands(brand())
    sync_brands(brand(name="Renamed"))
    assert store().slug == "store-1"


def test_a_store_that_is_there_twice_counts_once() -> None:
    row = sync_brands(brand(), brand(name="Other"))
    assert store().name == "Store 1"
    assert row.remarks == ["org-1 is there twice: its first entry counts."]


def count_sync(*brands: Brand) -> int:
    with CaptureQueriesContext(connection) as queries:
        sync_brands(*brands)
    return len(queries)


def test_more_stores_ask_no_more_queries() -> None:
    for description in ("Lamps", "Chairs"):  # made, then changed
        few = count_sync(*(brand(n, description=description) for n in range(2)))
        Merchant.objects.all().delete() if description == "Lamps" else None
        many = count_sync(*(brand(n, description=description) for n in range(30)))
        assert many <= few + 1
    assert few <= 12


BAD = "a\0b\ud800c"


def test_what_no_database_stores_is_nowhere_kept() -> None:
    said = dict.fromkeys(("name", "description", "exclusions", "homepage_url"), BAD)
    lists = {"hosts": [BAD], "categories": [BAD]}
    row = sync_brands(brand(**said, **lists), remarks=[BAD * 1000])
    sync_brands(brand(name="Plain"), brand(name=BAD))
    row.refresh_from_db()
    odd, about = "a\ufffdb\ufffdc", "homepage_url is no address"
    assert row.remarks[0].startswith(odd)
    assert row.remarks[1] == f"{odd} (org-1): {about}: “{odd}”."
    assert len(row.remarks[0]) == 500
    made = store()
    assert (made.name, made.description) == ("Plain", "Lamps")
    assert made.categories == ["abc"]


def test_what_is_beyond_all_reason_is_cut_and_remarked_upon() -> None:
    long = "x" * 20_001
    hosts = [f"{n}.example" for n in range(201)]
    categories = [f"{n}" for n in range(51)]
    row = sync_brands(
        brand(
            description=long,
            exclusions=long,
            other_terms=long,
            hosts=hosts,
            categories=categories,
        )
    )
    made = store()
    assert {len(made.description), len(made.exclusions)} == {20_000}
    assert (made.hosts, made.categories) == (hosts[:200], categories[:50])
    assert row.remarks == [
        *(
            f"Store 1 (org-1): {name} is cut to 20000 characters of 20001."
            for name in ("description", "exclusions", "other_terms")
        ),
        "Store 1 (org-1): hosts has 201 entries: the first 200 are kept.",
        "Store 1 (org-1): categories has 51 entries: the first 50 are kept.",
    ]
    again = sync_brands(brand(description=long, hosts=hosts, categories=categories))
    assert again.changes == []


def test_of_very_many_remarks_the_first_are_kept() -> None:
    row = sync_brands(brand(), remarks=[f"{n}" for n in range(1500)])
    assert row.remarks == [*(f"{n}" for n in range(1000)), "And 500 more."]


def test_stores_of_one_name_have_short_names_of_their_own() -> None:
    sync_brands(*(brand(n, name="Same") for n in range(300)))
    slugs = set(Merchant.objects.values_list("slug", flat=True))
    assert slugs == {"same", *(f"same-{n}" for n in range(2, 301))}
    sync_brands(*(brand(n, name="Same") for n in range(301)))
    assert store(300).slug == "same-301"


def test_no_number_is_tried_twice_for_very_many_stores_of_one_name() -> None:
    slugs, began = _Slugs(), monotonic()
    for n in range(20_000):
        slug = slugs.free_for(Merchant(name="Same", external_id=f"org-{n}"))
    assert slug == "same-20000"
    assert monotonic() - began < 10  # trying them all for each takes a minute
