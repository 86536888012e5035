"""Tests that nothing runs on a database whose mode could lose or mix up points."""

from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.db.utils import ConnectionHandler

from loyalty_site.database import configured, find_faults
from tests.processes import run

SETTINGS = """
from loyalty_site.settings import *
DATABASES["default"]{change}
"""
NO_WAL = '["OPTIONS"]["init_command"] = "PRAGMA journal_mode=DELETE"'
NO_SYNC = '["OPTIONS"]["init_command"] += "PRAGMA synchronous=NORMAL"'
PROGRAMS = {
    "a command": ("manage.py", "migrate"),
    "runserver": ("manage.py", "runserver", "--noreload", "0"),
    "web": ("-m", "gunicorn", "loyalty_site.wsgi", "--bind=127.0.0.1:0"),
    "worker": ("-m", "celery", "-A", "loyalty_site", "worker", "--concurrency=1"),
}


def run_changed(change, *program, data_dir):
    (data_dir / "changed.py").write_text(SETTINGS.format(change=change))
    return run(
        "-c",
        f"import sys; sys.path.insert(0, {str(data_dir)!r}); sys.argv = {program!r};"
        " from django.core.management import execute_from_command_line as go;"
        " go(sys.argv)",
        data_dir=data_dir,
        SECRET_KEY="x",
        DJANGO_SETTINGS_MODULE="changed",
    )


@pytest.mark.once
@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (NO_WAL, "journal_mode is delete, not wal"),
        (NO_SYNC, "synchronous is 1, not 2"),
        ('["OPTIONS"]["transaction_mode"] = "DEFERRED"', "not IMMEDIATE"),
        ('["ATOMIC_REQUESTS"] = True', "ATOMIC_REQUESTS"),
        ('["NAME"] = ":memory:"', "journal_mode is memory"),
    ],
)
def test_unsafe_mode_is_refused(tmp_path, change, fault):
    done = run_changed(change, "manage.py", "migrate", data_dir=tmp_path)
    assert done.returncode != 0
    assert fault in done.stderr


@pytest.mark.once
@pytest.mark.slow
@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
def test_every_program_refuses(tmp_path, program):
    """They run the shipped settings, on a database in memory, which has no WAL."""
    url = "sqlite://:memory:"
    done = run(*program, data_dir=tmp_path, SECRET_KEY="x", DATABASE_URL=url)
    assert done.returncode != 0
    assert "journal_mode is memory, not wal" in done.stderr


@pytest.mark.django_db
def test_the_suite_runs_on_a_safe_database():
    assert find_faults(connection) == []


@pytest.mark.parametrize(
    "change", [{"ATOMIC_REQUESTS": True}, {"ENGINE": "sqlite", "NAME": ":memory:"}]
)
@pytest.mark.django_db
def test_a_refused_connection_is_refused_again(change):
    """It may not stay open, or the next use would find it."""
    settings = {**connection.settings_dict, **change}
    if settings["ENGINE"] == "sqlite":
        settings |= configured("sqlite://:memory:", test_name=Path())
    wrapper = ConnectionHandler({"default": settings})["default"]
    for _ in range(2):
        with pytest.raises(ImproperlyConfigured):
            wrapper.ensure_connection()
