"""Keeps what settling looks up from changing while somebody settles.

A settling that read "no edition" or "undecided account" just before that changed, and
commits just after, would be missed by whoever settles the consequences. So settling
holds the program's row in common, and whoever changes what it reads takes the row for
a moment alone: what was in flight is committed then, and what follows sees the change.
SQLite has one writer and needs none of it.
"""

from django.db import connection

from rewards.models import Program


def enter() -> None:
    """Settle: many may at once. Inside the settling's transaction, first of all."""
    _lock("FOR SHARE")


def close() -> None:
    """Change what settling reads. Inside that change's short transaction, first."""
    _lock("FOR UPDATE", patience="30s")


def _lock(strength: str, *, patience: str = "") -> None:
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        if patience:
            cursor.execute("SELECT set_config('lock_timeout', %s, true)", [patience])
        cursor.execute(f"SELECT 1 FROM rewards_program WHERE id = 1 {strength}")
        if cursor.fetchone() is None:
            Program.load()  # whoever makes the row holds it, and others wait for that
