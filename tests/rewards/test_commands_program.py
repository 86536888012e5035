"""Tests of `manage.py program` and `create_api_key`."""

import io
import json
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import time_machine
from django.core.management import CommandError, call_command
from django.test import TestCase, override_settings

from rewards.models import ApiKey, Edition, Program, Rule, Transfer, Unit
from tests.builders import (
    NOW,
    POINTS,
    balances,
    fixed,
    make_api_key,
    program,
    publish_program,
    report,
    rule,
    settle_reports,
)
from tests.rewards.test_program_file import COMPLETE


class ProgramCommandTests(TestCase):
    def setUp(self):
        self.enterContext(time_machine.travel(NOW, tick=False))
        directory = self.enterContext(TemporaryDirectory())
        self.file = Path(directory) / "program.json"

    def run_command(self, *arguments: str) -> tuple[int, str, str]:
        """Run it; its exit code, and what it wrote to either side."""
        out, err = io.StringIO(), io.StringIO()
        try:
            call_command("program", *arguments, stdout=out, stderr=err)
        except SystemExit as exit:
            return int(exit.code or 0), out.getvalue(), err.getvalue()
        except CommandError as error:
            return error.returncode, out.getvalue(), str(error)
        return 0, out.getvalue(), err.getvalue()

    def import_data(self, data: object) -> tuple[int, str, str]:
        self.file.write_text(json.dumps(data), encoding="utf-8")
        return self.run_command("import", str(self.file))

    def draft(self) -> list:
        return [
            list(model.objects.order_by("pk").values())
            for model in (Program, Unit, Rule, Edition)
        ]


class ExportTests(ProgramCommandTests):
    def test_what_is_exported_again_after_import_is_the_same_to_the_byte(self):
        self.assertEqual(self.import_data(COMPLETE)[0], 0)
        self.assertEqual(self.run_command("export", str(self.file))[0], 0)
        first = self.file.read_bytes()
        self.assertEqual(self.run_command("import", str(self.file))[0], 0)
        self.run_command("export", str(self.file))
        self.assertEqual(self.file.read_bytes(), first)
        self.assertEqual(json.loads(first), COMPLETE)

    def test_without_a_file_it_is_printed(self):
        self.import_data(COMPLETE)
        code, out, err = self.run_command("export")
        self.assertEqual((code, json.loads(out), err), (0, COMPLETE, ""))
        self.assertTrue(out.endswith("}\n"))

    def test_letters_are_written_as_they_are(self):
        self.import_data(program(rule(label="Un año más")))
        self.assertIn("Un año más", self.run_command("export")[1])

    def test_an_empty_draft_is_a_file_too(self):
        code, out, _ = self.run_command("export")
        self.assertEqual((code, json.loads(out)["rules"]), (0, []))

    def test_a_place_that_cannot_be_written_is_wrong_use(self):
        code, _, err = self.run_command("export", str(self.file / "below"))
        self.assertEqual(code, 2)
        self.assertIn("below", err)


class ImportTests(ProgramCommandTests):
    def test_the_whole_draft_is_replaced(self):
        self.import_data(program(rule("old"), rule("older")))
        code, out, _ = self.import_data(program(rule("new")))
        self.assertEqual(code, 0)
        self.assertIn("1 rule and 2 units", out)
        self.assertEqual(list(Rule.objects.values_list("key", flat=True)), ["new"])

    def test_import_publishes_nothing(self):
        self.import_data(COMPLETE)
        self.assertFalse(Edition.objects.exists())

    def test_a_wrong_file_changes_nothing_and_names_each_fault(self):
        self.import_data(COMPLETE)
        before = self.draft()
        code, out, err = self.import_data(
            program(rule("a"), rule("b", group="x"), rule("c", limit={}))
        )
        self.assertEqual((code, out), (1, ""))
        first, second = err.splitlines()
        self.assertTrue(first.startswith('rule "b": group: '), first)
        self.assertTrue(second.startswith('rule "c": limit: '), second)
        self.assertEqual(self.draft(), before)

    def test_what_is_no_json_changes_nothing(self):
        before = self.draft()
        for content in (b"", b"{", b"\xff\xfe", b"[1"):
            self.file.write_bytes(content)
            code, _, err = self.run_command("import", str(self.file))
            self.assertEqual(code, 1)
            self.assertIn("not a JSON file", err)
        self.assertEqual(self.draft(), before)

    def test_a_byte_order_mark_does_no_harm(self):
        self.file.write_text(json.dumps(COMPLETE), encoding="utf-8-sig")
        self.assertEqual(self.run_command("import", str(self.file))[0], 0)

    def test_decimals_of_a_held_unit_stay(self):
        publish_program()
        settle_reports(report())
        before = self.draft()
        units = [{**POINTS, "decimals": 2}]
        code, _, err = self.import_data(program(units=units))
        self.assertEqual(code, 1)
        self.assertIn('unit "points": decimals', err)
        self.assertEqual(self.draft(), before)

    def test_a_missing_file_is_wrong_use(self):
        for path in (self.file, self.file.parent):
            code, _, err = self.run_command("import", str(path))
            self.assertEqual(code, 2)
            self.assertIn(str(path), err)


class PublishTests(ProgramCommandTests):
    def test_the_first_edition_holds_from_the_beginning(self):
        self.import_data(COMPLETE)
        code, out, _ = self.run_command("publish", "--note", "Opening")
        self.assertEqual(code, 0)
        self.assertIn("Edition 1", out)
        edition = Edition.objects.get()
        self.assertEqual((edition.effective_from, edition.note), (None, "Opening"))

    def test_the_first_may_begin_in_the_past_at_midnight_utc(self):
        self.import_data(COMPLETE)
        code, out, _ = self.run_command("publish", "--at", "2026-11-01")
        self.assertEqual(code, 0)
        self.assertIn("2026-11-01T00:00:00Z", out)
        start = Edition.objects.get().effective_from
        self.assertEqual(start, datetime(2026, 11, 1, tzinfo=UTC))

    def test_a_time_has_its_offset(self):
        self.import_data(COMPLETE)
        self.run_command("publish", "--at", "2026-11-01T00:00:00-05:00")
        start = Edition.objects.get().effective_from
        self.assertEqual(start, datetime(2026, 11, 1, 5, tzinfo=UTC))

    def test_the_first_settles_what_waited_before_it_returns(self):
        settle_reports(report(), report(order_id="btnorder-2"))
        self.assertEqual(balances(), {})
        self.import_data(program(rule()))
        _, out, _ = self.run_command("publish")
        self.assertIn("2 waiting orders", out)
        self.assertEqual(balances(), {("points", "pending"): 182})

    def test_a_later_one_waits_for_its_margin_and_settles_nothing(self):
        publish_program()
        settle_reports(report())
        moved = Transfer.objects.count()
        code, out, _ = self.run_command("publish")
        self.assertEqual(code, 0)
        self.assertIn("2026-11-20T12:05:00Z", out)
        self.assertEqual(Transfer.objects.count(), moved)

    def test_a_later_one_never_begins_in_the_past(self):
        publish_program()
        before = self.draft()
        code, _, err = self.run_command("publish", "--at", "2026-11-01")
        self.assertEqual(code, 1)
        self.assertIn("too early", err)
        self.assertEqual(self.draft(), before)

    @override_settings(PUBLISH_MARGIN=0)
    def test_without_a_margin_it_holds_at_once(self):
        publish_program()
        self.assertIn("12:00:00Z", self.run_command("publish")[1])

    def test_an_empty_draft_is_not_published(self):
        code, _, err = self.run_command("publish")
        self.assertEqual(code, 1)
        self.assertIn("no rules", err)
        self.assertFalse(Edition.objects.exists())

    def test_what_is_no_time_is_wrong_use(self):
        self.import_data(COMPLETE)
        for text in ("soon", "2026-11-01T00:00:00", "2026-13-01", "20261101", ""):
            with self.assertRaises(CommandError):
                call_command("program", "publish", "--at", text)
        self.assertFalse(Edition.objects.exists())

    def test_what_changes_is_said(self):
        publish_program(rule(reward=fixed("5")))
        self.import_data(program(rule(reward=fixed("7"))))
        self.assertIn("7 points an order instead of 5", self.run_command("publish")[1])

    def test_without_a_backtest_it_is_published_with_a_warning(self):
        self.import_data(COMPLETE)
        code, _, err = self.run_command("publish")
        self.assertEqual(code, 0)
        self.assertIn("without a backtest", err)

    def test_a_backtest_of_what_it_says_ends_the_warning(self):
        self.import_data(program(rule()))
        self.assertEqual(self.run_command("backtest")[0], 0)
        code, _, err = self.run_command("publish")
        self.assertEqual((code, err), (0, ""))

    @override_settings(REQUIRE_BACKTEST=True)
    def test_the_gate_is_met_here_too(self):
        self.import_data(program(rule()))
        code, _, err = self.run_command("publish")
        self.assertEqual((code, Edition.objects.count()), (1, 0))
        self.assertIn("REQUIRE_BACKTEST is on", err)
        self.run_command("backtest")
        self.assertEqual(self.run_command("publish")[0], 0)

    @override_settings(REQUIRE_APPROVAL=True)
    def test_nor_is_there_a_way_around_an_approval(self):
        self.import_data(program(rule()))
        code, _, err = self.run_command("publish")
        self.assertEqual((code, Edition.objects.count()), (1, 0))
        self.assertIn("nobody has approved", err)


class LintTests(ProgramCommandTests):
    def test_nothing_found_is_good(self):
        units = [{**POINTS, "value": {"amount": "0.01", "currency": "USD"}}]
        self.import_data(program(rule(), units=units))
        self.assertEqual(self.run_command("lint"), (0, "0 warnings, 0 notices\n", ""))

    def test_notices_are_told_and_fail_nothing(self):
        self.import_data(program(rule(), units=[POINTS]))
        code, out, _ = self.run_command("lint")
        self.assertEqual(code, 0)
        self.assertTrue(out.startswith("Notices\n"), out)
        self.assertIn("0 warnings, 1 notice\n", out)

    def test_a_warning_says_what_to_do_and_fails(self):
        self.import_data(program(rule("a"), rule("b"), units=[POINTS]))
        code, out, _ = self.run_command("lint")
        self.assertEqual(code, 1)
        self.assertIn('rule "b": It never pays: wherever it holds, “a” wins.', out)
        self.assertIn("Move it above", out)
        self.assertLess(out.index("Warnings"), out.index("Notices"))

    def test_it_stops_no_publishing(self):
        self.import_data(program(rule("a"), rule("b"), units=[POINTS]))
        self.assertEqual(self.run_command("publish")[0], 0)

    def test_a_draft_that_is_wrong_is_told_line_by_line(self):
        self.import_data(program(rule()))
        Rule.objects.update(reward={"kind": "fixed", "points": "0"})
        code, out, err = self.run_command("lint")
        self.assertEqual((code, out), (1, ""))
        self.assertIn("reward.points", err)


class CreateApiKeyTests(TestCase):
    def create(self, name: str) -> str:
        out = io.StringIO()
        call_command("create_api_key", name, stdout=out)
        return out.getvalue()

    def test_the_key_and_only_the_key_is_printed(self):
        self.assertRegex(self.create("Shop"), r"\Als_[\w-]{43}\n\Z")
        self.assertEqual(ApiKey.objects.get().name, "Shop")

    def test_the_key_works(self):
        key = self.create("Shop").strip()
        headers = {"Authorization": f"Bearer {key}"}
        response = self.client.put("/api/v1/members/alice/", headers=headers)
        self.assertEqual(response.status_code, 201)

    def test_the_same_name_twice_makes_two_keys(self):
        self.assertNotEqual(self.create("Shop"), self.create("Shop"))
        self.assertNotEqual(make_api_key(), make_api_key())

    def test_a_name_that_says_nothing_is_wrong_use(self):
        for name in ("", "  ", "x" * 101, "a\nb"):
            with self.assertRaises(CommandError):
                self.create(name)
        self.assertFalse(ApiKey.objects.exists())
