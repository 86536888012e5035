"""Drain the inbox once."""

from typing import Any

from django.core.management.base import BaseCommand

from ingestion.processing import drain


class Command(BaseCommand):
    help = "Handle every event that waits in the inbox, then exit."

    def handle(self, *args: Any, **options: Any) -> None:
        handled = drain()
        self.stdout.write(f"{handled} event{'' if handled == 1 else 's'} handled")
