"""Rows that nobody can change or delete, enforced by the database itself."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.apps import AppConfig
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper

# Table, and the columns that may still change (erasure reaches the customer id, and
# what staff wrote; an edition can be withdrawn before it holds; a lot is used up; an
# adjustment takes its course, but what was approved stays what it was).
TABLES: dict[str, tuple[str, ...]] = {
    "django_admin_log": ("object_repr", "change_message"),
    "rewards_transfer": (),
    "rewards_draw": (),
    "rewards_lot": ("remaining", "warned_at"),
    "rewards_redemptionstep": ("reason",),
    "rewards_award": (),
    "rewards_settlement": (),
    "rewards_decision": ("reason",),
    "rewards_report": ("customer_id",),
    "rewards_edition": ("withdrawn_at",),
    "rewards_adjustment": (
        *("state", "approved_by_id", "approved_at", "posted_at", "failure"),
        *("ended_by_id", "ended_at", "why_ended", "note", "member_note"),
    ),
}

UNIQUE = {
    "rewards_transfer": "source = NEW.source AND reference = NEW.reference",
    "rewards_draw": "transfer_id = NEW.transfer_id AND lot_id = NEW.lot_id",
    "rewards_report": "purchase_id = NEW.purchase_id AND digest = NEW.digest",
    "rewards_edition": "number = NEW.number",
}
EVENTS = ("update", "delete", "other")  # TRUNCATE in PostgreSQL, REPLACE in SQLite

_COLUMNS = {
    "sqlite": "SELECT name FROM pragma_table_info(%s)",
    "postgresql": """
        SELECT attname FROM pg_attribute
        WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped
        ORDER BY attnum
    """,
}
_POSTGRESQL_FUNCTION = """
CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME
        USING ERRCODE = 'integrity_constraint_violation';
END $$
"""
# Triggers at work, if what they call does what it did; a replica's don't work here.
_POSTGRESQL_INSTALLED = """
SELECT pg_get_triggerdef(t.oid, true) FROM pg_trigger t
JOIN pg_proc p ON p.oid = t.tgfoid
WHERE NOT t.tgisinternal AND t.tgenabled IN ('O', 'A') AND p.prosrc = %s
"""


def install(app_config: AppConfig, using: str = DEFAULT_DB_ALIAS, **_: Any) -> None:
    """Put the triggers on every append-only table, after each migrate."""
    connection = connections[using]
    existing = set(connection.introspection.table_names())
    tables = [table for table in TABLES if table in existing]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(_POSTGRESQL_FUNCTION)
        for table in tables:
            for statement in _drops(connection, table) + _triggers(connection, table):
                cursor.execute(statement)


@contextmanager
def lifted(using: str = DEFAULT_DB_ALIAS) -> Iterator[None]:
    """Take the triggers off for a test's flush of the database, and nothing else."""
    connection = connections[using]
    with connection.cursor() as cursor:
        for table in TABLES:
            for statement in _drops(connection, table):
                cursor.execute(statement)
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            for table in TABLES:
                for statement in _triggers(connection, table):
                    cursor.execute(statement)


def missing(using: str = DEFAULT_DB_ALIAS) -> list[str]:
    """Tables whose triggers are not there, not at work, or not as they were put."""
    connection = connections[using]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(_POSTGRESQL_INSTALLED, [_body(_POSTGRESQL_FUNCTION)])
        else:
            cursor.execute("SELECT sql FROM sqlite_master WHERE type = 'trigger'")
        found = {sql for (sql,) in cursor.fetchall()}
    return [
        table for table in TABLES if not found.issuperset(_triggers(connection, table))
    ]


def _body(function: str) -> str:
    return function.split("$$")[1]


def _drops(connection: BaseDatabaseWrapper, table: str) -> list[str]:
    on = f" ON {table}" if connection.vendor == "postgresql" else ""
    return [f"DROP TRIGGER IF EXISTS {table}_{event}{on}" for event in EVENTS]


def _triggers(connection: BaseDatabaseWrapper, table: str) -> list[str]:
    if connection.vendor == "postgresql":
        call = "EXECUTE FUNCTION refuse_change()"
        row = f"FOR EACH ROW {call}"
        other = f"TRUNCATE ON {table} FOR EACH STATEMENT {call}"
    else:
        row = f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        # INSERT OR REPLACE deletes the row that is there, past the delete trigger.
        same = " OR ".join(["id = NEW.id", *filter(None, [UNIQUE.get(table)])])
        held = f"SELECT 1 FROM {table} WHERE {same}"
        other = f"INSERT ON {table} WHEN EXISTS ({held}) {row}"
    return [
        f"CREATE TRIGGER {table}_update BEFORE UPDATE{_of(connection, table)}"
        f" ON {table} {row}",
        f"CREATE TRIGGER {table}_delete BEFORE DELETE ON {table} {row}",
        f"CREATE TRIGGER {table}_other BEFORE {other}",
    ]


def _of(connection: BaseDatabaseWrapper, table: str) -> str:
    """`` OF`` the columns that may not change, where some may."""
    changeable = TABLES[table]
    if not changeable:
        return ""
    with connection.cursor() as cursor:
        cursor.execute(_COLUMNS[connection.vendor], [table])
        kept = [name for (name,) in cursor.fetchall() if name not in changeable]
    return f" OF {', '.join(kept)}"
