"""Many clicks at one moment, on a real PostgreSQL whatever the suite runs on."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.postgres, pytest.mark.slow]


def run(url: str, *programs: str, **environment: str) -> tuple[int, str]:
    """Run tests.hot_redemptions there: how many were wrong, and what it says."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.hot_redemptions", *programs],
        env=os.environ | {"DATABASE_URL": url} | environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_twenty_at_one_moment_get_what_there_is_and_no_more(postgres_url: str) -> None:
    wrong, said = run(postgres_url)
    assert wrong == 0, said


def test_without_the_row_lock_a_limit_does_not_hold(postgres_url: str) -> None:
    """The lock is what keeps it right, and the test above would notice its loss."""
    wrong, said = run(postgres_url, "limit", WITHOUT_ROW_LOCK="yes")
    assert wrong, said
    assert "wrong: ['limit']" in said
