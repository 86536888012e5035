"""Tests of the links by which host applications send members to stores."""

from urllib.parse import parse_qs, urlsplit

from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from merchants import clicks
from merchants.models import Click, TrackingHost
from tests.builders import (
    MERCHANT,
    make_member,
    make_merchant,
    publish_program,
    rule,
)
from tests.rewards.callers import ApiTestCase, count_rows
from tests.rewards.storefront import make_offer

LINKS = "members/alice/links/"
ORGANIZATION = "org-02f4c8e96b1d7a50"


@override_settings(BUTTON_ORGANIZATION_ID=ORGANIZATION)
class LinkTests(ApiTestCase):
    def setUp(self):
        super().setUp()
        publish_program(rule())
        self.store = make_merchant()
        make_offer(self.store, "4")

    def ask(self, path=LINKS, **body):
        body.setdefault("merchant", MERCHANT)
        return self.client.post(
            f"/api/v1/{path}", body, content_type="application/json"
        )

    def assert_refused(self, response, status, *said, field=None, code=None):
        problem = self.assert_problem(response, status, *said)
        if field:
            (error,) = problem["errors"]
            self.assertEqual((error["field"], error.get("code")), (field, code))
        self.assertFalse(Click.objects.exists())

    def test_a_link_is_the_members_own(self):
        answer = self.ask(url="https://lumenoak.example/lamps?a=1&b=2")
        self.assertEqual(answer.status_code, 200)
        link = urlsplit(answer.json()["url"])
        self.assertEqual((link.scheme, link.netloc), ("https", "r.bttn.io"))
        self.assertEqual(
            {name: value for name, [value] in parse_qs(link.query).items()},
            {
                "btn_url": "https://lumenoak.example/lamps?a=1&b=2",
                "btn_pub_user": "alice",
                "btn_pub_ref": answer.json()["click"],
                "btn_ref": ORGANIZATION,
            },
        )
        self.assertTrue(clicks.is_ours(answer.json()["click"]))

    def test_the_click_keeps_reference_and_promise(self):
        answer = self.ask(reference="campaign 7 ✓")
        click = Click.objects.get(reference=answer.json()["click"])
        self.assertEqual(click.own_reference, "campaign 7 ✓")
        self.assertEqual((click.customer_id, click.merchant), ("alice", self.store))
        self.assertEqual(click.shown["headline"][0]["amount"], 100)
        self.assertEqual(click.shown["edition"], 1)

    def test_without_an_address_it_leads_to_the_store(self):
        for body in ({}, {"url": None}, {"url": ""}):
            answer = self.ask(**body)
            [target] = parse_qs(urlsplit(answer.json()["url"]).query)["btn_url"]
            self.assertEqual(target, "https://lumenoak.example/")

    def test_each_call_is_another_click(self):
        self.assertNotEqual(self.ask().json()["click"], self.ask().json()["click"])

    def test_spaces_and_letters_beyond_ascii_are_encoded(self):
        answer = self.ask(url="https://lumenoak.example/a lämp")
        self.assertTrue(answer.json()["url"].isascii())
        [target] = parse_qs(urlsplit(answer.json()["url"]).query)["btn_url"]
        self.assertEqual(target, "https://lumenoak.example/a%20l%C3%A4mp")

    def test_a_tracking_host_of_staff_may_be_led_to(self):
        TrackingHost.objects.create(host="go.affiliate.example")
        answer = self.ask(url="https://go.affiliate.example/?u=1")
        self.assertEqual(answer.status_code, 200)

    def test_a_wrong_address_is_refused_with_the_reason(self):
        for url, code in (
            ("https://evil.example/", "host"),
            ("ftp://lumenoak.example/", "scheme"),
            ("lumenoak.example", "url"),
            ("https://alice@lumenoak.example/", "credentials"),
            ("https://lumenoak.example:8443/", "port"),
            ("https://lumenoak.example/" + "a" * 4000, "long"),
        ):
            with self.subTest(url=url[:40]):
                self.assert_refused(self.ask(url=url), 422, field="url", code=code)

    def test_a_store_without_an_address_is_refused(self):
        make_merchant("Bare", external_id="org-2", homepage_url="", hosts=[])
        self.assert_refused(
            self.ask(merchant="org-2"), 422, field="merchant", code="nowhere"
        )

    def test_an_unknown_or_hidden_store_is_refused(self):
        make_merchant("Hidden", external_id="org-2", listing="never")
        for merchant in ("org-2", "org-nobody", "", "\0"):
            self.assert_refused(self.ask(merchant=merchant), 422, field="merchant")

    def test_a_wrong_body_is_refused(self):
        for body, field in (
            ({"merchant": 7}, "merchant"),
            ({"url": 7}, "url"),
            ({"url": "https://lumenoak.example/\0"}, "url"),
            ({"reference": "r" * 256}, "reference"),
            ({"reference": "\0"}, "reference"),
            ({"to": "x"}, "to"),
        ):
            with self.subTest(body=str(body)[:40]):
                self.assert_refused(self.ask(**body), 422, field)

    def test_a_body_without_a_store_is_refused(self):
        answer = self.client.post(
            f"/api/v1/{LINKS}", {}, content_type="application/json"
        )
        self.assert_refused(answer, 422, "merchant")

    def test_what_is_no_customer_id_is_refused(self):
        for id in ("a%20b", "é", "a" * 256, "a%2Fb"):
            self.assert_refused(
                self.ask(f"members/{id}/links/"), 422, field="customer_id"
            )

    def test_an_unseen_customer_gets_a_link_and_no_membership(self):
        rows = count_rows()
        answer = self.ask("members/somebody-new/links/")
        self.assertEqual(answer.status_code, 200)
        self.assertEqual(count_rows(), rows)

    @override_settings(MEMBERS_AUTO_ENROLL=False)
    def test_where_nobody_is_enrolled_by_an_order_it_takes_a_member(self):
        self.assert_refused(self.ask(), 404, "no member alice")
        make_member()
        self.assertEqual(self.ask().status_code, 200)

    @override_settings(BUTTON_ORGANIZATION_ID="")
    def test_a_server_that_is_not_set_up_says_so(self):
        self.assert_refused(self.ask(), 503, "BUTTON_ORGANIZATION_ID")

    def test_without_a_key_there_is_no_link(self):
        del self.client.defaults["HTTP_AUTHORIZATION"]
        self.assert_refused(self.ask(), 401)

    def test_only_post_is_allowed(self):
        self.assert_problem(self.get(LINKS), 405)

    def test_a_link_takes_few_queries(self):
        self.ask()
        with CaptureQueriesContext(connection) as queries:
            self.ask()
        self.assertLessEqual(len(queries), 11)
