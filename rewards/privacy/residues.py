"""Finding an erased person's names in what others wrote, and putting a token there.

A name is replaced where it stands alone: never inside a longer word or number.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, reduce
from operator import or_
from typing import Any

from django.db.models import Model, Q, QuerySet, TextField
from django.db.models.functions import Cast

from rewards.models import Member

BATCH = 500
_NUMBER = re.compile(r"\d{1,7}")
_WORD = "[A-Za-z0-9]"


@dataclass(frozen=True)
class Names:
    """What a person was called by, and the token that stands for them from now on."""

    names: tuple[str, ...]
    token: str

    @cached_property
    def spellings(self) -> tuple[str, ...]:
        """The names as they are, and as they stand in JSON."""
        spelled = [*self.names, *(json.dumps(name)[1:-1] for name in self.names)]
        return tuple(dict.fromkeys(spelled))

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        return re.compile("|".join(map(_alone, self.spellings)))

    def text(self, text: str) -> str:
        """The text without the names."""
        return self.pattern.sub(self.token, text)

    def value(self, value: Any) -> Any:
        """A JSON value without the names; one that is a name is the token."""
        if isinstance(value, str):
            return self.token if value in self.names else self.text(value)
        if isinstance(value, list):
            return [self.value(item) for item in value]
        if isinstance(value, dict):
            return {key: self.value(item) for key, item in value.items()}
        return value

    def replace_in(self, rows: QuerySet[Any], *fields: str) -> int:
        """Replace the names in these fields of the rows; how many rows had any."""
        return sum(self._replace(rows, field) for field in fields)

    def _replace(self, rows: QuerySet[Any], field: str) -> int:
        texts = rows.annotate(searched=Cast(field, TextField()))
        holding = [Q(searched__icontains=name) for name in self.spellings]
        found = texts.filter(reduce(or_, holding)).only("pk", field)
        changed = 0
        for batch in _batches(found):
            for row in batch:
                before = getattr(row, field)
                after = self.value(before)
                if after != before:
                    setattr(row, field, after)
                    changed += 1
            type(batch[0])._default_manager.bulk_update(batch, [field])
        return changed


def _alone(name: str) -> str:
    """A pattern for a name that stands alone.

    A short number is an amount or a date in most texts. So it is a name only where a
    sentence of ours says that it is one.
    """
    quoted = re.escape(name)
    if "@" in name:
        quoted = f"(?i:{quoted})"
    if _NUMBER.fullmatch(name):
        return rf"(?<=another member, ){quoted}(?=\.)|\A{quoted}\Z"
    return rf"(?<!{_WORD}){quoted}(?!{_WORD})"


def _batches(rows: QuerySet[Model]) -> Iterator[list[Model]]:
    """The rows by their keys, so many at a time."""
    last = 0
    while batch := list(rows.filter(pk__gt=last).order_by("pk")[:BATCH]):
        yield batch
        last = batch[-1].pk


@dataclass(frozen=True)
class Leaving:
    """Who is being erased, and the purchases concerned, by id.

    ``own`` are theirs for good; in ``others`` they were named at some time.
    """

    member: Member
    names: Names
    own: list[int]
    others: list[int]

    @property
    def customer_id(self) -> str:
        """What the host application called them."""
        return self.names.names[0]
