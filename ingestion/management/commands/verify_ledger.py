"""Check every invariant."""

from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from ingestion.verification import checks


class Command(BaseCommand):
    help = "Check every invariant, print how many rows break each; exit 1 if any do."

    def handle(self, *args: Any, **options: Any) -> None:
        violated = 0
        for check in checks(at=timezone.now()):
            line = f"{check.violations:>6}  {check.name}"
            if check.violations:
                violated += 1
                line = self.style.ERROR(f"{line}: {', '.join(check.examples)}")
            self.stdout.write(line)
            self.stdout.flush()
        if violated:
            self.stderr.write(f"{violated} of the invariants above do not hold")
            raise SystemExit(1)
