"""An empty database that this thread settles on, while the real one is only read.

The code that settles asks for the default database. So in this thread, for a while,
"default" is a SQLite file of no worth, and "source" the real database.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from django.apps import apps
from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.sqlite3.base import DatabaseWrapper

SOURCE = "source"
_APPS = ("merchants", "rewards")
# Opened as safe as any, or the server refuses it; then made fast, since it is of no
# worth once the replay has ended.
_SAFE = {
    "transaction_mode": "IMMEDIATE",
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
}
_FAST = ("journal_mode = MEMORY", "synchronous = OFF", "cache_size = -65536")


@contextmanager
def scratch() -> Iterator[None]:
    """Give this thread an empty default database; the real one stands still meanwhile.

    It is read as it is at one instant, and nothing is written to it.
    """
    real = connections[DEFAULT_DB_ALIAS]
    with TemporaryDirectory(prefix="replay-") as folder:
        connections[SOURCE] = real
        connections[DEFAULT_DB_ALIAS] = made = _make(Path(folder) / "scratch.sqlite3")
        try:
            with _standing_still(real):
                _make_tables(made)
                yield
        finally:
            made.close()
            connections[DEFAULT_DB_ALIAS] = real
            del connections[SOURCE]


def _make(path: Path) -> BaseDatabaseWrapper:
    own = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(path), "OPTIONS": _SAFE}
    configured = connections.configure_settings({DEFAULT_DB_ALIAS: own})
    made = DatabaseWrapper(configured[DEFAULT_DB_ALIAS])
    with made.cursor() as cursor:
        for pragma in _FAST:
            cursor.execute(f"PRAGMA {pragma}")
    return made


def _make_tables(made: BaseDatabaseWrapper) -> None:
    """The tables that settling uses. Rows may name others that are not there."""
    made.disable_constraint_checking()
    with made.schema_editor() as editor:
        for app in _APPS:
            for model in apps.get_app_config(app).get_models():
                editor.create_model(model)
    made.disable_constraint_checking()


@contextmanager
def _standing_still(real: BaseDatabaseWrapper) -> Iterator[None]:
    """Read one state of the real database, whatever others commit."""
    if real.in_atomic_block:
        yield
    elif real.vendor == "postgresql":
        with transaction.atomic(using=SOURCE), real.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
            yield
    else:
        with real.cursor() as cursor:
            cursor.execute("BEGIN")  # not the IMMEDIATE one: webhooks go on
            try:
                yield
            finally:
                cursor.execute("ROLLBACK")
