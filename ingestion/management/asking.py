"""What the commands that ask Button share."""

from collections.abc import Callable
from typing import TypeVar

from django.conf import settings
from django.core.management.base import CommandError

from ingestion.button.client import ButtonClient
from ingestion.button.errors import ButtonError

T = TypeVar("T")


def client_or_refuse() -> ButtonClient:
    """A client for Button. Raises CommandError where there is no key to ask with."""
    if not settings.BUTTON_API_KEY:
        raise CommandError(
            "BUTTON_API_KEY is not set: Button can't be asked.", returncode=2
        )
    return ButtonClient.from_settings()


def listed(ask: Callable[[], T]) -> T:
    """What Button answers. Raises CommandError where it does not."""
    try:
        return ask()
    except ButtonError as error:
        raise CommandError(f"Button could not be asked. {error}") from None
