"""Tests of a member's activity and transfers, and of paging through them."""

from datetime import timedelta

from rewards.models import Transfer
from tests.builders import (
    MERCHANT,
    NOW,
    ORDERED,
    make_member,
    publish_program,
    report,
    settle_reports,
)
from tests.rewards.callers import ApiTestCase

ACTIVITY = "members/alice/activity/"
TRANSFERS = "members/alice/transfers/"


def settle_orders(number: int, **changes) -> None:
    settle_reports(
        *(
            report(
                transaction_id=f"tx-{n}",
                order_id=f"order-{n}",
                attributed_at=ORDERED + timedelta(seconds=n // 3),
                **changes,
            )
            for n in range(number)
        )
    )


class ActivityTests(ApiTestCase):
    def test_an_entry_says_what_was_bought_and_earned(self):
        publish_program()
        settle_reports(report())
        (entry,) = self.get(ACTIVITY).json()["results"]
        self.assertEqual(
            entry,
            {
                "reference": "btnorder-1",
                "status": "pending",
                "merchant": MERCHANT,
                "merchant_name": "Lumen & Oak",
                "order_total": 9100,
                "order_currency": "USD",
                "attributed_at": "2026-11-10T12:00:00Z",
                "expected_at": None,
                "awards": [
                    {"rule": "base", "unit": "points", "wanted": 91, "granted": 91}
                ],
            },
        )

    def test_the_newest_order_comes_first_however_late_it_was_told(self):
        early = ORDERED - timedelta(days=1)
        settle_reports(report(order_id="new"))
        settle_reports(report(order_id="old", attributed_at=early))
        entries = self.get(ACTIVITY).json()["results"]
        self.assertEqual([e["reference"] for e in entries], ["new", "old"])

    def test_others_orders_are_not_shown(self):
        make_member()
        settle_reports(report(customer_id="bob"), report(order_id="x", customer_id=""))
        self.assertEqual(self.get(ACTIVITY).json()["results"], [])

    def test_the_number_of_queries_does_not_grow(self):
        publish_program()
        for number in (2, 50):
            settle_orders(number)
            self.get(ACTIVITY)
            with self.assertNumQueries(4):
                entries = self.get(ACTIVITY).json()["results"]
            self.assertEqual(len(entries), number)
            self.assertTrue(all(entry["awards"] for entry in entries))


class TransfersTests(ApiTestCase):
    def test_an_entry_says_what_moved_and_why(self):
        publish_program()
        settle_reports(report())
        (entry,) = self.get(TRANSFERS).json()["results"]
        stored = Transfer.objects.get()
        self.assertEqual(
            entry,
            {
                "id": stored.pk,
                "unit": "points",
                "from": "issued",
                "to": "pending",
                "amount": 91,
                "source": "purchase",
                "reference": stored.reference,
                "purchase": "btnorder-1",
                "recorded_at": f"{NOW:%Y-%m-%dT%XZ}",
            },
        )

    def test_validation_moves_pending_to_available(self):
        publish_program()
        settle_reports(report())
        later = ORDERED + timedelta(days=1)
        settle_reports(report(status="validated", modified_at=later))
        newest = self.get(TRANSFERS).json()["results"][0]
        self.assertEqual((newest["from"], newest["to"]), ("pending", "available"))

    def test_others_transfers_are_not_shown(self):
        publish_program()
        make_member()
        settle_reports(report(customer_id="bob"))
        self.assertEqual(self.get(TRANSFERS).json()["results"], [])

    def test_the_number_of_queries_does_not_grow(self):
        publish_program()
        for number in (2, 50):
            settle_orders(number)
            self.get(TRANSFERS)
            with self.assertNumQueries(4):
                self.assertEqual(len(self.get(TRANSFERS).json()["results"]), number)


class PagingTests(ApiTestCase):
    def setUp(self):
        super().setUp()
        publish_program()
        settle_orders(7)

    def walk(self, path, link="next", **query):
        """Every page from here on, by following the links."""
        page = self.get(path, **query).json()
        pages = [page]
        while page[link]:
            page = self.client.get(page[link]).json()
            pages.append(page)
        return pages

    def test_following_next_shows_everything_once(self):
        for path, name in ((ACTIVITY, "reference"), (TRANSFERS, "id")):
            whole = [e[name] for e in self.get(path).json()["results"]]
            for size in (1, 2, 3, 7):
                pages = self.walk(path, page_size=size)
                seen = [entry[name] for page in pages for entry in page["results"]]
                self.assertEqual(seen, whole)
                self.assertEqual(len(pages), -(-7 // size))

    def test_following_previous_leads_back(self):
        pages = self.walk(ACTIVITY, page_size=3)
        back = self.client.get(pages[-1]["previous"]).json()
        self.assertEqual(back["results"], pages[-2]["results"])
        first = self.client.get(back["previous"]).json()
        self.assertEqual(first["results"], pages[0]["results"])
        self.assertIsNone(first["previous"])
        self.assertEqual(
            self.client.get(first["next"]).json()["results"], pages[1]["results"]
        )

    def test_a_row_that_comes_meanwhile_shifts_nothing(self):
        first = self.get(TRANSFERS, page_size=3).json()
        settle_reports(report(order_id="late"))
        second = self.client.get(first["next"]).json()
        ids = [entry["id"] for entry in first["results"] + second["results"]]
        self.assertEqual(ids, sorted(ids, reverse=True))
        self.assertEqual(len(set(ids)), 6)

    def test_a_short_list_has_no_other_pages(self):
        page = self.get(ACTIVITY).json()
        self.assertEqual((page["next"], page["previous"]), (None, None))

    def test_a_wrong_cursor_is_refused(self):
        other = self.get(TRANSFERS, page_size=1).json()["next"].split("cursor=")[1]
        for cursor in ("x", "W10", "\0", other.replace("%3A", ":")):
            response = self.get(ACTIVITY, cursor=cursor)
            self.assert_problem(response, 422, "cursor")

    def test_a_wrong_size_is_refused(self):
        for size in ("0", "201", "-1", "ten", "1e2", "٣", ""):
            self.assert_problem(self.get(ACTIVITY, page_size=size), 422, "page_size")
