"""Tests of the calls about what a member held, its statement, expiry and debts."""

from tests.builders import NOW, make_member, publish_program, rule
from tests.rewards.callers import ApiTestCase
from tests.rewards.spending import DAYS, LATER, earn, make_transfers, spend, take_back

BALANCES = "members/alice/balances/"
STATEMENT = "members/alice/statement/"
EXPIRING = "members/alice/expiring/"
DEBTS = "members/alice/debts/"
YEAR = {"unit": "points", "start": "2026-01-01", "end": "2027-01-01"}


def points(**held):
    empty = {"pending": 0, "available": 0, "reserved": 0, "debt": 0}
    return {"unit": "points", **empty, **held}


class BalancesTests(ApiTestCase):
    def held(self, **query):
        return self.get(BALANCES, **query).json()["balances"]

    def test_what_is_told_late_was_not_known_before(self):
        publish_program(rule())
        earn(modified_at=DAYS[3], at=DAYS[8])
        day = DAYS[5].date().isoformat()
        known = [points(available=91)]
        self.assertEqual(self.held()[:1], known)
        self.assertEqual(self.held(as_of=day)[:1], known)
        self.assertEqual(self.held(as_of=day, known_on=day)[:1], [points()])
        self.assertEqual(self.held(as_of="2026-11-13T14:00:00+02:00")[:1], [points()])

    def test_the_times_asked_for_come_back_in_utc(self):
        make_member()
        answer = self.get(BALANCES, as_of="2026-11-13T14:00:00+02:00").json()
        self.assertEqual(answer["as_of"], "2026-11-13T12:00:00Z")
        self.assertIsNone(answer["known_on"])

    def test_what_is_no_time_is_refused(self):
        make_member()
        for name in ("as_of", "known_on"):
            for text in ("yesterday", "2026-13-01", "0001-01-01", "2026-01-01T00:00"):
                problem = self.assert_problem(self.get(BALANCES, **{name: text}), 422)
                self.assertEqual(problem["errors"][0]["field"], name)

    def test_nobody_has_no_balances(self):
        for path in (BALANCES, STATEMENT, EXPIRING, DEBTS):
            self.assert_problem(self.get(path, **YEAR), 404)


class StatementTests(ApiTestCase):
    def setUp(self):
        super().setUp()
        publish_program(rule(expires_after_days=30))
        earn(modified_at=DAYS[3], at=DAYS[8])

    def test_a_line_says_what_moved_and_what_was_then_available(self):
        answer = self.get(STATEMENT, **YEAR).json()
        self.assertEqual(answer["opening"], points())
        self.assertEqual(answer["closing"], points(available=91))
        (line,) = answer["results"]
        expected = {
            "from": "issued",
            "to": "available",
            "amount": 91,
            "available": 91,
            "title": "Available",
            "about": "Order of Nov. 10, 2026 at Lumen & Oak",
            "purchase": "btnorder-1",
            "effective_at": "2026-11-13T12:00:00Z",
            "recorded_at": "2026-11-18T12:00:00Z",
        }
        self.assertEqual(line, line | expected)

    def test_one_period_closes_as_the_next_opens(self):
        spend(60, at=NOW)
        until = {"unit": "points", "start": "2026-01-01", "end": "2026-11-20"}
        first = self.get(STATEMENT, **until).json()
        second = self.get(STATEMENT, **YEAR | {"start": "2026-11-20"}).json()
        self.assertEqual(first["closing"], second["opening"])
        self.assertEqual(second["closing"], points(available=31))

    def test_what_was_not_known_is_left_out(self):
        answer = self.get(STATEMENT, **YEAR, known_on="2026-11-15").json()
        self.assertEqual((answer["results"], answer["closing"]), ([], points()))

    def test_pages_join_up_both_ways(self):
        make_transfers(6)
        whole = self.get(STATEMENT, **YEAR).json()["results"]
        self.assertEqual(
            [line["available"] for line in whole], [97, *range(96, 90, -1)]
        )
        page, joined = self.get(STATEMENT, **YEAR, page_size=3).json(), []
        while page["next"]:
            joined += page["results"]
            page = self.client.get(page["next"]).json()
        self.assertEqual(joined + page["results"], whole)
        back = self.client.get(page["previous"]).json()
        self.assertEqual(back["results"], whole[3:6])

    def test_what_is_asked_wrongly_is_refused(self):
        for wrong in (
            {"unit": "stars"},
            {"unit": ""},
            {"unit": "\0"},
            {"start": ""},
            {"end": "soon"},
            {"end": "2025-01-01"},
        ):
            problem = self.assert_problem(self.get(STATEMENT, **YEAR | wrong), 422)
            self.assertIn(problem["errors"][0]["field"], wrong)

    def test_what_expires_is_told(self):
        (entry,) = self.get(EXPIRING).json()["expiring"]
        at = "2026-12-19T00:00:00Z"  # usable through the 30th day
        self.assertEqual(entry, {"unit": "points", "amount": 91, "expires_at": at})

    def test_a_debt_names_its_purchase(self):
        self.assertEqual(self.get(DEBTS).json(), {"debts": []})
        spend(60)
        take_back(at=LATER)
        (debt,) = self.get(DEBTS).json()["debts"]
        expected = {"unit": "points", "purchase": "btnorder-1", "taken": 91, "open": 60}
        self.assertEqual(debt, expected | {"since": "2026-11-21T12:00:00Z"})
