"""The database: what its URL says, and the modes that the ledger's safety needs."""

from pathlib import Path
from typing import Any
from urllib.parse import quote

from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from environ import Env

SCHEMES = {"sqlite", "postgres", "postgresql"}
OLDEST_SQLITE = (3, 35)

PRAGMAS = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
SQLITE_OPTIONS = {
    # Without IMMEDIATE a transaction that reads first fails as soon as another writes.
    "transaction_mode": "IMMEDIATE",
    "timeout": 20,
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
    " PRAGMA foreign_keys=ON; PRAGMA busy_timeout=20000;",
}
POSTGRESQL_OPTIONS = {
    "connect_timeout": 5,
    "options": "-c lock_timeout=2s -c idle_in_transaction_session_timeout=15s",
}


def sqlite_url(path: Path) -> str:
    return f"sqlite:///{quote(str(path))}"


def configured(url: str, *, test_name: Path) -> dict[str, Any]:
    """Return Django's settings for a database URL; our options win over the URL's.

    Tests on SQLite use a file too: a database in memory has no WAL mode.
    """
    scheme = url.partition(":")[0]
    if scheme not in SCHEMES:
        raise ImproperlyConfigured(
            f"DATABASE_URL begins with {scheme!r}: write sqlite:///… or postgres://…"
        )
    try:
        database: dict[str, Any] = Env.db_url_config(url)
    except ValueError:  # it quotes the URL, password and all
        raise ImproperlyConfigured(
            "DATABASE_URL can't be read: percent-encode special characters in it."
        ) from None
    options = database.pop("OPTIONS", {})
    if scheme == "sqlite":
        ours = {"OPTIONS": options | SQLITE_OPTIONS, "TEST": {"NAME": str(test_name)}}
    else:
        ours = {
            "OPTIONS": options | POSTGRESQL_OPTIONS,
            "CONN_MAX_AGE": 60,
            "CONN_HEALTH_CHECKS": True,
        }
    return database | ours


def refuse_unsafe(connection: BaseDatabaseWrapper, **_: object) -> None:
    """Close a connection whose mode could lose or mix up points, and say why.

    Runs on every new connection, so nothing gets past it: web, worker or command.
    """
    faults = find_faults(connection)
    if faults:
        BaseDatabaseWrapper.close(connection)  # SQLite's own keeps one in memory open
        raise ImproperlyConfigured(f"The database is unsafe: {'; '.join(faults)}.")


def refuse_unsafe_start() -> None:
    """Refuse an unsafe SQLite before serving, not at the first page that needs it."""
    if connection.vendor == "sqlite":
        connection.ensure_connection()
        connection.close()


def find_faults(connection: BaseDatabaseWrapper) -> list[str]:
    faults = []
    if connection.settings_dict["ATOMIC_REQUESTS"]:
        faults.append("ATOMIC_REQUESTS is on, so each page would hold the write lock")
    if connection.vendor == "sqlite":
        faults += _find_sqlite_faults(connection)
    return faults


def _find_sqlite_faults(connection: Any) -> list[str]:
    faults = []
    if connection.Database.sqlite_version_info < OLDEST_SQLITE:
        faults.append(f"SQLite is {connection.Database.sqlite_version}, 3.35 is needed")
    if connection.transaction_mode != "IMMEDIATE":
        faults.append("transaction_mode is not IMMEDIATE")
    for pragma, wanted in PRAGMAS.items():
        found = connection.connection.execute(f"PRAGMA {pragma}").fetchone()[0]
        if found != wanted:
            faults.append(f"{pragma} is {found}, not {wanted}")
    return faults
