"""Compare what we have with the network: per order, and to the cent per account."""

from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console

from ingestion.accounts import discover
from ingestion.button.client import ButtonClient
from ingestion.button.errors import ButtonError
from ingestion.management.asking import client_or_refuse, listed
from ingestion.models import Difference, Reconciliation
from ingestion.polling import read_asked
from ingestion.reconciliation import LOOK_BACK, begin, compare, take_in
from ingestion.sweeps import LONGEST
from rewards.leases import LeaseLost, hold
from rewards.management.arguments import instant

MOST_LISTED = 1_000


class Command(BaseCommand):
    help = (
        "Compare every order created in a stretch with the Transactions API, and the"
        " commission of each account to the cent; list what differs. Exits 1 if"
        " anything does."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--start", type=instant, metavar="T", help="included; default 30 days ago"
        )
        parser.add_argument("--end", type=instant, metavar="T", help="excluded")
        parser.add_argument(
            "--take-in", action="store_true", help="read in what is missing here"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        now = datetime.now(UTC)
        end = options["end"] or now
        start = options["start"] or end - LOOK_BACK
        if start >= end:
            raise CommandError("--start must be before --end.", returncode=2)
        with client_or_refuse() as client:
            listed(lambda: discover(client, at=now))
            asked = begin(start=start, end=end, at=now)
            self.compare(asked, client, at=now)
            if options["take_in"]:
                self.take_in(asked, client, at=now)
        if asked.error:
            raise CommandError(f"Not every account could be compared. {asked.error}")
        if asked.differences.exists() or any(map(differs, asked.sums)):
            raise SystemExit(1)

    def compare(
        self, asked: Reconciliation, client: ButtonClient, *, at: datetime
    ) -> None:
        try:
            with (
                Console(stderr=True).status("Reading the network's orders"),
                hold(asked, length=LONGEST) as lease,
            ):
                compare(asked, client, at=at, progressed=lease.renew)
        except (ButtonError, LeaseLost) as error:
            given_up = {"error": str(error), "finished_at": at}
            Reconciliation.objects.filter(pk=asked.pk).update(**given_up)
            raise CommandError(f"Button could not be asked. {error}") from None
        for row in asked.sums:
            self.stdout.write(sum_line(row))
        for difference in asked.differences.select_related("account")[:MOST_LISTED]:
            self.stdout.write(difference_line(difference))
        count = asked.differences.count()
        plural = "" if asked.orders == 1 else "s"
        self.stdout.write(f"{asked.orders} order{plural} compared, {count} differ")

    def take_in(
        self, asked: Reconciliation, client: ButtonClient, *, at: datetime
    ) -> None:
        windows = take_in(asked, at=at)
        try:
            news = read_asked(windows, client)
        except (ButtonError, LeaseLost) as error:
            raise CommandError(f"Not all could be taken in. {error}") from None
        self.stdout.write(f"{news} report{'' if news == 1 else 's'} taken in")


def differs(row: dict[str, Any]) -> bool:
    """Whether one account's sums are not the same."""
    return (row["our_count"], row["ours"]) != (row["their_count"], row["theirs"])


def sum_line(row: dict[str, Any]) -> str:
    """One account's commission in one state, ours and theirs, in minor units."""
    same = "≠" if differs(row) else "="
    return (
        f"{row['account']} {row['currency']} {row['status']}:"
        f" {row['our_count']} orders {row['ours']} here"
        f" {same} {row['their_count']} orders {row['theirs']} there"
    )


def difference_line(difference: Difference) -> str:
    kinds = Difference.Kind
    where = f"{difference.account} {difference.order_key}"
    if difference.kind == kinds.NOT_SETTLED:
        return f"{where}: {difference.get_kind_display()}: {difference.ours['reason']}"
    if difference.kind != kinds.DIFFERENT:
        return f"{where}: {difference.get_kind_display()}"
    fields = ", ".join(
        f"{name} is {ours!r} here and {difference.theirs[name]!r} there"
        for name, ours in difference.ours.items()
    )
    return f"{where}: {fields}"
