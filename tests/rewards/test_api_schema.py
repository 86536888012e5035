"""Tests of the API's description and the page that shows it."""

import io
import json

from django.core.management import call_command
from django.test import TestCase

from rewards.api.problems import MEDIA_TYPE


def describe() -> dict:
    out = io.StringIO()
    call_command(
        "spectacular",
        "--validate",
        "--fail-on-warn",
        "--format=openapi-json",
        stdout=out,
    )
    return json.loads(out.getvalue())


class SchemaTests(TestCase):
    def test_it_is_valid_and_without_warning(self):
        self.assertTrue(describe()["openapi"].startswith("3.1"))

    def test_each_call_is_in_it(self):
        calls = {
            (path.removeprefix("/api/v1/"), method)
            for path, methods in describe()["paths"].items()
            for method in methods
        }
        self.assertLessEqual(
            {
                ("members/{customer_id}/", "get"),
                ("members/{customer_id}/", "put"),
                ("members/{customer_id}/activity/", "get"),
                ("members/{customer_id}/transfers/", "get"),
                ("members/{customer_id}/balances/", "get"),
                ("members/{customer_id}/statement/", "get"),
                ("members/{customer_id}/expiring/", "get"),
                ("members/{customer_id}/debts/", "get"),
                ("merchants/", "get"),
                ("merchants/{merchant_id}/", "get"),
                ("members/{customer_id}/links/", "post"),
                ("members/{customer_id}/redemptions/", "get"),
                ("members/{customer_id}/redemptions/", "post"),
                ("members/{customer_id}/payout-details/", "put"),
                ("rewards/", "get"),
                ("redemptions/{redemption_id}/", "get"),
                ("redemptions/{redemption_id}/fulfil/", "post"),
                ("redemptions/{redemption_id}/cancel/", "post"),
                ("redemptions/{redemption_id}/reveal/", "post"),
                ("purchases/{reference}/", "get"),
                ("purchases/{reference}/receipt/", "get"),
            },
            calls,
        )

    def test_each_error_is_a_problem_document(self):
        for path, methods in describe()["paths"].items():
            for method, call in methods.items():
                wrong = {s: a for s, a in call["responses"].items() if s >= "400"}
                with self.subTest(path=path, method=method):
                    self.assertLessEqual({"401", "429"}, wrong.keys())
                    for answer in wrong.values():
                        self.assertEqual(list(answer["content"]), [MEDIA_TYPE])

    def test_a_transfer_has_its_public_names(self):
        entry = describe()["components"]["schemas"]["TransferEntry"]["properties"]
        self.assertLessEqual({"from", "to", "amount"}, entry.keys())
        self.assertIn("smallest step", entry["amount"]["description"])

    def test_the_key_is_a_bearer_token(self):
        scheme = describe()["components"]["securitySchemes"]["apiKey"]
        self.assertEqual(scheme, {"type": "http", "scheme": "bearer"})


class PageTests(TestCase):
    def test_the_description_is_served(self):
        response = self.client.get("/api/schema/?format=json")
        self.assertEqual(response.status_code, 200)
        self.assertIn("/api/v1/members/{customer_id}/", response.json()["paths"])

    def test_the_page_needs_no_inline_script(self):
        response = self.client.get("/api/docs/")
        self.assertEqual(response.status_code, 200)
        page = response.content.decode()
        for script in page.split("<script")[1:]:
            self.assertIn("src=", script.split(">")[0])
        self.assertNotIn("https://", page.replace("https://www.w3.org", ""))
