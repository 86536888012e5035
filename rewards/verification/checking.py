"""What a check found: how many rows break an invariant, and whom they concern."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple, Self

from django.db import connection

EXAMPLES = 5
APART = timedelta(days=1)
"""What was done in turn may have times that are out of turn by so much: clocks of
servers differ, and are put right."""


class Broken(NamedTuple):
    """A row that breaks an invariant, and the member or the purchase it is about."""

    id: int | str
    member_id: int | None = None
    purchase_id: int | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """One invariant, how many rows break it, and a few of them for whoever looks.

    ``members`` and ``purchases`` are the ids of whom it concerns, of all rows.
    """

    name: str
    violations: int
    examples: tuple[str, ...] = ()
    members: frozenset[int] = frozenset()
    purchases: frozenset[int] = frozenset()

    @classmethod
    def of(cls, name: str, rows: Iterable[Broken]) -> Self:
        """What these rows, which are all that break it, say."""
        found = list(rows)
        return cls(
            name,
            len(found),
            tuple(_named(row) for row in found[:EXAMPLES]),
            frozenset(row.member_id for row in found if row.member_id),
            frozenset(row.purchase_id for row in found if row.purchase_id),
        )

    @classmethod
    def by_query(cls, name: str, query: str) -> Self:
        """What an SQL query finds: id, member and purchase of each row."""
        with connection.cursor() as cursor:
            cursor.execute(query)
            return cls.of(name, [Broken(*row) for row in cursor.fetchall()])


def _named(row: Broken) -> str:
    said = f"#{row.id}" if isinstance(row.id, int) else row.id
    if row.purchase_id and row.purchase_id != row.id:
        return f"{said} (purchase {row.purchase_id})"
    return f"{said} (member {row.member_id})" if row.member_id else said
