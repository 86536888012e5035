"""Cursor paging, newest first, over columns that together are unique.

A page begins after a row, not at a number, so that rows which arrive meanwhile are
neither skipped nor shown twice. Cursors are signed: nobody has to check what is in one.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.core import signing
from django.db.models import Model, Q, QuerySet
from pydantic import Field
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from rewards.api.base import Document
from rewards.api.problems import Invalid

PAGE_SIZE = 50
MOST_PER_PAGE = 200

Row = TypeVar("Row", bound=Model)


class Page(Document):
    """One page of a list. Follow ``next`` until it is null."""

    next: str | None = Field(description="Where older entries go on; null at the end.")
    previous: str | None = Field(description="Where newer entries are.")


@dataclass(frozen=True, slots=True)
class Cut(Generic[Row]):
    """The rows of one page, and where its neighbours are."""

    rows: list[Row]
    next: str | None
    previous: str | None


def page(
    rows: QuerySet[Row],
    *,
    by: Sequence[str],
    request: Request,
    document: Callable[[Row], Document],
) -> Response:
    """The page of these rows that the request asks for, greatest ``by`` first."""
    found = cut(rows, by=by, request=request)
    return Response(
        {
            "next": found.next,
            "previous": found.previous,
            "results": [
                document(row).model_dump(mode="json", by_alias=True)
                for row in found.rows
            ],
        }
    )


def cut(rows: QuerySet[Row], *, by: Sequence[str], request: Request) -> Cut[Row]:
    """The rows of that page, for a list whose documents need one another."""
    size = _size(request)
    salt = f"{rows.model._meta.label}:{','.join(by)}"
    place, newer = _read(request.query_params.get("cursor"), salt)
    rows = rows.order_by(*by) if newer else rows.order_by(*(f"-{name}" for name in by))
    if place:
        rows = rows.filter(_beyond(by, place, "gt" if newer else "lt"))
    found = list(rows[: size + 1])
    more = len(found) > size
    found = found[:size][::-1] if newer else found[:size]

    def link(row: Row, newer: bool) -> str:
        place = [str(getattr(row, name)) for name in by]
        cursor = signing.dumps([place, newer], salt=salt)
        return replace_query_param(request.build_absolute_uri(), "cursor", cursor)

    return Cut(
        found,
        next=link(found[-1], False) if found and (newer or more) else None,
        previous=link(found[0], True) if found and (more if newer else place) else None,
    )


def _size(request: Request) -> int:
    asked = request.query_params.get("page_size", str(PAGE_SIZE))
    if not re.fullmatch("[0-9]{1,3}", asked) or not 1 <= int(asked) <= MOST_PER_PAGE:
        raise Invalid.field("page_size", f"must be 1 to {MOST_PER_PAGE}")
    return int(asked)


def _read(cursor: str | None, salt: str) -> tuple[list[Any], bool]:
    if not cursor:
        return [], False
    try:
        place, newer = signing.loads(cursor, salt=salt)
    except signing.BadSignature:
        raise Invalid.field("cursor", "is not one that this list gave") from None
    return place, newer


def _beyond(by: Sequence[str], place: Sequence[Any], than: str) -> Q:
    """Rows after a place: greater in the first column, or equal there and so on."""
    name, value = by[0], place[0]
    if len(by) == 1:
        return Q(**{f"{name}__{than}": value})
    # The first column stands alone, so that an index can find the page's beginning.
    return Q(**{f"{name}__{than}e": value}) & (
        Q(**{f"{name}__{than}": value}) | _beyond(by[1:], place[1:], than)
    )
