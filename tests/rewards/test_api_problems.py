"""Tests of what all calls of the API share: keys, refusals, limits, headers."""

from datetime import UTC, datetime
from unittest.mock import patch

from django.contrib.auth.models import User
from django.db import OperationalError

from rewards.api.throttling import PerKey
from rewards.models import ApiKey
from tests.builders import make_api_key, make_member
from tests.rewards.callers import ApiTestCase, count_rows


class KeyTests(ApiTestCase):
    def test_a_call_without_key_is_unauthorized(self):
        del self.client.defaults["HTTP_AUTHORIZATION"]
        response = self.get("members/alice/")
        self.assert_problem(response, 401)
        self.assertEqual(response["WWW-Authenticate"], 'Bearer realm="api"')

    def test_no_wrong_key_is_let_in(self):
        before = count_rows()
        wrong = (f"{self.key[:-1]}~", f"{self.key}x", "", "ls_", "\0", "ls_" + "é" * 43)
        for key in wrong:
            self.client.defaults["HTTP_AUTHORIZATION"] = f"Bearer {key}"
            response = self.put("members/bob/")
            self.assert_problem(response, 401)
            self.assertIn("WWW-Authenticate", response)
        self.assertEqual(count_rows(), before)

    def test_another_scheme_is_unauthorized(self):
        self.client.defaults["HTTP_AUTHORIZATION"] = f"Basic {self.key}"
        self.assert_problem(self.get("members/alice/"), 401)

    def test_a_revoked_key_is_unauthorized(self):
        ApiKey.objects.update(revoked_at=datetime.now(UTC))
        self.assert_problem(self.get("members/alice/"), 401, "revoked")

    def test_signed_in_staff_need_a_key_too(self):
        del self.client.defaults["HTTP_AUTHORIZATION"]
        self.client.force_login(User.objects.create_superuser("ann"))
        self.assert_problem(self.get("members/alice/"), 401)

    def test_the_use_of_a_key_is_noted_once_a_minute(self):
        make_member()
        self.get("members/alice/")
        noted = ApiKey.objects.get().last_used_at
        self.assertIsNotNone(noted)
        self.get("members/alice/")
        self.assertEqual(ApiKey.objects.get().last_used_at, noted)

    def test_only_the_digest_of_a_key_is_stored(self):
        stored = ApiKey.objects.get()
        self.assertNotIn(self.key[12:].encode(), bytes(stored.digest))
        self.assertEqual(stored.prefix, self.key[:12])


class RefusalTests(ApiTestCase):
    def test_an_unknown_address_is_not_found(self):
        for path in ("", "nothing/", "members/", "purchases/", "members/alice"):
            for method in ("get", "put", "post", "delete"):
                response = getattr(self.client, method)(f"/api/v1/{path}")
                self.assert_problem(response, 404)

    def test_a_missing_slash_is_named(self):
        self.assert_problem(self.put("members/alice"), 404, "end with a slash")

    def test_another_method_is_not_allowed(self):
        make_member()
        before = count_rows()
        for method in ("post", "patch", "options"):
            response = getattr(self.client, method)("/api/v1/members/alice/")
            self.assert_problem(response, 405)
            self.assertIn("GET", response["Allow"])
        self.assertEqual(count_rows(), before)

    def test_only_json_is_answered(self):
        response = self.client.get(
            "/api/v1/members/alice/", headers={"Accept": "text/html"}
        )
        self.assert_problem(response, 406)

    def test_a_crash_is_a_problem_that_tells_nothing(self):
        make_member()
        self.client.raise_request_exception = False
        with patch(
            "rewards.api.members.MemberDocument.of", side_effect=ValueError("x")
        ):
            response = self.get("members/alice/")
        problem = self.assert_problem(response, 500)
        self.assertNotIn("ValueError", str(problem))

    def test_a_database_that_kept_us_waiting_asks_to_try_again(self):
        make_member()
        with patch(
            "rewards.api.members.MemberDocument.of", side_effect=OperationalError
        ):
            response = self.get("members/alice/")
        self.assert_problem(response, 503)
        self.assertEqual(response["Retry-After"], "1")


class LimitTests(ApiTestCase):
    def test_answers_say_what_is_left(self):
        make_member()
        response = self.get("members/alice/")
        self.assertEqual(response["RateLimit-Limit"], "1200")
        self.assertEqual(response["RateLimit-Remaining"], "1199")
        self.assertLessEqual(int(response["RateLimit-Reset"]), 60)

    def test_too_many_calls_are_refused_until_the_next_minute(self):
        with patch.object(PerKey, "calls", 2):
            self.put("members/alice/")
            self.put("members/alice/")
            before = count_rows()
            response = self.put("members/bob/")
        self.assert_problem(response, 429)
        self.assertEqual(response["RateLimit-Remaining"], "0")
        self.assertIn(int(response["Retry-After"]), range(61))
        self.assertEqual(count_rows(), before)

    def test_each_key_has_its_own_limit(self):
        with patch.object(PerKey, "calls", 1):
            self.put("members/alice/")
            self.client.defaults["HTTP_AUTHORIZATION"] = f"Bearer {make_api_key()}"
            self.assertEqual(self.put("members/alice/").status_code, 200)


class HeaderTests(ApiTestCase):
    def test_head_has_no_body(self):
        make_member()
        response = self.client.head("/api/v1/members/alice/")
        self.assertEqual((response.status_code, response.content), (200, b""))

    def test_nobody_may_keep_an_answer(self):
        make_member()
        response = self.get("members/alice/")
        self.assertEqual(response["Cache-Control"], "no-store")
        self.assertEqual(response["Content-Type"], "application/json")
