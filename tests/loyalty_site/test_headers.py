"""Tests of headers, redirects and static files, as a visitor gets them."""

from django.test import TestCase, override_settings

STRICT = {
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "font-src 'self'",
    "connect-src 'self'",
    "form-action 'self'",
    "frame-ancestors 'none'",
    "base-uri 'none'",
}


class ContentSecurityPolicyTests(TestCase):
    def policy(self, path):
        return set(self.client.get(path)["Content-Security-Policy"].split("; "))

    def test_strict_by_default(self):
        for path in ("/", "/sign-in/", "/api/schema/", "/nowhere/", "/administrator/"):
            with self.subTest(path):
                self.assertEqual(self.policy(path), STRICT)

    def test_admin_may_do_what_its_theme_needs(self):
        self.assertEqual(
            self.policy("/admin/login/") - STRICT,
            {
                "script-src 'self' 'unsafe-eval'",
                "style-src 'self' 'unsafe-inline'",
                "img-src 'self' data:",
            },
        )

    def test_api_page_may_style_itself(self):
        self.assertEqual(
            self.policy("/api/docs/") - STRICT,
            {"style-src 'self' 'unsafe-inline'", "img-src 'self' data:"},
        )


class HeaderTests(TestCase):
    def test_every_page_has_them(self):
        response = self.client.get("/admin/login/")
        self.assertEqual(response["X-Frame-Options"], "DENY")
        self.assertEqual(response["X-Content-Type-Options"], "nosniff")
        self.assertEqual(response["Referrer-Policy"], "same-origin")
        self.assertEqual(response["Cross-Origin-Opener-Policy"], "same-origin")


@override_settings(SECURE_SSL_REDIRECT=True)
class RedirectTests(TestCase):
    def test_pages_move_to_https(self):
        response = self.client.get("/admin/login/")
        self.assertEqual(response.status_code, 301)
        self.assertTrue(response["Location"].startswith("https://"))

    def test_what_machines_ask_does_not(self):
        for path in ("/healthz", "/readyz", "/metrics", "/webhooks/button/"):
            with self.subTest(path):
                self.assertNotEqual(self.client.get(path).status_code, 301)


class StaticFileTests(TestCase):
    """Nobody has run `collectstatic` here, and DEBUG is off."""

    def test_admin_is_styled(self):
        response = self.client.get("/static/unfold/css/styles.css")
        self.assertEqual(response.status_code, 200)
        self.assertIn("text/css", response["Content-Type"])

    def test_a_missing_file_is_no_error_of_the_page(self):
        self.assertEqual(self.client.get("/static/nowhere.css").status_code, 404)


class ApiPageTests(TestCase):
    """Both are open to everybody: they say nothing of members."""

    def test_schema(self):
        response = self.client.get("/api/schema/")
        self.assertEqual(response.status_code, 200)
        self.assertIn(b"openapi: 3.1", response.content)

    def test_page_without_inline_script(self):
        response = self.client.get("/api/docs/")
        self.assertEqual(response.status_code, 200)
        self.assertNotContains(response, "<script>")
