"""Sync the catalogue now, and say what that changed."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from ingestion.button.client import ButtonClient
from ingestion.catalogue import Incomplete, sync_catalogue
from merchants.models import CatalogueSync
from merchants.wording import in_words


class Command(BaseCommand):
    help = (
        "Sync stores and rates with Button, and print what changed; exit 1 on failure."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--accept-shrunk",
            action="store_true",
            help="delist stores and end rates even where most are missing",
        )

    def handle(self, *args: Any, accept_shrunk: bool, **options: Any) -> None:
        if not settings.BUTTON_API_KEY:
            raise CommandError(
                "BUTTON_API_KEY is not set: there is nobody to ask.", returncode=2
            )
        at = datetime.now(UTC)
        try:
            with ButtonClient.from_settings() as client:
                sync_catalogue(client, at=at, accept_shrunk=accept_shrunk)
        except Incomplete as error:
            raise CommandError(str(error)) from None
        finally:
            for row in CatalogueSync.objects.filter(synced_at=at).order_by("pk"):
                self.stdout.write("\n".join(lines(row)))


def lines(row: CatalogueSync) -> Iterator[str]:
    """A sync in words: how much, what changed, what was odd."""
    stores, changes = counted(row.stores, "store"), counted(len(row.changes), "change")
    yield f"{row.source}: {stores}, {changes}"
    yield from (f"  {in_words(change)}" for change in row.changes)
    yield from (f"  odd: {remark}" for remark in row.remarks)
    if row.error:
        yield f"  {row.error}"


def counted(number: int, name: str) -> str:
    return f"{number} {name}{'' if number == 1 else 's'}"
