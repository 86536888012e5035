"""Tests of /api/v1/purchases/{reference}/ and its receipt."""

from datetime import timedelta
from fractions import Fraction

from django.test import override_settings

from rewards.reports import LineItem
from tests.builders import (
    MERCHANT,
    NOW,
    ORDERED,
    fixed,
    make_click,
    make_member,
    publish_program,
    report,
    rule,
    settle_reports,
)
from tests.rewards.callers import ApiTestCase, count_rows

PURCHASE = "purchases/btnorder-1/"
RECEIPT = f"{PURCHASE}receipt/"
LATER = ORDERED + timedelta(days=1)


class PurchaseTests(ApiTestCase):
    def test_everything_is_told(self):
        publish_program()
        settle_reports(report())
        self.assertEqual(
            self.get(PURCHASE).json(),
            {
                "reference": "btnorder-1",
                "transactions": ["tx-1"],
                "status": "pending",
                "customer_id": "alice",
                "merchant": MERCHANT,
                "account": "acc-1",
                "currency": "USD",
                "order_currency": "USD",
                "order_total": 9100,
                "commission": 455,
                "attributed_at": "2026-11-10T12:00:00Z",
                "edition": 1,
                "review": None,
                "awards": [
                    {"rule": "base", "unit": "points", "wanted": 91, "granted": 91}
                ],
                "history": [
                    {
                        "status": "pending",
                        "order_total": 9100,
                        "commission": 455,
                        "modified_at": "2026-11-10T12:00:00Z",
                        "received_at": f"{NOW:%Y-%m-%dT%XZ}",
                        "source": "webhook",
                    }
                ],
            },
        )

    def test_any_transaction_id_ever_seen_finds_it(self):
        settle_reports(report())
        settle_reports(report(transaction_id="tx-2", modified_at=LATER))
        by_order = self.get(PURCHASE).json()
        self.assertEqual(by_order["transactions"], ["tx-1", "tx-2"])
        for reference in ("tx-1", "tx-2"):
            self.assertEqual(self.get(f"purchases/{reference}/").json(), by_order)

    def test_an_order_without_order_id_goes_by_its_transaction(self):
        settle_reports(report(order_id=""))
        answer = self.get("purchases/tx-1/").json()
        self.assertEqual(answer["reference"], "tx-1")

    def test_a_superseded_report_is_in_the_history_and_a_repeated_one_once(self):
        publish_program()
        settle_reports(report(order_total=5000, modified_at=LATER))
        settle_reports(report(), source="poll", at=NOW + timedelta(hours=1))
        settle_reports(report())
        answer = self.get(PURCHASE).json()
        self.assertEqual(answer["order_total"], 5000)
        history = [(h["order_total"], h["source"]) for h in answer["history"]]
        self.assertEqual(history, [(5000, "webhook"), (9100, "poll")])

    def test_only_current_awards_are_told(self):
        publish_program()
        settle_reports(report())
        settle_reports(report(order_total=5000, modified_at=LATER))
        awards = self.get(PURCHASE).json()["awards"]
        self.assertEqual([award["granted"] for award in awards], [50])
        settle_reports(report(status="declined", modified_at=LATER))
        self.assertEqual(self.get(PURCHASE).json()["awards"], [])

    def test_a_purchase_in_review_says_why(self):
        publish_program()
        settle_reports(report(status="validated"))
        settle_reports(report(status="declined", modified_at=LATER))
        answer = self.get(PURCHASE).json()
        self.assertIn("validated", answer["review"])
        self.assertEqual((answer["status"], len(answer["awards"])), ("validated", 1))

    def test_without_an_edition_the_number_is_null(self):
        settle_reports(report())
        answer = self.get(PURCHASE).json()
        self.assertEqual((answer["edition"], answer["awards"]), (None, []))

    def test_nobodys_purchase_has_no_customer(self):
        settle_reports(report(customer_id="", merchant=""))
        answer = self.get(PURCHASE).json()
        self.assertEqual((answer["customer_id"], answer["merchant"]), (None, None))

    @override_settings(MEMBERS_AUTO_ENROLL=False)
    def test_a_customer_that_is_no_member_yet_is_told(self):
        settle_reports(report())
        self.assertEqual(self.get(PURCHASE).json()["customer_id"], "alice")

    def test_an_unknown_reference_is_not_found(self):
        before = count_rows()
        for reference in ("btnorder-2", "tx-", "%00", "a%2Fb", "%C3%A9", "%FF", ""):
            for tail in ("", "receipt/"):
                self.assert_problem(self.get(f"purchases/{reference}/{tail}"), 404)
        self.assertEqual(count_rows(), before)

    def test_the_number_of_queries_does_not_grow(self):
        publish_program(rule(), *(rule(f"b{n}", group="bonus") for n in range(49)))
        for number in (2, 50):
            for n in range(number):
                settle_reports(report(order_total=100 * n))
            self.get(PURCHASE)
            with self.assertNumQueries(5):
                answer = self.get(PURCHASE).json()
            self.assertEqual(len(answer["history"]), number)


class TwoAccountsTests(ApiTestCase):
    def setUp(self):
        super().setUp()
        settle_reports(report())
        settle_reports(report(account="acc-2"))

    def test_both_accounts_are_named(self):
        for path in (PURCHASE, "purchases/tx-1/", RECEIPT):
            problem = self.assert_problem(self.get(path), 409, "acc-1", "acc-2")
            self.assertEqual(problem["accounts"], ["acc-1", "acc-2"])

    def test_one_of_them_can_be_asked_for(self):
        for account in ("acc-1", "acc-2"):
            answer = self.get(PURCHASE, account=account).json()
            self.assertEqual(answer["account"], account)
        self.assert_problem(self.get(PURCHASE, account="acc-3"), 404)
        self.assertEqual(self.get(RECEIPT, account="acc-1").status_code, 200)


class ReceiptTests(ApiTestCase):
    def test_each_rule_says_what_became_of_it(self):
        publish_program(
            rule(when={"currencies": ["USD"]}),
            rule("second", label={"en": "Second", "es": "Segunda"}),
            rule("euro", group="bonus", when={"currencies": ["EUR"]}),
            rule("cash", unit="USD", reward=fixed("0.5")),
        )
        settle_reports(report())
        receipt = self.get(RECEIPT).json()
        self.assertEqual((receipt["reference"], receipt["edition"]), ("btnorder-1", 1))
        self.assertEqual((receipt["note"], receipt["reproduced"]), (None, True))
        outcomes = {tried["rule"]: tried["outcome"] for tried in receipt["rules"]}
        self.assertEqual(
            outcomes,
            {
                "base": "applied",
                "second": "stood_back",
                "euro": "not_matched",
                "cash": "applied",
            },
        )

    def test_the_arithmetic_is_shown(self):
        publish_program(rule())
        settle_reports(report(order_total=9150))
        (tried,) = self.get(RECEIPT).json()["rules"]
        self.assertEqual(Fraction(tried["exact"]), Fraction(183, 2))
        self.assertEqual((tried["wanted"], tried["granted"]), (91, 91))
        self.assertIn("91.50 USD", tried["why"])

    def test_a_failed_condition_has_both_values(self):
        publish_program(rule(when={"currencies": ["EUR"]}))
        settle_reports(report())
        (tried,) = self.get(RECEIPT).json()["rules"]
        self.assertEqual(
            tried["failed"],
            {"condition": "currencies", "wanted": "EUR", "found": "USD"},
        )

    def test_the_facts_are_those_that_were_used(self):
        publish_program()
        settle_reports(report())
        facts = self.get(RECEIPT).json()["facts"]
        self.assertEqual((facts["order_total"], facts["merchant"]), (9100, MERCHANT))
        self.assertEqual(facts["attributed_at"], "2026-11-10T12:00:00Z")

    def test_facts_are_told_that_no_report_says(self):
        make_member("alice", segments=["vip"])
        publish_program()
        settle_reports(report(country="", channel="app"))
        facts = self.get(RECEIPT).json()["facts"]
        self.assertEqual(
            facts["member"],
            {
                "customer_id": "alice",
                "segments": ["vip"],
                "joined_at": f"{NOW:%Y-%m-%dT%XZ}",
                "first": ["ever", "merchant"],
            },
        )
        self.assertEqual((facts["country"], facts["channel"]), ("", "app"))
        self.assertEqual((facts["click"], facts["merchant_categories"]), (None, []))

    def test_a_click_of_ours_is_a_fact(self):
        click = make_click()
        publish_program()
        settle_reports(report(click_reference=click.reference))
        self.assertEqual(
            self.get(RECEIPT).json()["facts"]["click"],
            {"at": "2026-11-10T12:00:00Z", "reference": click.reference},
        )

    def test_every_condition_says_whether_it_held(self):
        when = {"currencies": ["USD"], "segments": ["vip"], "countries": ["US"]}
        publish_program(rule(when=when))
        settle_reports(report(country="US"))
        (tried,) = self.get(RECEIPT).json()["rules"]
        self.assertEqual(
            tried["conditions"],
            [
                *(
                    {"condition": name, "wanted": told, "found": told, "held": True}
                    for name, told in (("currencies", "USD"), ("countries", "US"))
                ),
                {
                    "condition": "segments",
                    "wanted": "vip",
                    "found": "none",
                    "held": False,
                },
            ],
        )

    def test_limits_and_rounding_are_told(self):
        limits = {"per_member": {"amount": 100, "period": "month"}}
        publish_program(rule(limits=limits, hold_days=7, expires_after_days=365))
        settle_reports(report(order_id="first", transaction_id="tx-0"))
        settle_reports(
            report(order_total=9199, status="validated", validated_at=ORDERED)
        )
        receipt = self.get(RECEIPT).json()
        (tried,) = receipt["rules"]
        self.assertLessEqual(
            {
                "group": "base",
                "exact": "9199/100",
                "given": "9",
                "running": "9",
                "wanted": 91,
                "granted": 9,
                "limits": [
                    {
                        "limit": "per_member",
                        "cap": 100,
                        "used": 91,
                        "held": 0,
                        "room": 9,
                    }
                ],
                "hold_days": 7,
                "held_until": "2026-11-17T12:00:00Z",
                "expires_after_days": 365,
            }.items(),
            tried.items(),
        )
        self.assertEqual(
            receipt["rounding"],
            [
                {
                    "unit": "points",
                    "mode": "floor",
                    "exact": "9",
                    "rounded": 9,
                    "remainder": "0",
                }
            ],
        )
        self.assertFalse(receipt["pinned"])

    def test_items_and_what_stood_before_are_told(self):
        lamp = LineItem(categories=("LIGHTING",), quantity=1, total=5000)
        rest = LineItem(quantity=1, total=4100)
        publish_program(
            rule("lamps", items={"categories": ["lighting"]}),
            rule("books", items={"categories": ["books"]}, group="bonus"),
            rule(),
        )
        settle_reports(report(lines=(rest, lamp)))
        lamps, books, base = self.get(RECEIPT).json()["rules"]
        self.assertEqual((lamps["outcome"], lamps["lines"]), ("applied", [1]))
        self.assertEqual((books["outcome"], books["lines"]), ("no_items", []))
        self.assertEqual((base["stood_before"], base["lines"]), ("lamps", None))

    def test_a_declined_purchase_says_that_instead(self):
        publish_program()
        settle_reports(report(status="declined"))
        receipt = self.get("purchases/tx-1/receipt/").json()
        self.assertIn("declined", receipt["note"])
        self.assertEqual(receipt["rules"], [])

    def test_the_number_of_queries_does_not_grow(self):
        publish_program(*(rule(f"r{n}", group="bonus") for n in range(50)))
        settle_reports(report())
        self.get(RECEIPT)
        with self.assertNumQueries(6):
            self.assertEqual(len(self.get(RECEIPT).json()["rules"]), 50)
