"""Many workers on few hot orders, on a real PostgreSQL whatever the suite runs on.

Each test runs a small program in a process of its own: the suite's database may be
SQLite, which has one writer and so nothing to show here.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.postgres, pytest.mark.slow]


def run(program: str, url: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run one of tests.concurrent's programs against that PostgreSQL."""
    return subprocess.run(
        [sys.executable, "-m", "tests.hot_orders", program],
        env=os.environ | {"DATABASE_URL": url} | environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )


def test_eight_workers_on_three_orders_double_nothing(postgres_url: str) -> None:
    done = run("storm", postgres_url)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 violations" in done.stdout


def test_a_second_report_waits_for_the_first_to_commit(postgres_url: str) -> None:
    done = run("overtake", postgres_url)
    assert done.returncode == 0, done.stdout + done.stderr


def test_without_the_row_lock_the_same_schedule_posts_twice(postgres_url: str) -> None:
    """The lock is what keeps it right, and the test above would notice its loss."""
    done = run("overtake", postgres_url, WITHOUT_ROW_LOCK="yes")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "expected 120" in done.stdout


def test_two_workers_that_meet_a_new_order_together_make_it_once(
    postgres_url: str,
) -> None:
    done = run("newborn", postgres_url)
    assert done.returncode == 0, done.stdout + done.stderr


def test_one_order_in_two_accounts_at_once_is_paid_once(postgres_url: str) -> None:
    done = run("twins", postgres_url)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("decision", ["claim", "judge"])
def test_of_two_people_who_decide_at_once_one_does(
    postgres_url: str, decision: str
) -> None:
    done = run(decision, postgres_url)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_budget_pays_to_the_last_point_and_not_one_more(postgres_url: str) -> None:
    done = run("budget", postgres_url)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1000 granted of 1000, 0 violations" in done.stdout


def test_of_two_first_orders_at_once_one_is_first(postgres_url: str) -> None:
    done = run("firsts", postgres_url)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_change_that_waits_is_overtaken_by_no_settling(postgres_url: str) -> None:
    done = run("line", postgres_url)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("change", ["decide", "publish", "enrol"])
def test_a_change_waits_for_what_is_being_settled(
    postgres_url: str, change: str
) -> None:
    done = run(change, postgres_url)
    assert done.returncode == 0, done.stdout + done.stderr
