"""Tests of /api/v1/members/{customer_id}/."""

from django.test import override_settings

from rewards.models import Member, Purchase, Unit
from tests.builders import (
    NOW,
    balances,
    fixed,
    make_member,
    publish_program,
    report,
    rule,
    settle_reports,
)
from tests.rewards.callers import ApiTestCase, count_rows

MEMBER = "members/alice/"
CHUNKED = {"headers": {"Transfer-Encoding": "chunked"}}


class PutMemberTests(ApiTestCase):
    def test_the_first_call_creates_and_the_second_changes_nothing(self):
        first = self.put(MEMBER)
        self.assertEqual(first.status_code, 201)
        again = self.put(MEMBER)
        self.assertEqual((again.status_code, again.json()), (200, first.json()))
        self.assertEqual(Member.objects.count(), 1)

    def test_every_field_is_kept(self):
        given = {"email": "a@example.com", "locale": "es-MX", "segments": ["gold"]}
        answer = self.put(MEMBER, given).json()
        self.assertLessEqual(given.items(), answer.items())
        self.assertEqual(self.get(MEMBER).json(), answer)

    def test_a_field_left_out_stays(self):
        self.put(MEMBER, {"email": "a@example.com", "segments": ["gold"]})
        answer = self.put(MEMBER, {"locale": "en"}).json()
        self.assertEqual((answer["email"], answer["locale"]), ("a@example.com", "en"))
        self.assertEqual(answer["segments"], ["gold"])

    def test_null_empties_a_field(self):
        self.put(MEMBER, {"email": "a@example.com", "segments": ["gold"]})
        answer = self.put(MEMBER, {"email": None, "segments": None}).json()
        self.assertEqual((answer["email"], answer["segments"]), ("", []))

    def test_a_segment_counts_once(self):
        answer = self.put(MEMBER, {"segments": ["a", "b", "a"]}).json()
        self.assertEqual(answer["segments"], ["a", "b"])

    def test_an_empty_body_is_enough(self):
        for body in ("{}", None):
            self.assertIn(self.put(MEMBER, body).status_code, (200, 201))
        form = "application/x-www-form-urlencoded"
        self.assertEqual(self.put(MEMBER, "", content_type=form).status_code, 200)

    @override_settings(MEMBERS_AUTO_ENROLL=False)
    def test_orders_that_waited_are_settled(self):
        publish_program()
        settle_reports(report())
        self.assertEqual(balances(), {})
        answer = self.put(MEMBER).json()
        self.assertEqual(answer["balances"][0]["pending"], 91)


class RefusedBodyTests(ApiTestCase):
    def refuse(self, body, *said, status=422, **extra):
        before = count_rows()
        problem = self.assert_problem(self.put(MEMBER, body, **extra), status, *said)
        self.assertEqual(count_rows(), before)
        return problem

    def test_unknown_fields_are_named(self):
        problem = self.refuse({"emial": "a@example.com", "tier": 1}, "emial", "tier")
        self.assertEqual(
            problem["errors"][0], {"field": "emial", "detail": "is unknown here"}
        )

    def test_wrong_values_are_named(self):
        for body, field in (
            ({"email": "nobody"}, "email"),
            ({"email": 7}, "email"),
            ({"email": f"{'a' * 250}@example.com"}, "email"),
            ({"locale": "in english please"}, "locale"),
            ({"locale": "en\n"}, "locale"),
            ({"segments": "gold"}, "segments"),
            ({"segments": [1]}, "segments.0"),
            ({"segments": [""]}, "segments.0"),
            ({"segments": ["a\0b"]}, "segments.0"),
            ({"segments": ["x" * 65]}, "segments.0"),
            ({"segments": [f"s{n}" for n in range(101)]}, "segments"),
            ([], "body"),
            ("7", "body"),
        ):
            with self.subTest(body=body):
                problem = self.refuse(body)
                self.assertEqual(problem["errors"][0]["field"], field)

    def test_what_is_no_json_is_refused(self):
        for raw in (b"{", b"\xff", b'{"email": NaN}', b'"\\ud800"', b"[" * 100_000):
            with self.subTest(raw=raw[:10]):
                self.refuse(raw)

    def test_another_content_type_is_refused(self):
        self.refuse("email=a", content_type="text/plain", status=415)
        self.refuse("a=b", content_type="application/x-www-form-urlencoded", status=415)

    def test_a_body_in_chunks_is_refused_and_not_ignored(self):
        self.refuse({"email": "a@example.com"}, status=411, **CHUNKED)

    def test_an_enormous_body_is_refused(self):
        self.refuse(b" " * (1024 * 1024 + 1), status=413)

    def test_a_refused_change_leaves_the_member_alone(self):
        make_member(email="a@example.com")
        self.put(MEMBER, {"email": "b@example.com", "tier": 1})
        self.assertEqual(Member.objects.get().email, "a@example.com")


class CustomerIdTests(ApiTestCase):
    def test_any_printable_ascii_but_a_slash_will_do(self):
        for path, customer_id in (
            ("%21~", "!~"),
            ("a.b%40c%3Fd%23e%25f", "a.b@c?d#e%f"),
            ("x" * 255, "x" * 255),
            ("activity", "activity"),
            ("..%5C", "..\\"),
        ):
            with self.subTest(customer_id):
                self.assertEqual(self.put(f"members/{path}/").status_code, 201)
                answer = self.get(f"members/{path}/").json()
                self.assertEqual(answer["customer_id"], customer_id)

    def test_anything_else_is_refused(self):
        before = count_rows()
        for path in (
            "a%20b", "%20", "a%2Fb", "a/b", "%2F", "", "%C3%A9", "%00", "a%0A",
            "%7F", "x" * 256, "%E2%80%AE",
        ):  # fmt: skip
            for tail in ("", "activity/", "transfers/"):
                with self.subTest(path + tail):
                    response = self.get(f"members/{path}/{tail}")
                    self.assert_problem(response, 422, "customer_id")
            self.assert_problem(self.put(f"members/{path}/"), 422, "customer_id")
        self.assertEqual(count_rows(), before)


class GetMemberTests(ApiTestCase):
    def test_nobody_is_there_before_it_exists(self):
        before = count_rows()
        for tail in ("", "activity/", "transfers/"):
            self.assert_problem(self.get(MEMBER + tail), 404, "alice")
        self.assertEqual(count_rows(), before)

    def test_a_new_member_holds_nothing_of_each_unit(self):
        publish_program()
        make_member()
        answer = self.get(MEMBER).json()
        empty = {"pending": 0, "available": 0, "reserved": 0, "debt": 0}
        self.assertEqual(answer["status"], "active")
        self.assertEqual(
            answer["balances"], [{"unit": "points", **empty}, {"unit": "USD", **empty}]
        )

    def test_balances_are_whole_smallest_steps(self):
        publish_program(rule(), rule("cash", unit="USD", reward=fixed("3.02")))
        settle_reports(report(), report(order_id="b2", status="validated"))
        points, dollars = self.get(MEMBER).json()["balances"]
        self.assertEqual((points["pending"], points["available"]), (91, 91))
        self.assertEqual((dollars["pending"], dollars["available"]), (302, 302))

    def test_a_unit_no_longer_in_the_draft_is_shown_to_who_holds_it(self):
        publish_program()
        settle_reports(report())
        make_member("bob")
        Unit.objects.update(in_draft=False)
        self.assertEqual(
            [b["unit"] for b in self.get(MEMBER).json()["balances"]], ["points"]
        )
        self.assertEqual(self.get("members/bob/").json()["balances"], [])

    def test_times_are_utc(self):
        make_member()
        self.assertEqual(self.get(MEMBER).json()["joined_at"], f"{NOW:%Y-%m-%dT%XZ}")

    def test_the_number_of_queries_does_not_grow(self):
        publish_program()
        for number in (2, 50):
            settle_reports(*(report(order_id=f"o{n}") for n in range(number)))
            self.get(MEMBER)
            with self.assertNumQueries(4):
                self.get(MEMBER)
        self.assertEqual(Purchase.objects.count(), 50)
