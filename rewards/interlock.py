"""Keeps what settling looks up from changing while somebody settles.

A settling that read "no edition" or "undecided account" just before that changed, and
commits just after, would be missed by whoever settles the consequences. So settling
holds a lock in common, and whoever changes what it reads takes it for a moment alone:
what was in flight is committed then, and what follows sees the change. It is on the
program's table: for a table PostgreSQL lets people wait in line, while those who share
a row's lock overtake for ever whoever wants it alone. SQLite has one writer and needs
none of it.
"""

from django.db import connection


def enter() -> None:
    """Settle: many may at once. Inside the settling's transaction, first of all."""
    _lock("ROW SHARE")


def close() -> None:
    """Change what settling reads. Inside that change's short transaction, first."""
    _lock("EXCLUSIVE", patience="30s")


def _lock(mode: str, *, patience: str = "") -> None:
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        if patience:
            cursor.execute("SELECT set_config('lock_timeout', %s, true)", [patience])
        cursor.execute(f"LOCK TABLE rewards_program IN {mode} MODE")
