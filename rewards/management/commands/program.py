"""The program as a file: take it out, put it in, check it, publish it."""

import json
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from rich.console import Console

from rewards.linting import WARNING, findings
from rewards.management import backtesting, linting
from rewards.management.arguments import instant
from rewards.program import draft, vocabulary
from rewards.program.vocabulary import ProgramError
from rewards.publishing import changes, edition_before, publish_draft


class Command(BaseCommand):
    help = (
        "Export, import, check, try or publish the program. Exits 1 where it is wrong."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(
            dest="action",
            metavar="{export,import,lint,backtest,publish}",
            required=True,
        )
        action = actions.add_parser("export", help="write the draft as a program file")
        action.add_argument("file", nargs="?", type=Path, help="left out: to stdout")
        action = actions.add_parser("import", help="replace the whole draft by a file")
        action.add_argument("file", help="a program file; - reads stdin")
        actions.add_parser(
            "lint", help="say what is probably not meant; exits 1 on a warning"
        )
        action = actions.add_parser("publish", help="freeze the draft as an edition")
        action.add_argument(
            "--at",
            type=instant,
            help="when it takes effect (RFC 3339, or a date: its midnight in UTC);"
            " for the first edition this may be in the past",
        )
        action.add_argument(
            "--note", default="", help="why, for whoever reads it later"
        )

        action = actions.add_parser(
            "backtest", help="try the draft on the history, against what is live"
        )
        backtesting.add_arguments(action)

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        run: dict[str, Callable[..., None]] = {
            "export": self._export,
            "import": self._import,
            "lint": self._lint,
            "publish": self._publish,
            "backtest": self._backtest,
        }
        try:
            run[action](**options)
        except ProgramError as error:
            for line in error.lines:
                self.stderr.write(line)
            raise SystemExit(1) from None
        except OSError as error:
            raise CommandError(_said(error), returncode=2) from None

    def _export(self, *, file: Path | None = None, **_: Any) -> None:
        text = json.dumps(draft.export(), indent=2, ensure_ascii=False) + "\n"
        if file:
            file.write_text(text, encoding="utf-8")
        else:
            self.stdout.write(text, ending="")

    def _import(self, *, file: str, **_: Any) -> None:
        raw = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        program = vocabulary.parse_text(_decoded(raw))
        draft.replace(program)
        self.stdout.write(
            f"The draft now has {_count(len(program.rules), 'rule')}"
            f" and {_count(len(program.units), 'unit')}. Nothing is published yet."
        )

    def _lint(self, **_: Any) -> None:
        found = findings(draft.load(), at=timezone.now())
        for line in linting.lines(found):
            self.stdout.write(line)
        if any(one.severity == WARNING for one in found):
            raise SystemExit(1)

    def _publish(self, *, at: datetime | None = None, note: str = "", **_: Any) -> None:
        before = edition_before()
        with Console(stderr=True).status("Publishing, and settling what waited"):
            edition, settled = publish_draft(now=timezone.now(), at=at, note=note)
        start = edition.effective_from
        when = f"at {start:%Y-%m-%dT%H:%M:%SZ}" if start else "for orders of all times"
        self.stdout.write(f"Edition {edition.number} takes effect {when}.")
        for line in changes(vocabulary.parse(edition.content), since=before):
            self.stdout.write(f"  {line}")
        if edition.backtest is None:
            self.stderr.write("It was published without a backtest of what it says.")
        if settled:
            self.stdout.write(f"{_count(settled, 'waiting order')} settled by it.")

    def _backtest(
        self, *, start: datetime | None = None, end: datetime | None = None, **_: Any
    ) -> None:
        for line in backtesting.backtest_draft(start=start, end=end):
            self.stdout.write(line)


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ProgramError([f"not a JSON file: {error}"]) from None


def _said(error: OSError) -> str:
    return f"{error.filename}: {error.strerror}" if error.filename else str(error)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
