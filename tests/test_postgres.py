"""Tests of the PostgreSQL that the suite brings along."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from tests import postgres
from tests.example import ROOT
from tests.processes import lives, wait_until

pytestmark = [pytest.mark.once, pytest.mark.postgres, pytest.mark.slow]


def find_directory(url):
    return Path(url.removeprefix("postgres://loyalty@/")).parent


def connect(url):
    directory = str(find_directory(url))
    return psycopg.connect(host=directory, user="loyalty", dbname="loyalty")


@pytest.fixture
def other_machine(monkeypatch):
    """One whose PostgreSQL isn't installed."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)


def test_it_serves_and_leaves_nothing_behind(postgres_url):
    with postgres.server() as url, connect(url) as connection:
        assert url != postgres_url
        [pid] = connection.execute("SELECT pg_backend_pid()").fetchone()
        [data] = connection.execute("SHOW data_directory").fetchone()
        [listens] = connection.execute("SHOW listen_addresses").fetchone()
        assert listens == ""
    assert not lives(pid)
    assert not os.path.exists(data)


def test_it_dies_with_the_process_that_started_it(postgres_url):
    program = (
        "import time; from tests import postgres\n"
        "with postgres.server() as url: print(url, flush=True); time.sleep(60)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    directory = find_directory(process.stdout.readline().strip())
    pid = int((directory / "data" / "postmaster.pid").read_text().split()[0])
    process.kill()
    process.wait()
    process.stdout.close()
    wait_until(lambda: not lives(pid))
    shutil.rmtree(directory)  # all that a killed process couldn't take along


def test_a_command_gets_its_url_and_its_exit_code_back(postgres_url):
    program = (
        "import os, sys;"
        "sys.exit(7 if os.environ['DATABASE_URL'].startswith('postgres://') else 1)"
    )
    assert postgres.main(["--", sys.executable, "-c", program]) == 7


@pytest.mark.parametrize(("ci", "code"), [("true", 1), ("", 0)])
def test_where_it_cannot_start_it_says_so_loudly(
    other_machine, monkeypatch, capsys, ci, code
):
    monkeypatch.setenv("CI", ci)
    assert postgres.main(["--", "true"]) == code
    assert "*****" in capsys.readouterr().err
