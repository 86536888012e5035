"""Copies of the database, one at a time, which the default connection is to."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from django.db import connection

from rewards import appendonly

_COPY = "copy"


class Copies:
    """Makes a fresh copy of what the default database was, and connects to it."""

    def __init__(self) -> None:
        connection.close()
        self._settings = connection.settings_dict
        self._original = str(self._settings["NAME"])
        if connection.vendor == "sqlite":
            with sqlite3.connect(self._original) as raw:
                raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def renew(self) -> None:
        """Forget the copy there is, and make another."""
        connection.close()
        if connection.vendor == "sqlite":
            path = Path(self._original).with_name(f"{_COPY}.sqlite3")
            for left in path.parent.glob(f"{path.name}-*"):
                left.unlink()
            shutil.copy(self._original, path)
            self._settings["NAME"] = str(path)
        else:
            self._query(f"DROP DATABASE IF EXISTS {_COPY} WITH (FORCE)")
            self._query(f"CREATE DATABASE {_COPY} TEMPLATE {self._original}")
            self._settings["NAME"] = _COPY

    def _query(self, statement: str) -> None:
        with psycopg.connect(
            host=self._settings["HOST"],
            user=self._settings["USER"],
            dbname="postgres",
            autocommit=True,
        ) as raw:
            raw.execute(statement.encode())


@contextmanager
def past_every_rule() -> Iterator[None]:
    """Write what neither triggers nor constraints would let anybody write.

    All of them are there again afterwards.
    """
    past = _past_sqlite if connection.vendor == "sqlite" else _past_postgresql
    with past():
        yield
    connection.close()  # and with it what was switched off


@contextmanager
def _past_sqlite() -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA foreign_keys = OFF")
        cursor.execute("PRAGMA ignore_check_constraints = 1")
    with appendonly.lifted():
        yield


@contextmanager
def _past_postgresql() -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(
            "SELECT conrelid::regclass, conname, pg_get_constraintdef(oid)"
            " FROM pg_constraint WHERE contype = 'c' AND conrelid <> 0"
            " AND connamespace = 'public'::regnamespace"
        )
        checks = cursor.fetchall()
        for table, name, _ in checks:
            cursor.execute(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"')
        yield
        for table, name, definition in checks:
            cursor.execute(
                f'ALTER TABLE {table} ADD CONSTRAINT "{name}" {definition} NOT VALID'
            )
