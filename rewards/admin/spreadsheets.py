"""Files that staff open in a spreadsheet."""

import csv
from collections.abc import Iterable, Sequence
from decimal import Decimal

from django.http import HttpResponse

from merchants.currencies import EXPONENTS

_BEGINS_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def csv_response(
    name: str, rows: Iterable[Sequence[str | int | Decimal]]
) -> HttpResponse:
    """Rows as a download; a text that a spreadsheet would take for a formula stays
    text."""
    response = HttpResponse(
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )
    response.write("\ufeff")  # without it some spreadsheets guess another encoding
    writer = csv.writer(response)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return response


def major(minor: int, currency: str) -> Decimal:
    """Minor units as the plain number that a spreadsheet can add up."""
    return Decimal(minor).scaleb(-EXPONENTS.get(currency, 0))


def _cell(value: str | int | Decimal) -> str:
    text = str(value)
    if isinstance(value, str) and text.startswith(_BEGINS_FORMULA):
        return f"'{text}"
    return text
