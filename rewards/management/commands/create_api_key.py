"""Make a key for a host application."""

from argparse import ArgumentTypeError
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from rewards import apikeys

MOST = 100  # characters of a name, as many as its column has


class Command(BaseCommand):
    help = "Make an API key and print it, this once: only its digest is stored."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", type=_name, help="what will use the key")

    def handle(self, *args: Any, name: str, **options: Any) -> None:
        self.stdout.write(apikeys.create(name))


def _name(text: str) -> str:
    name = text.strip()
    if not name or len(name) > MOST or not name.isprintable():
        raise ArgumentTypeError(f"the name has 1 to {MOST} printable characters")
    return name
