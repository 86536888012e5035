"""Check every invariant."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from ingestion.verification import act_on, checks


class Command(BaseCommand):
    help = "Check every invariant, print how many rows break each; exit 1 if any do."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--freeze",
            action="store_true",
            help="freeze the members and purchases concerned, as every night",
        )

    def handle(self, *args: Any, freeze: bool, **options: Any) -> None:
        violated, now = 0, timezone.now()
        for check in checks(at=now):
            if freeze:
                act_on([check], at=now)
            line = f"{check.violations:>6}  {check.name}"
            if check.violations:
                violated += 1
                line = self.style.ERROR(f"{line}: {', '.join(check.examples)}")
            self.stdout.write(line)
            self.stdout.flush()
        if violated:
            self.stderr.write(f"{violated} of the invariants above do not hold")
            raise SystemExit(1)
