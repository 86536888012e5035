"""Tests of `manage.py verify_ledger`, which break what it checks."""

import io
from datetime import UTC, datetime, timedelta

from django.core.management import call_command
from django.db import connection
from django.test import TestCase

from ingestion.models import InboundEvent
from ingestion.verification import checks
from rewards import appendonly
from rewards.models import Account, Member, Purchase, Report, Settlement, Unit
from tests.builders import publish_program, report, settle_reports

NOW = datetime.now(UTC)


def minutes_ago(count: int) -> datetime:
    return datetime.now(UTC) - timedelta(minutes=count)


def make_event(**changes) -> InboundEvent:
    values = {
        "network": "button",
        "source": "webhook",
        "digest": b"d",
        "body": b"{}",
        "received_at": datetime.now(UTC),  # the suite may have run for long
    }
    return InboundEvent.objects.create(**values | changes)


class VerifyLedgerTests(TestCase):
    @classmethod
    def setUpTestData(cls):
        publish_program()
        settle_reports(report(), report(order_id="2", status="validated"))

    def verify(self) -> tuple[int, str]:
        out = io.StringIO()
        try:
            call_command("verify_ledger", stdout=out, stderr=io.StringIO())
        except SystemExit as exit:
            return int(exit.code or 0), out.getvalue()
        return 0, out.getvalue()

    def break_by(self, statement: str) -> None:
        """Do what neither the code nor the database's triggers would let anybody do."""
        with appendonly.lifted(), connection.cursor() as cursor:
            if connection.vendor == "sqlite":
                cursor.execute("PRAGMA ignore_check_constraints = 1")
            cursor.execute(statement)
            if connection.vendor == "sqlite":
                cursor.execute("PRAGMA ignore_check_constraints = 0")

    def assert_broken(self, name: str) -> None:
        code, out = self.verify()
        self.assertEqual(code, 1, out)
        line = next(line for line in out.splitlines() if name in line)
        self.assertNotEqual(line.split()[0], "0", out)
        self.assertIn("#", line)

    def test_a_sound_ledger_exits_0_with_every_count_0(self):
        make_event()
        code, out = self.verify()
        self.assertEqual(code, 0, out)
        self.assertEqual({line.split()[0] for line in out.splitlines()}, {"0"})
        self.assertGreater(len(out.splitlines()), 10)

    def test_a_wrong_balance_is_found(self):
        self.break_by(
            "UPDATE rewards_account SET balance = balance + 1 WHERE balance > 0"
        )
        self.assert_broken("every balance is the sum of its transfers")

    def test_an_amount_that_no_award_says_is_found(self):
        self.break_by("UPDATE rewards_transfer SET amount = amount + 1")
        self.assert_broken("what is posted for a purchase")

    def test_an_award_that_was_never_posted_is_found(self):
        self.break_by("UPDATE rewards_award SET granted = granted - 1")
        self.assert_broken("what is posted for a purchase")

    def test_an_award_beyond_its_wish_is_found(self):
        self.break_by("UPDATE rewards_award SET wanted = granted - 1")
        self.assert_broken("no unit grants more than its rules wanted")

    def test_a_transfer_into_another_unit_is_found(self):
        member = Member.objects.get()
        dollars = Unit.objects.get(code="USD")
        account = Account.objects.create(
            member=member, unit=dollars, kind="pending", balance=0
        )
        self.break_by(f"UPDATE rewards_transfer SET to_account_id = {account.pk}")
        self.assert_broken("every transfer joins two accounts of one unit")

    def test_debt_beside_something_available_is_found(self):
        held = Account.objects.get(kind="available")
        Account.objects.create(
            member=held.member, unit=held.unit, kind="debt", balance=5
        )
        self.assert_broken("none is available and in debt")

    def test_a_final_purchase_that_changed_is_found(self):
        final = Purchase.objects.get(status="validated")
        other = Report.objects.get(status="pending")
        Settlement.objects.create(purchase=final, report=other, settled_at=NOW)
        self.assert_broken("a final purchase never changed state")

    def test_a_purchase_that_shows_another_state_is_found(self):
        self.break_by("UPDATE rewards_purchase SET status = 'declined'")
        self.assert_broken("every purchase shows its last report")

    def test_missing_triggers_are_found(self):
        with appendonly.lifted():
            code, out = self.verify()
        self.assertEqual(code, 1)
        self.assertIn("rewards_transfer", out)

    def test_an_event_that_waits_too_long_is_found(self):
        make_event(received_at=minutes_ago(9))
        self.assertEqual(self.verify()[0], 0)
        make_event(digest=b"e", received_at=minutes_ago(11))
        self.assert_broken("no event waits")

    def test_an_old_event_with_an_outcome_waits_no_more(self):
        make_event(
            received_at=NOW - timedelta(days=1), outcome="ignored", handled_at=NOW
        )
        self.assertEqual(self.verify()[0], 0)

    def test_a_settled_event_without_purchase_is_found(self):
        make_event(outcome="settled", handled_at=NOW)
        self.assert_broken("names its purchase")

    def test_a_settled_event_whose_report_says_otherwise_is_found(self):
        settle_reports(report(order_id="3"), at=NOW + timedelta(minutes=2))
        found = Report.objects.select_related("settlement").order_by("pk")[0]
        told = {
            "outcome": "settled",
            "purchase_id": found.purchase_id,
            "source": found.source,
            "received_at": found.received_at,
            "handled_at": found.settlement.settled_at,
        }
        make_event(**told)
        self.assertEqual(self.verify()[0], 0)
        for number, other in enumerate(
            (
                {"source": "poll"},
                {"received_at": found.received_at - timedelta(minutes=1)},
                {"handled_at": found.received_at + timedelta(minutes=1)},
                {"purchase_id": Purchase.objects.get(order_key="3").pk},
            )
        ):
            with self.subTest(**other):
                event = make_event(digest=bytes([number]), **told | other)
                self.assert_broken("left its report")
                event.delete()

    def test_a_quarantined_event_with_a_purchase_is_found(self):
        make_event(outcome="quarantined", handled_at=NOW)
        self.assertEqual(self.verify()[0], 0)
        purchase = Purchase.objects.first()
        make_event(
            digest=b"e", outcome="quarantined", handled_at=NOW, purchase=purchase
        )
        self.assert_broken("names no purchase")

    def test_at_most_five_examples_are_named(self):
        for number in range(7):
            make_event(digest=bytes([number]), received_at=NOW - timedelta(days=1))
        (late,) = [check for check in checks(at=NOW) if check.violations]
        self.assertEqual((late.violations, len(late.examples)), (7, 5))
