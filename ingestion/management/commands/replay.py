"""Read and settle the whole history again on a database of its own, and compare."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.progress import Progress

from ingestion.replaying import Replay, replay
from merchants.models import Merchant
from rewards.management.arguments import instant

MOST = 100
FEW = 10


class Command(BaseCommand):
    help = (
        "Read every event again and settle everything in order on an empty database,"
        " and print where it comes out otherwise. Moves nothing. Exits 1 where anything"
        " differs. Of some purchases only what they are worth is compared, not members'"
        " balances."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--merchant", metavar="ID", help="the store's id at Button")
        parser.add_argument(
            "--start", type=instant, metavar="T", help="ordered from then on"
        )
        parser.add_argument("--end", type=instant, metavar="T", help="ordered before")

    def handle(
        self,
        *args: Any,
        merchant: str | None,
        start: datetime | None,
        end: datetime | None,
        **options: Any,
    ) -> None:
        console = Console(stderr=True)
        with Progress(console=console, disable=not console.is_terminal) as shown:
            task = shown.add_task("Reading and settling again", total=None)
            found = replay(
                merchant=_merchant(merchant),
                start=start,
                end=end,
                progress=lambda done, total: shown.update(
                    task, completed=done, total=total
                ),
            )
        for difference in found.differences[:MOST]:
            self.stderr.write(str(difference))
        if len(found.differences) > MOST:
            self.stderr.write(f"and {len(found.differences) - MOST} more")
        for line in _counts(found):
            self.stdout.write(line)
        if found.differences:
            raise SystemExit(1)


def _counts(found: Replay) -> Iterator[str]:
    yield f"{found.read:>8}  events read again"
    if found.otherwise:
        ids = ", ".join(map(str, found.otherwise[:FEW]))
        more = ", …" if len(found.otherwise) > FEW else ""
        count = len(found.otherwise)
        yield f"{count:>8}  of them read otherwise than then, unaltered: {ids}{more}"
    if found.erased:
        yield f"{found.erased:>8}  events of erased members, not read"
    yield f"{found.done:>8}  settled or moved again"
    yield f"{len(found.differences):>8}  differences"


def _merchant(external_id: str | None) -> Merchant | None:
    if external_id is None:
        return None
    merchant = Merchant.objects.filter(external_id=external_id).first()
    if merchant is None:
        raise CommandError(f"No merchant has the id {external_id}.")
    return merchant
