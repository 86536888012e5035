"""A stand-in for Button that every test of asking it may have."""

from collections.abc import Iterator
from typing import Any

import pytest

from ingestion.button.client import ButtonClient
from ingestion.button.sandbox import Sandbox


@pytest.fixture
def button(settings: Any) -> Iterator[Sandbox]:
    """A sandbox that the settings point at. It sends no webhooks."""
    with Sandbox() as sandbox:
        settings.BUTTON_API_URL = settings.BUTTON_OFFERS_URL = sandbox.url
        settings.BUTTON_API_KEY = sandbox.api_key
        settings.BUTTON_ORGANIZATION_ID = sandbox.organization
        yield sandbox


@pytest.fixture
def client_of_button(button: Sandbox) -> Iterator[ButtonClient]:
    with ButtonClient.from_settings(page_size=3, attempts=1) as client:
        yield client
