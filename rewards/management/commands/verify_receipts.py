"""Work current awards out again from what is stored, and compare to the last bit."""

from argparse import ArgumentTypeError
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from rich.console import Console
from rich.progress import track

from rewards.program.reproduction import (
    SAMPLE,
    Difference,
    differences,
    settled_purchases,
    some,
)

CHUNK = 1_000


class Command(BaseCommand):
    help = (
        "Evaluate settled purchases again, from their stored report, facts and edition,"
        " and compare every award bit for bit. Exits 1 where any differs."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        which = parser.add_mutually_exclusive_group()
        which.add_argument(
            "--sample",
            type=_number,
            default=SAMPLE,
            metavar="N",
            help=f"so many purchases, picked at random; default {SAMPLE}",
        )
        which.add_argument("--all", action="store_true", help="every purchase")

    def handle(self, *args: Any, sample: int, **options: Any) -> None:
        chosen = settled_purchases() if options["all"] else some(sample)
        total, differing = chosen.count(), 0
        shown = track(
            chosen.iterator(chunk_size=CHUNK),
            "Working out again",
            total=total,
            console=(console := Console(stderr=True)),
            disable=not console.is_terminal,
        )
        for difference in differences(shown):
            differing += 1
            self.tell(difference)
        self.stdout.write(f"{total:>6}  receipts worked out again")
        self.stdout.write(f"{differing:>6}  differ from what is stored")
        if differing:
            raise SystemExit(1)

    def tell(self, difference: Difference) -> None:
        self.stderr.write(f"{difference.purchase.order_key}:")
        for word, lines, others in (
            ("stored", difference.stored, difference.again),
            ("again", difference.again, difference.stored),
        ):
            for line in lines:
                if line not in others:
                    self.stderr.write(f"  {word:<6}  {line.told()}")


def _number(text: str) -> int:
    if not (text.isdecimal() and int(text)):
        raise ArgumentTypeError("must be a number above zero")
    return int(text)
