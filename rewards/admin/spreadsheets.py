"""Files that staff open in a spreadsheet."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal

from django.http import HttpResponse, StreamingHttpResponse

from merchants.currencies import EXPONENTS

_CSV = "text/csv; charset=utf-8"
_BEGINS_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def csv_response(
    name: str, rows: Iterable[Sequence[str | int | Decimal]]
) -> HttpResponse:
    """Rows as a download; a text that a spreadsheet would take for a formula stays
    text."""
    return HttpResponse(b"".join(_lines(rows)), content_type=_CSV, headers=_named(name))


def csv_stream(
    name: str, rows: Iterable[Sequence[str | int | Decimal]]
) -> StreamingHttpResponse:
    """The same for more rows than should be in memory at once."""
    return StreamingHttpResponse(_lines(rows), content_type=_CSV, headers=_named(name))


def major(minor: int, currency: str) -> Decimal:
    """Minor units as the plain number that a spreadsheet can add up."""
    return Decimal(minor).scaleb(-EXPONENTS.get(currency, 0))


class _Echo:
    """A file that hands back what is written to it."""

    def write(self, text: str) -> bytes:
        return text.encode()


def _lines(rows: Iterable[Sequence[str | int | Decimal]]) -> Iterator[bytes]:
    writer = csv.writer(_Echo())
    yield "\ufeff".encode()  # without it some spreadsheets guess another encoding
    for row in rows:
        yield writer.writerow(map(_cell, row))


def _named(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}


def _cell(value: str | int | Decimal) -> str:
    text = str(value)
    if isinstance(value, str) and text.startswith(_BEGINS_FORMULA):
        return f"'{text}"
    return text
