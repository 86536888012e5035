"""The database's own rules, which hold whatever the code does: all still there."""

from collections.abc import Iterator

from django.apps import apps
from django.db import connection

from rewards import appendonly
from rewards.verification.checking import Broken

_RULES = {
    "sqlite": "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL",
    "postgresql": """
        SELECT '"' || conname || '"' FROM pg_constraint
        UNION ALL
        SELECT '"' || c.relname || '"'
        FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
        WHERE i.indisunique AND i.indisvalid
    """,
}


def rewritable() -> Iterator[Broken]:
    """Tables whose history the database would let somebody rewrite."""
    for table in appendonly.missing():
        yield Broken(table)


def unguarded() -> Iterator[Broken]:
    """Tables with a constraint that the database lacks."""
    with connection.cursor() as cursor:
        cursor.execute(_RULES[connection.vendor])
        found = "\n".join(sql for (sql,) in cursor.fetchall())
    for model in apps.get_models():
        for constraint in model._meta.constraints:
            if f'"{constraint.name}"' not in found:
                yield Broken(f"{model._meta.db_table} {constraint.name}")
