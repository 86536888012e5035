"""Read the Transactions API now: what is new, or a stretch of the past."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from ingestion import polling
from ingestion.accounts import discover
from ingestion.button.client import ButtonClient
from ingestion.button.errors import ButtonError
from ingestion.management.asking import client_or_refuse, listed
from ingestion.models import Poll, Window
from ingestion.processing import drain
from ingestion.windows import Reading
from rewards.leases import LeaseLost, wait_for
from rewards.management.arguments import instant

REACH = timedelta(days=400)  # of a backfill that is given no start
EARLIEST = 2010
Stretch = tuple[datetime, datetime | None]


class Command(BaseCommand):
    help = (
        "List the accounts, read what is new in each, and settle it. With --start or"
        " --end, read that stretch of modification times instead: a backfill, which"
        " goes on where an earlier one of the same stretch was interrupted."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--start", type=instant, metavar="T", help="included")
        parser.add_argument("--end", type=instant, metavar="T", help="excluded")
        parser.add_argument("--account", metavar="ID", help="this account alone")

    def handle(self, *args: Any, account: str | None, **options: Any) -> None:
        stretch = stretch_of(options["start"], options["end"])
        with client_or_refuse() as client:
            polls = listed(lambda: discover(client, at=datetime.now(UTC)))
            failed = [
                poll
                for poll in chosen(polls, account)
                if not self.read(poll, client, stretch)
            ]
        drain()
        if failed:
            raise CommandError(f"Not read to its end: {', '.join(map(str, failed))}.")

    def read(self, poll: Poll, client: ButtonClient, stretch: Stretch | None) -> bool:
        """Read one account, and say what came; whether it was read to its end."""
        now = datetime.now(UTC)
        with progress(str(poll)) as tally:
            try:
                with wait_for(poll) as lease:
                    poll.refresh_from_db()
                    reading = Reading(client, lease, progressed=tally.count)
                    read(poll, reading, stretch, tally, at=now)
            except (ButtonError, LeaseLost) as error:
                polling.note_trouble(poll, error, at=now)
                self.stderr.write(f"{poll}: {error}")
                return False
        self.stdout.write(f"{poll}: {tally}")
        return True


class Tally:
    """What one account's reading has brought, shown as a bar on a terminal."""

    def __init__(self, bar: Progress, title: str) -> None:
        self.bar = bar
        self.windows: dict[int, tuple[int, int]] = {}
        self.task = bar.add_task(title, total=None, said="")

    def __str__(self) -> str:
        rows = sum(rows for rows, _ in self.windows.values())
        news = sum(news for _, news in self.windows.values())
        plural = "" if rows == 1 else "s"
        return f"{rows} transaction{plural} read, {news} of them new"

    def expect(self, windows: int) -> None:
        self.bar.update(self.task, total=windows)

    def count(self, window: Window) -> None:
        self.windows[window.pk] = (window.rows, window.news)
        self.bar.update(self.task, said=str(self))

    def advance(self) -> None:
        self.bar.advance(self.task)


def read(
    poll: Poll,
    reading: Reading,
    stretch: Stretch | None,
    tally: Tally,
    *,
    at: datetime,
) -> None:
    """Follow the account, or read a stretch of it week by week."""
    if stretch is None:
        return polling.poll_now(poll, reading, at=at)
    start, end = stretch
    purpose = Window.Purpose.BACKFILL
    windows = polling.ask_for(
        poll.account, purpose=purpose, start=start, end=end, at=at
    )
    tally.expect(len(windows))
    for _ in polling.backfill(poll, windows, reading):
        tally.advance()
    return None


def stretch_of(start: datetime | None, end: datetime | None) -> Stretch | None:
    """The stretch that was asked for; None to follow. Raises CommandError."""
    if start and end and start >= end:
        raise CommandError("--start must be before --end.", returncode=2)
    if (start and start.year < EARLIEST) or (end and end.year < EARLIEST):
        raise CommandError(f"There is nothing before {EARLIEST}.", returncode=2)
    if end and end > datetime.now(UTC) + REACH:
        raise CommandError("--end is too far in the future.", returncode=2)
    if start is None and end is None:
        return None
    return start or _before(end), end


def _before(end: datetime | None) -> datetime:
    return (end or datetime.now(UTC)) - REACH


def chosen(polls: list[Poll], account: str | None) -> list[Poll]:
    """Every account, or the one of that id. Raises CommandError."""
    found = [p for p in polls if account in (None, p.account.external_id)]
    if account and not found:
        known = ", ".join(str(poll) for poll in polls) or "none"
        raise CommandError(
            f"Button lists no account {account}; it lists {known}.", returncode=2
        )
    return found


@contextmanager
def progress(title: str) -> Iterator[Tally]:
    """A bar on a terminal, of the weeks to read; nothing elsewhere."""
    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[said]}"),
        TimeElapsedColumn(),
        console=console,
        disable=not console.is_terminal,
    ) as bar:
        yield Tally(bar, title)
