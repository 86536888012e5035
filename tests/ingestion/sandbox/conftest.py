"""A running sandbox, and something that takes its webhooks."""

from collections.abc import Iterator

import pytest

from ingestion.button.sandbox import Sandbox
from tests.ingestion.sandbox.callers import Caller, Receiver


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """One whose webhooks wait, in memory."""
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def reporting(receiver: Receiver) -> Iterator[Sandbox]:
    """One whose webhooks go to the receiver; Button's hour takes ten seconds."""
    with Sandbox(receiver=receiver.url, hour=10) as sandbox:
        yield sandbox


@pytest.fixture
def caller(sandbox: Sandbox) -> Caller:
    return Caller(sandbox)
