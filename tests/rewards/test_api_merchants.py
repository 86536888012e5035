"""Tests of the stores as host applications see them."""

from datetime import timedelta

from django.db import connection
from django.test.utils import CaptureQueriesContext

from merchants.models import Merchant
from tests.builders import (
    MERCHANT,
    NOW,
    ORDERED,
    make_merchant,
    publish_program,
    report,
    rule,
    settle_reports,
    share,
)
from tests.rewards.callers import ApiTestCase
from tests.rewards.storefront import make_offer, make_stores

HALF = rule("half", unit="USD", reward=share("50"))


def make_store() -> Merchant:
    store = make_merchant(
        description="Lighting.",
        icon_url="https://img.example/lumen.png",
        categories=["Home"],
        reporting_days=1,
        finalization_minutes=64801,
        coupons_allowed=True,
        exclusions="No shipping.",
        other_terms="No wholesale.",
        own_terms="Tested.",
        synced_at=NOW,
    )
    make_offer(store, "8.25", kind="category", label="Lamps", tag="Holiday")
    make_offer(store, "0", kind="exclusion", label="Gift cards")
    return store


class MerchantTests(ApiTestCase):
    maxDiff = None

    def test_a_store_says_what_it_promises(self):
        publish_program(rule(), HALF)
        make_store()
        amounts = [
            {
                "unit": "points",
                "amount": 100,
                "per": 10000,
                "currency": "USD",
                "of": "order_total",
            },
            {
                "unit": "USD",
                "amount": 412,
                "per": 10000,
                "currency": "USD",
                "of": "order_total",
            },
        ]
        self.assertEqual(
            self.get(f"merchants/{MERCHANT}/").json(),
            {
                "id": MERCHANT,
                "name": "Lumen & Oak",
                "slug": "lumen-oak",
                "description": "Lighting.",
                "homepage": "https://lumenoak.example/",
                "logo": "https://img.example/lumen.png",
                "categories": ["Home"],
                "rates": {
                    "edition": 1,
                    "headline": amounts,
                    "up_to": False,
                    "rates": [
                        {
                            "kind": "category",
                            "label": "Lamps",
                            "tag": "Holiday",
                            "amounts": amounts,
                        },
                        {
                            "kind": "exclusion",
                            "label": "Gift cards",
                            "tag": "",
                            "amounts": [],
                        },
                    ],
                },
                "terms": {
                    "exclusions": "No shipping.",
                    "coupons_allowed": True,
                    "gift_cards_allowed": None,
                    "other": "No wholesale.",
                    "notes": "Tested.",
                },
                "expected_times": {"reporting_days": 1, "finalization_days": 46},
                "synced_at": "2026-11-20T12:00:00Z",
            },
        )

    def test_staffs_words_win(self):
        make_merchant(own_name="Lumen", own_description="Ours.", description="Theirs.")
        store = self.get(f"merchants/{MERCHANT}/").json()
        self.assertEqual((store["name"], store["description"]), ("Lumen", "Ours."))

    def test_without_a_program_nothing_is_promised(self):
        make_store()
        rates = self.get(f"merchants/{MERCHANT}/").json()["rates"]
        self.assertEqual(
            rates, {"edition": None, "headline": [], "up_to": False, "rates": []}
        )

    def test_an_unknown_or_hidden_store_is_not_found(self):
        make_merchant(listing="never")
        for id in (MERCHANT, "org-nobody", "%00", "a%2Fb", "é"):
            problem = self.assert_problem(self.get(f"merchants/{id}/"), 404)
            self.assertIn("members see", problem["detail"])

    def test_without_a_key_nothing_is_told(self):
        make_store()
        del self.client.defaults["HTTP_AUTHORIZATION"]
        for path in ("merchants/", f"merchants/{MERCHANT}/"):
            self.assert_problem(self.get(path), 401)


class MerchantsTests(ApiTestCase):
    def test_listed_stores_are_listed_the_newest_first(self):
        make_merchant()
        make_merchant("Hidden", external_id="org-2", listing="never")
        make_merchant("Gone", external_id="org-3", gone_at=NOW)
        make_merchant("Kept", external_id="org-4", listing="always", live=False)
        answer = self.get("merchants/").json()
        names = [store["name"] for store in answer["results"]]
        self.assertEqual(names, ["Kept", "Lumen & Oak"])

    def test_pages_hold_every_store_once(self):
        make_stores(7)
        seen, page = [], self.get("merchants/", page_size=3).json()
        seen += page["results"]
        while page["next"]:
            page = self.client.get(page["next"]).json()
            seen += page["results"]
        self.assertEqual(len({store["id"] for store in seen}), 7)
        self.assertEqual(len(seen), 7)

    def test_a_wrong_size_or_cursor_is_refused(self):
        self.assert_problem(self.get("merchants/", page_size=0), 422, "page_size")
        self.assert_problem(self.get("merchants/", cursor="x"), 422, "cursor")

    def test_the_number_of_queries_does_not_grow(self):
        publish_program(rule(), HALF)
        for number in (1, 100):
            Merchant.objects.all().delete()
            make_stores(number)
            self.get("merchants/")
            with CaptureQueriesContext(connection) as queries:
                found = self.get("merchants/", page_size=200).json()["results"]
            self.assertEqual(len(found), number)
            self.assertTrue(all(store["rates"]["headline"] for store in found))
            self.assertEqual(len(queries), 5)


class ExpectedTests(ApiTestCase):
    def test_a_pending_order_has_an_expected_date(self):
        make_merchant(finalization_minutes=45 * 24 * 60, own_name="Lumen")
        settle_reports(report())
        (entry,) = self.get("members/alice/activity/").json()["results"]
        expected = (ORDERED + timedelta(days=45)).strftime("%Y-%m-%dT%H:%M:%SZ")
        self.assertEqual(entry["expected_at"], expected)
        self.assertEqual(entry["merchant_name"], "Lumen")

    def test_a_final_one_has_none(self):
        make_merchant(finalization_minutes=45 * 24 * 60)
        settle_reports(report(status="validated"))
        (entry,) = self.get("members/alice/activity/").json()["results"]
        self.assertIsNone(entry["expected_at"])
