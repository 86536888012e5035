"""Tests of the calls by which a host application exports and erases a member."""

import json

from merchants.models import Click, Merchant
from rewards.models import Freeze, Member, Tombstone
from tests.builders import (
    NOW,
    make_click,
    make_member,
    publish_program,
    report,
    rule,
    settle_reports,
)
from tests.rewards.callers import ApiTestCase, count_rows

ALICE = "members/alice/"


class ErasureTests(ApiTestCase):
    def setUp(self):
        super().setUp()
        publish_program(rule())
        make_member(email="alice@mail.example", segments=["gold"])
        settle_reports(report(status="validated"))

    def delete(self, path=ALICE):
        return self.client.delete(f"/api/v1/{path}")

    def test_it_answers_nothing_and_then_knows_nobody(self):
        answer = self.delete()
        self.assertEqual((answer.status_code, answer.content), (204, b""))
        self.assert_problem(self.delete(), 404, "There is no member alice.")
        for path in ("", "activity/", "transfers/", "balances/", "export/"):
            self.assert_problem(self.get(ALICE + path), 404)
        self.assertEqual(Tombstone.objects.count(), 1)

    def test_the_order_is_nobodys_that_is_known(self):
        self.delete()
        token = Member.objects.get().customer_id
        order = self.get("purchases/btnorder-1/").json()
        self.assertEqual(order["customer_id"], token)
        self.assertNotIn("alice", json.dumps(order))
        receipt = self.get("purchases/btnorder-1/receipt/")
        self.assertEqual(receipt.status_code, 200)
        self.assertNotIn("alice", receipt.content.decode())

    def test_the_token_is_no_way_in(self):
        self.delete()
        token = Member.objects.get().customer_id
        self.assert_problem(self.get(f"members/{token}/"), 404)
        before = count_rows()
        self.assert_problem(
            self.put(f"members/{token}/", {"email": "a@b.example"}), 422
        )
        self.assert_problem(self.client.delete(f"/api/v1/members/{token}/"), 404)
        self.assertEqual(count_rows(), before)

    def test_a_link_for_who_was_erased_is_refused(self):
        merchant = Merchant.objects.get()
        Merchant.objects.update(
            homepage_url="https://lumenoak.example/",
            hosts=["lumenoak.example"],
            live=True,
        )
        merchant.refresh_from_db()
        body = {"merchant": merchant.external_id, "url": merchant.homepage_url}
        with self.settings(MEMBERS_AUTO_ENROLL=True):
            self.delete()
            answer = self.client.post(
                f"/api/v1/{ALICE}links/", body, content_type="application/json"
            )
        self.assert_problem(answer, 404)
        self.assertFalse(Click.objects.filter(customer_id="alice").exists())

    def test_enrolled_again_it_is_a_new_member(self):
        self.delete()
        answer = self.put(ALICE, {})
        self.assertEqual(answer.status_code, 201)
        for held in answer.json()["balances"]:
            self.assertEqual((held["pending"], held["available"]), (0, 0))
        self.assertEqual(self.get(f"{ALICE}activity/").json()["results"], [])
        self.assertEqual(self.delete().status_code, 204)

    def test_a_frozen_member_waits_for_staff(self):
        Freeze.objects.create(
            member=Member.objects.get(), check_name="sums", frozen_at=NOW
        )
        problem = self.assert_problem(self.delete(), 409, "frozen")
        self.assertEqual(problem["code"], "frozen")
        self.assertEqual(self.get(ALICE).status_code, 200)

    def test_nobody_without_a_key(self):
        self.client.defaults.pop("HTTP_AUTHORIZATION")
        self.assert_problem(self.delete(), 401)
        self.assert_problem(self.get(f"{ALICE}export/"), 401)
        self.assertFalse(Tombstone.objects.exists())


class ExportTests(ApiTestCase):
    def test_it_holds_everything_that_is_known(self):
        publish_program(rule())
        member = make_member(email="alice@mail.example", segments=["gold"])
        click = make_click(own_reference="cart-7")
        settle_reports(report(status="validated", click_reference=click.reference))
        told = self.get(f"{ALICE}export/").json()
        self.assertEqual(told["member"]["email"], "alice@mail.example")
        self.assertEqual(told["member"]["segments"], ["gold"])
        [held] = told["balances"]
        self.assertEqual((held["unit"], held["available"]), ("points", 91))
        [order] = told["purchases"]
        self.assertEqual(
            (order["order_key"], order["order_total"]), ("btnorder-1", 9100)
        )
        self.assertEqual(order["awards"][0]["granted"], 91)
        self.assertEqual(order["reports"][0]["customer_id"], "alice")
        self.assertEqual(told["lots"][0]["remaining"], 91)
        self.assertEqual(told["transfers"][0]["order"], "btnorder-1")
        self.assertEqual(told["visits"][0]["own_reference"], "cart-7")
        self.assertEqual(
            told["member"]["joined_at"][:10], f"{member.joined_at:%Y-%m-%d}"
        )

    def test_another_member_is_not_in_it(self):
        publish_program(rule())
        make_member("alice")
        settle_reports(report(customer_id="bob"))
        told = self.get(f"{ALICE}export/").content.decode()
        self.assertNotIn("bob", told)
        self.assertNotIn("btnorder-1", told)
