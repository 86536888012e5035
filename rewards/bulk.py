"""Set-based SQL on both databases: many rows a statement, no model instances.

The ORM's bulk writes cost several times the SQL itself, and settlement writes seven
tables for every order. Rows are tuples in the order of ``columns`` (attribute names,
``member_id`` for a foreign key); JSON is given as text already.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from django.db import connection
from django.db.models import Field, Model

Rows = Sequence[tuple[Any, ...]]


_Numbers = Mapping[type[Model], Iterator[int]]
_numbers: ContextVar[_Numbers] = ContextVar("numbers", default={})  # noqa: B039


@contextmanager
def numbering(numbers: _Numbers) -> Iterator[None]:
    """Give these ids out, in this order: a replay repeats those that were drawn."""
    token = _numbers.set(numbers)
    try:
        yield
    finally:
        _numbers.reset(token)


def reserve_ids(model: type[Model], count: int) -> list[int]:
    """``count`` fresh primary keys, rising, that no other transaction will get."""
    if (given := _numbers.get().get(model)) is not None:
        return list(islice(given, count))
    table = model._meta.db_table
    with connection.cursor() as cursor:
        if _postgresql():
            cursor.execute(
                "SELECT nextval(pg_get_serial_sequence(%s, 'id'))"
                " FROM generate_series(1, %s)",
                [f'"{table}"', count],
            )
            return [id for (id,) in cursor.fetchall()]
        # The IMMEDIATE transaction holds every other writer off until the insert.
        cursor.execute("SELECT seq FROM sqlite_sequence WHERE name = %s", [table])
        last = (cursor.fetchone() or (0,))[0]
        return list(range(last + 1, last + 1 + count))


def insert(model: type[Model], columns: Sequence[str], rows: Rows) -> None:
    """Insert rows that are known to be new."""
    if not rows:
        return
    fields = _fields(model, columns)
    if not _postgresql():
        _insert_each(model, fields, rows, suffix="")
        return
    statement = f"COPY {_table(model)} ({_names(fields)}) FROM STDIN"
    with (
        connection.cursor() as cursor,
        connection.wrap_database_errors,  # what copy raises is the driver's own
        cursor.copy(statement) as copy,
    ):
        for row in rows:
            copy.write_row(row)


def now() -> datetime:
    """The database's clock, by which leases run."""
    if not _postgresql():
        return datetime.now(UTC)  # it is in this very process
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        return cursor.fetchone()[0]


def insert_missing(model: type[Model], columns: Sequence[str], rows: Rows) -> int:
    """Insert the rows that no unique constraint refuses; how many there were.

    Give them sorted by that key: two workers that insert the same keys in different
    orders would wait for each other for ever.
    """
    if not rows:
        return 0
    fields = _fields(model, columns)
    if not _postgresql():
        return _insert_each(model, fields, rows, suffix=" ON CONFLICT DO NOTHING")
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {_table(model)} ({_names(fields)})"
            f" SELECT * FROM unnest({_arrays(fields)}) ON CONFLICT DO NOTHING",
            _columns_of(rows),
        )
        return cursor.rowcount


def update(
    model: type[Model],
    columns: Sequence[str],
    rows: Rows,
    *,
    alike: Mapping[str, Any] | None = None,
    where: Mapping[str, Any] | None = None,
) -> int:
    """Update rows by their first column; the number of rows updated.

    ``alike`` are columns that get one value in all of them; only rows that are as
    ``where`` says are touched.
    """
    forms = "{0} = new.{0}", "{0} = %s"
    return _update(model, columns, rows, *forms, alike or {}, where or {})


def increase(model: type[Model], column: str, rows: Rows) -> int:
    """Add to one column; rows are (id, amount, positive or negative)."""
    forms = "{0} = old.{0} + new.{0}", "{0} = {0} + %s"
    return _update(model, ["id", column], rows, *forms, {}, {})


def _update(
    model: type[Model],
    columns: Sequence[str],
    rows: Rows,
    many: str,
    each: str,
    alike: Mapping[str, Any],
    where: Mapping[str, Any],
) -> int:
    if not rows:
        return 0
    key, *changed = fields = _fields(model, columns)
    form = many if _postgresql() else each
    changes = [form.format(_name(f)) for f in changed] + [f"{c} = %s" for c in alike]
    only = "".join(f" AND {column} = %s" for column in where)
    with connection.cursor() as cursor:
        if _postgresql():
            old = only.replace(" AND ", " AND old.")
            cursor.execute(
                f"UPDATE {_table(model)} AS old SET {', '.join(changes)}"
                f" FROM unnest({_arrays(fields)}) AS new({_names(fields)})"
                f" WHERE old.{_name(key)} = new.{_name(key)}{old}",
                [*alike.values(), *_columns_of(rows), *where.values()],
            )
        else:
            cursor.executemany(
                f"UPDATE {_table(model)} SET {', '.join(changes)}"
                f" WHERE {_name(key)} = %s{only}",
                [
                    _adapted((*row[1:], *alike.values(), row[0], *where.values()))
                    for row in rows
                ],
            )
        return cursor.rowcount


def _insert_each(
    model: type[Model], fields: Sequence[Field], rows: Rows, *, suffix: str
) -> int:
    marks = ", ".join(["%s"] * len(fields))
    with connection.cursor() as cursor:
        cursor.executemany(
            f"INSERT INTO {_table(model)} ({_names(fields)}) VALUES ({marks}){suffix}",
            [_adapted(row) for row in rows],
        )
        return cursor.rowcount


def _adapted(row: Iterable[Any]) -> tuple[Any, ...]:
    adapt = connection.ops.adapt_datetimefield_value
    return tuple(adapt(v) if isinstance(v, datetime) else v for v in row)


def _columns_of(rows: Rows) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]


def _fields(model: type[Model], columns: Sequence[str]) -> list[Field]:
    by_attribute = {f.attname: f for f in model._meta.concrete_fields}
    return [by_attribute[name] for name in columns]


def _arrays(fields: Sequence[Field]) -> str:
    return ", ".join(f"%s::{field.db_type(connection)}[]" for field in fields)


def _names(fields: Sequence[Field]) -> str:
    return ", ".join(_name(field) for field in fields)


def _name(field: Field) -> str:
    assert field.column is not None  # only many-to-many fields have none
    return connection.ops.quote_name(field.column)


def _table(model: type[Model]) -> str:
    return connection.ops.quote_name(model._meta.db_table)


def _postgresql() -> bool:
    return connection.vendor == "postgresql"
