"""What every test stands on: the database, its triggers, random data, no network."""

import os
from collections.abc import Iterator

import pytest
from django.core.cache import cache
from django.db import connection
from django.db.backends.base.operations import BaseDatabaseOperations
from hypothesis import HealthCheck, settings

from ingestion import webhook
from ingestion.refusals import Tally
from rewards.appendonly import lifted
from rewards.program import editions
from tests import postgres

pytest_plugins = ["tests.chromium"]

for name, examples in {"dev": 50, "ci": 200, "nightly": 5000}.items():
    settings.register_profile(
        name,
        max_examples=examples,
        deadline=None,  # a slow machine is no failure
        derandomize=name == "ci",
        suppress_health_check=[HealthCheck.too_slow],
    )
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))


def pytest_report_header() -> str:
    return f"database: {connection.vendor}"


@pytest.fixture(autouse=True, scope="session")
def flush_past_triggers() -> Iterator[None]:
    """Let TransactionTestCase empty tables that are otherwise append-only."""
    flush = BaseDatabaseOperations.execute_sql_flush

    def flush_lifted(self: BaseDatabaseOperations, statements: list[str]) -> None:
        with lifted(self.connection.alias):
            flush(self, statements)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BaseDatabaseOperations, "execute_sql_flush", flush_lifted)
        yield


@pytest.fixture(autouse=True)
def forget_editions() -> Iterator[None]:
    """A rolled-back edition's id is given out again, as it never is elsewhere.

    Afterwards: the data of a whole class is made before any fixture of its tests.
    """
    yield
    editions.compiled.cache_clear()


@pytest.fixture(autouse=True)
def forget_counts() -> None:
    """How often a member did something, who has the same number in the next test."""
    cache.clear()


@pytest.fixture(autouse=True)
def tally(monkeypatch: pytest.MonkeyPatch) -> Tally:
    """Refused webhooks counted from nothing, as in a process that has just begun."""
    fresh = Tally()
    monkeypatch.setattr(webhook, "tally", fresh)
    return fresh


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL for tests that need one whatever the suite runs on."""
    try:
        with postgres.server() as url:
            yield url
    except postgres.CannotStart as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"PostgreSQL can't start here: {error}")
