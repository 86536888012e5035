"""Tests of the checks that judge a production."""

from unittest.mock import patch

from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.test import SimpleTestCase, TestCase, override_settings

from loyalty_site.checks import check_database

GOOD = {
    "ALLOWED_HOSTS": ["rewards.example.com"],
    "DEMO": False,
    "PUBLISH_MARGIN": 300,
    "BUTTON_WEBHOOK_SECRETS": ["secret"],
    "HTTPS": True,
    "TRUST_PROXY": True,
}


class DeployTests(SimpleTestCase):
    def find(self, *, vendor="postgresql", **changes):
        with (
            override_settings(**{**GOOD, **changes}),
            patch.object(connection, "vendor", vendor),
        ):
            found = run_checks(include_deployment_checks=True)
        return {check.id: check for check in found if check.id.startswith("loyalty.")}

    def assert_found(self, expected, **changes):
        found = self.find(**changes)
        self.assertEqual(list(found), [expected])
        self.assertTrue(found[expected].hint)

    def test_a_good_production(self):
        self.assertEqual(self.find(), {})

    def test_any_host(self):
        self.assert_found("loyalty.E002", ALLOWED_HOSTS=["*"])

    def test_demo(self):
        self.assert_found("loyalty.E003", DEMO=True)

    def test_no_webhook_secret(self):
        self.assert_found("loyalty.W001", BUTTON_WEBHOOK_SECRETS=[])

    def test_no_margin(self):
        self.assert_found("loyalty.W002", PUBLISH_MARGIN=0)

    def test_sqlite(self):
        self.assert_found("loyalty.I001", vendor="sqlite")

    def test_https_without_a_trusted_proxy(self):
        self.assert_found("loyalty.I002", TRUST_PROXY=False)

    def test_nothing_is_asked_of_a_developer(self):
        with override_settings(**{**GOOD, "PUBLISH_MARGIN": 0, "DEMO": True}):
            found = [check.id for check in run_checks()]
        self.assertFalse([name for name in found if name.startswith("loyalty.")])


class DatabaseTests(TestCase):
    def test_the_suite_runs_on_a_safe_one(self):
        self.assertEqual(check_database(None, databases=["default"]), [])

    def test_an_unsafe_one_is_an_error_with_a_hint(self):
        refusal = ImproperlyConfigured("unsafe")
        with patch.object(connection, "ensure_connection", side_effect=refusal):
            [error] = check_database(None, databases=["default"])
        self.assertEqual((error.id, error.msg), ("loyalty.E001", "unsafe"))
        self.assertTrue(error.hint)
