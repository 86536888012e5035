"""Tests with any text in any place: no call ever crashes."""

from urllib.parse import quote

from django.core.cache import cache
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from tests.builders import make_api_key, publish_program, report, settle_reports

NOUNS = ("members", "purchases", "redemptions")
TAILS = ("", "activity/", "transfers/", "receipt/", "redemptions/")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
FIELDS = st.sampled_from(["email", "locale", "segments", "other"])


class AnythingTests(TestCase):
    @classmethod
    def setUpTestData(cls):
        publish_program()
        settle_reports(report())
        cls.headers = {"Authorization": f"Bearer {make_api_key()}"}

    def setUp(self):
        cache.clear()

    def assert_answered(self, response, *statuses: int) -> None:
        self.assertIn(response.status_code, statuses, response.content)
        if response.status_code >= 400:
            self.assertEqual(response["Content-Type"], "application/problem+json")

    @given(st.sampled_from(NOUNS), st.text(), st.sampled_from(TAILS))
    def test_any_path_is_answered(self, noun, text, tail):
        cache.clear()
        path = f"/api/v1/{noun}/{quote(text, safe='')}/{tail}"
        response = self.client.get(path, headers=self.headers)
        self.assert_answered(response, 200, 404, 422)

    @given(st.dictionaries(FIELDS, JSON) | JSON)
    def test_any_body_is_answered(self, body):
        cache.clear()
        response = self.client.put(
            "/api/v1/members/alice/",
            body,
            content_type="application/json",
            headers=self.headers,
        )
        self.assert_answered(response, 200, 415, 422)

    @given(st.dictionaries(st.sampled_from(["reward", "amount"]), JSON), st.text())
    def test_any_redemption_is_answered(self, body, key):
        cache.clear()
        response = self.client.post(
            "/api/v1/members/alice/redemptions/",
            body,
            content_type="application/json",
            headers={**self.headers, "Idempotency-Key": key},
        )
        self.assert_answered(response, 422)

    @given(st.binary())
    def test_any_bytes_are_answered(self, body):
        cache.clear()
        response = self.client.put(
            "/api/v1/members/alice/",
            body,
            content_type="application/json",
            headers=self.headers,
        )
        self.assert_answered(response, 200, 422)

    @given(st.sampled_from(["cursor", "page_size", "account", "format"]), st.text())
    def test_any_query_is_answered(self, name, text):
        cache.clear()
        for path in ("members/alice/activity/", "purchases/btnorder-1/"):
            response = self.client.get(
                f"/api/v1/{path}", {name: text}, headers=self.headers
            )
            self.assert_answered(response, 200, 404, 422)
