"""Tests of the calls about rewards and redemptions."""

from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from rewards.models import Freeze, PayoutDetails, Redemption
from rewards.redemptions import codes, fulfilment
from tests.builders import balances, make_member, publish_program, rule
from tests.rewards.callers import ApiTestCase
from tests.rewards.redeemers import ask, make_pool, make_reward, violations, written
from tests.rewards.spending import earn

REDEMPTIONS = "members/alice/redemptions/"


class RedemptionTestCase(ApiTestCase):
    def setUp(self):
        super().setUp()
        publish_program(rule())
        earn("1", 50_000)
        self.reward = make_reward()

    def tearDown(self):
        self.assertEqual(violations(), {})

    def post(self, path=REDEMPTIONS, *, key="one", **body):
        headers = {} if key is None else {"Idempotency-Key": key}
        return self.client.post(
            f"/api/v1/{path}", body, content_type="application/json", headers=headers
        )

    def redeem(self, amount=100, *, reward="mug", key="one"):
        return self.post(reward=reward, amount=amount, key=key)

    def assert_refused(self, response, status, *, field=None, code=None):
        problem = self.assert_problem(response, status)
        self.assertEqual(problem.get("code"), code)
        if field:
            self.assertEqual([e["field"] for e in problem["errors"]], [field])


class RewardsTests(RedemptionTestCase):
    def test_they_are_listed_in_their_order(self):
        make_pool("one", "two", position=2)
        make_reward("gone", active=False)
        make_reward("cup", stock=3, per_member=1, per_member_period="week", position=1)
        results = self.get("rewards/").json()["results"]
        self.assertEqual([r["id"] for r in results], ["mug", "cup", "card"])
        mug, cup, card = results
        self.assertEqual(
            (mug["minimum"], mug["maximum"], mug["left"]), (100, None, None)
        )
        self.assertEqual(cup["limit"], {"times": 1, "period": "week"})
        self.assertEqual((cup["left"], card["left"]), (3, 2))
        self.assertEqual((card["kind"], card["unit"]), ("gift_code", "points"))

    def test_a_long_list_costs_no_more(self):
        def cost() -> int:
            with CaptureQueriesContext(connection) as queries:
                self.get("rewards/")
            return len(queries)

        cost()
        make_pool("one")
        few = cost()
        for n in range(20):
            make_reward(f"cup-{n}")
        self.assertEqual(cost(), few)


class RedeemTests(RedemptionTestCase):
    def test_it_is_reserved(self):
        answer = self.redeem(150)
        self.assertEqual(answer.status_code, 201)
        said = answer.json()
        self.assertRegex(said["id"], "^rdm-[0-9a-f]{16}$")
        expected = {
            "status": "reserved",
            "unit": "points",
            "amount": 150,
            "reward": "mug",
            "customer_id": "alice",
            "reference": None,
            "reason": None,
            "ended_at": None,
        }
        self.assertEqual({name: said[name] for name in expected}, expected)
        held = self.get("members/alice/").json()["balances"][0]
        self.assertEqual((held["available"], held["reserved"]), (350, 150))
        self.assertEqual(self.get(f"redemptions/{said['id']}/").json(), said)

    def test_the_same_key_gets_the_same_answer(self):
        first = self.redeem()
        again = self.redeem()
        self.assertEqual(again.status_code, first.status_code)
        self.assertEqual(again.json(), first.json())
        self.assertEqual(Redemption.objects.count(), 1)

    def test_later_it_is_told_as_it_then_is(self):
        first = self.redeem().json()
        self.post(f"redemptions/{first['id']}/fulfil/", reference="parcel 7")
        again = self.redeem()
        self.assertEqual(again.status_code, 201)
        self.assertEqual(again.json()["id"], first["id"])
        self.assertEqual(again.json()["status"], "fulfilled")

    def test_the_same_key_with_another_body_is_wrong(self):
        make_reward("cup")
        self.redeem()
        before = written()
        for body in ({"amount": 101}, {"reward": "cup"}):
            response = self.redeem(**body)
            self.assert_refused(response, 422, field="Idempotency-Key")
        self.assertEqual(written(), before)

    def test_every_request_needs_a_key(self):
        for key in (None, "", "x" * 256, "clé", "a\x7fb"):
            with self.subTest(key=key):
                self.assert_refused(self.redeem(key=key), 422, field="Idempotency-Key")
        self.assertEqual(Redemption.objects.count(), 0)
        self.assertEqual(self.redeem(key="k" * 255).status_code, 201)

    def test_what_is_wrong_with_a_body_is_told(self):
        for field, body in (
            ("reward", {"amount": 100}),
            ("reward", {"reward": "nothing", "amount": 100}),
            ("reward", {"reward": "a\0b", "amount": 100}),
            ("reward", {"reward": 5, "amount": 100}),
            ("amount", {"reward": "mug"}),
            ("amount", {"reward": "mug", "amount": 0}),
            ("amount", {"reward": "mug", "amount": -100}),
            ("amount", {"reward": "mug", "amount": 99}),
            ("amount", {"reward": "mug", "amount": "100"}),
            ("amount", {"reward": "mug", "amount": 100.0}),
            ("amount", {"reward": "mug", "amount": True}),
            ("amount", {"reward": "mug", "amount": 2**63}),
            ("unit", {"reward": "mug", "amount": 100, "unit": "USD"}),
        ):
            with self.subTest(body=body):
                self.assert_refused(self.post(**body), 422, field=field)
        self.assertEqual(Redemption.objects.count(), 0)

    def test_an_amount_as_large_as_the_database_can_hold_is_only_too_much(self):
        self.assert_refused(self.redeem(2**63 - 1), 409, code="not_enough")

    def test_each_refusal_has_its_code(self):
        make_reward("cup", stock=0)
        make_reward("once", per_member=1)
        make_reward("gone", active=False)
        make_reward("pay", kind="payout")
        self.redeem(reward="once", key="zero")
        make_member("alice", email="alice@example.com")
        before = written()
        for code, reward, amount in (
            ("not_enough", "mug", 401),
            ("sold_out", "cup", 100),
            ("limit_reached", "once", 100),
            ("not_offered", "gone", 100),
            ("no_payout_details", "pay", 100),
        ):
            with self.subTest(code=code):
                self.assert_refused(self.redeem(amount, reward=reward), 409, code=code)
        self.put("members/alice/", {"email": "mallory@example.com"})
        self.assert_refused(self.redeem(), 409, code="held")
        Freeze.objects.create(
            member=make_member(), check_name="x", frozen_at="2026-01-01T00:00Z"
        )
        self.assert_refused(self.redeem(), 409, code="closed")
        self.assertEqual(written(), before)
        Freeze.objects.all().delete()

    def test_somebody_who_is_no_member_is_not_found(self):
        self.assert_problem(self.post("members/bob/redemptions/"), 404)
        self.assert_problem(self.post("members/b b/redemptions/"), 422)

    def test_without_an_api_key_nothing_is_said(self):
        del self.client.defaults["HTTP_AUTHORIZATION"]
        for path in ("rewards/", REDEMPTIONS, "redemptions/rdm-1/"):
            self.assert_problem(self.get(path), 401)
        self.assert_problem(self.redeem(), 401)


class EndTests(RedemptionTestCase):
    def setUp(self):
        super().setUp()
        self.id = self.redeem().json()["id"]

    def test_it_is_fulfilled_once(self):
        path = f"redemptions/{self.id}/fulfil/"
        answer = self.post(path, reference="parcel 7")
        self.assertEqual(answer.status_code, 200)
        self.assertEqual(answer.json()["status"], "fulfilled")
        self.assertEqual(answer.json()["reference"], "parcel 7")
        self.assertEqual(self.post(path).json(), answer.json())
        self.assertEqual(balances(), {("points", "available"): 400})
        self.assert_refused(
            self.post(f"redemptions/{self.id}/cancel/"), 409, code="ended"
        )

    def test_it_is_cancelled_once(self):
        path = f"redemptions/{self.id}/cancel/"
        answer = self.post(path, reason="No longer made.")
        self.assertEqual(answer.status_code, 200)
        self.assertEqual(answer.json()["status"], "cancelled")
        self.assertEqual(answer.json()["reason"], "No longer made.")
        self.assertEqual(self.post(path).json(), answer.json())
        self.assertEqual(balances(), {("points", "available"): 500})
        self.assert_refused(
            self.post(f"redemptions/{self.id}/fulfil/"), 409, code="ended"
        )

    def test_staff_approve_first(self):
        make_reward("ring", approve_above=100)
        waiting = self.redeem(200, reward="ring", key="two").json()
        self.assertEqual(waiting["status"], "review")
        self.assertTrue(waiting["reason"])
        path = f"redemptions/{waiting['id']}/fulfil/"
        self.assert_refused(self.post(path), 409, code="needs_approval")

    def test_what_is_said_is_checked(self):
        for end, field in (("fulfil", "reference"), ("cancel", "reason")):
            path = f"redemptions/{self.id}/{end}/"
            for value in ("x" * 256, "a\0b", 5):
                self.assert_refused(self.post(path, **{field: value}), 422, field=field)
        self.assertEqual(Redemption.objects.get().status, "reserved")

    def test_what_does_not_exist_is_not_found(self):
        for id in ("rdm-0", "a%00b", "ü", "a/b"):
            self.assert_problem(self.get(f"redemptions/{id}/"), 404)
            for end in ("fulfil", "cancel", "reveal"):
                self.assert_problem(self.post(f"redemptions/{id}/{end}/"), 404)

    def test_they_are_listed_newest_first(self):
        for n in range(3):
            ask(self.reward, key=f"more-{n}")
        page = self.get(REDEMPTIONS, page_size=3).json()
        self.assertEqual(len(page["results"]), 3)
        rest = self.client.get(page["next"]).json()
        self.assertEqual([r["id"] for r in rest["results"]], [self.id])
        self.assertIsNone(rest["next"])


class CodeTests(RedemptionTestCase):
    def test_a_code_is_told_once_and_nowhere_else(self):
        make_pool("SECRET-CODE-1")
        answer = self.redeem(reward="card")
        self.assertEqual(answer.json()["status"], "fulfilled")
        id = answer.json()["id"]
        self.assertEqual(
            self.post(f"redemptions/{id}/reveal/").json(), {"code": "SECRET-CODE-1"}
        )
        Redemption.objects.update(revealed_at=timezone.now() - codes.AGAIN)
        self.assert_refused(
            self.post(f"redemptions/{id}/reveal/"), 409, code="shown_already"
        )
        for path in (f"redemptions/{id}/", REDEMPTIONS, "rewards/"):
            self.assertNotContains(self.get(path), "SECRET")
        self.assertIsNotNone(self.get(f"redemptions/{id}/").json()["revealed_at"])

    def test_a_mug_has_none(self):
        id = self.redeem().json()["id"]
        self.assert_refused(self.post(f"redemptions/{id}/reveal/"), 409, code="no_code")


class PayoutTests(RedemptionTestCase):
    path = "members/alice/payout-details/"

    def test_details_are_put_and_told_masked(self):
        body = {"method": "bank", "details": "DE02 1203 0000 0000 2020 51"}
        answer = self.put(self.path, body)
        self.assertEqual(answer.status_code, 200)
        self.assertEqual(answer.json()["hint"], "…0 51")
        self.assertEqual(self.put(self.path, body).json(), answer.json())
        make_reward("pay", kind="payout")
        self.assert_refused(self.redeem(reward="pay"), 409, code="held")

    def test_a_payout_says_where_to_masked(self):
        make_reward("pay", kind="payout")
        self.put(self.path, {"method": "bank", "details": "DE0212030000"})
        PayoutDetails.objects.update(changed_at="2026-01-01T00:00Z")
        said = self.redeem(reward="pay").json()
        self.assertEqual(said["paid_to"], "bank …0000")
        fulfilment.fulfil(
            Redemption.objects.get(), at=Redemption.objects.get().asked_at
        )

    def test_what_is_wrong_is_told(self):
        for field, body in (
            ("method", {"details": "DE02"}),
            ("method", {"method": "B ANK", "details": "DE02"}),
            ("details", {"method": "bank", "details": "  "}),
            ("details", {"method": "bank", "details": "a\0"}),
            ("details", {"method": "bank", "details": "x" * 1001}),
        ):
            self.assert_refused(self.put(self.path, body), 422, field=field)
        self.assertFalse(PayoutDetails.objects.exists())
