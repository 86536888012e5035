"""``field__among=values``: like ``in``, with the values as one parameter.

``in`` writes a placeholder for each value, and building that SQL for a batch costs
more than running it.
"""

import json
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Field, Lookup


@Field.register_lookup
class Among(Lookup):
    """The column equals one of a list of integers or texts."""

    lookup_name = "among"
    prepare_rhs = False

    def get_db_prep_lookup(
        self, value: Any, connection: BaseDatabaseWrapper
    ) -> tuple[str, tuple[Any, ...]]:
        values = list(value)
        array = values if connection.vendor == "postgresql" else json.dumps(values)
        return "%s", (array,)

    def as_postgresql(
        self, compiler: Any, connection: BaseDatabaseWrapper
    ) -> tuple[str, list[Any]]:
        column, params, values = self._sides(compiler, connection)
        kind = self.lhs.output_field.db_type(connection)
        return f"{column} = ANY(%s::{kind}[])", [*params, *values]

    def as_sqlite(
        self, compiler: Any, connection: BaseDatabaseWrapper
    ) -> tuple[str, list[Any]]:
        column, params, values = self._sides(compiler, connection)
        return f"{column} IN (SELECT value FROM json_each(%s))", [*params, *values]

    def _sides(
        self, compiler: Any, connection: BaseDatabaseWrapper
    ) -> tuple[str, list[Any], list[Any]]:
        column, params = self.process_lhs(compiler, connection)
        _, values = self.process_rhs(compiler, connection)
        return column, list(params), list(values)
