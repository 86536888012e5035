"""The file as text: a strict reader of CSV that guesses nothing.

RFC 4180 in UTF-8, with a comma or a semicolon. What can't be told line by line (another
encoding, no header) refuses the whole file.
"""

import csv
import re
from collections.abc import Iterator, Mapping
from io import StringIO
from typing import NamedTuple

from django.utils.translation import gettext as _

from rewards.refusals import Refused

REQUIRED = ("customer_id", "unit", "amount")
OPTIONAL = ("member_note", "expires_after_days")
COLUMNS = REQUIRED + OPTIONAL
MOST_LINES, MOST_BYTES = 100_000, 10_000_000

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ufeff]")

Fault = tuple[int, str]
"""The number of a line in the file, the header's being 1, and what is wrong there."""


class Line(NamedTuple):
    """One line's cells by column; a column that the file leaves out is empty."""

    number: int
    cells: Mapping[str, str]


def read(content: bytes) -> tuple[list[Line], list[Fault]]:
    """The lines that have the right columns, and the faults of those that don't.

    Raises Refused where the file as a whole can't be read.
    """
    if len(content) > MOST_BYTES:
        raise Refused(_("The file has more than %d bytes.") % MOST_BYTES)
    text = _text(content)
    records = _records(text)
    names = next(records, None)
    if names is None or isinstance(names[1], str):
        raise Refused(_("The file is empty, or its first line can't be read."))
    header = _header(names[1])
    lines, faults = _lines(header, records)
    if not lines and not faults:
        raise Refused(_("The file has a header and no line after it."))
    return lines, faults


def _text(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise Refused(
            _("The file is not UTF-8 (line %d): save it as “CSV UTF-8”.") % line
        ) from error


def _records(text: str) -> Iterator[tuple[int, list[str] | str]]:
    """Each record with the number of its first line; the last may be what is wrong."""
    first = re.split("[\r\n]", text, maxsplit=1)[0]
    delimiter = ";" if ";" in first and "," not in first else ","
    rows = csv.reader(StringIO(text, newline=""), delimiter=delimiter, strict=True)
    before = 0
    while True:
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error:
            yield (
                before + 1,
                _("From here on it can't be read: look at the quotes."),
            )
            return
        if row:
            yield before + 1, row
        before = rows.line_num


def _header(names: list[str]) -> list[str]:
    """The columns in the file's order. Raises Refused."""
    unknown = [name for name in names if name not in COLUMNS]
    missing = [name for name in REQUIRED if name not in names]
    if unknown or missing or len(set(names)) < len(names):
        raise Refused(
            _(
                "The first line has to name the columns, each once: %(required)s, and"
                " if you like %(optional)s. It says: %(said)s."
            )
            % {
                "required": ", ".join(REQUIRED),
                "optional": ", ".join(OPTIONAL),
                "said": _CONTROL.sub("?", ", ".join(names))[:200],
            }
        )
    return names


def _lines(
    header: list[str], records: Iterator[tuple[int, list[str] | str]]
) -> tuple[list[Line], list[Fault]]:
    lines: list[Line] = []
    faults: list[Fault] = []
    for number, row in records:
        if len(lines) + len(faults) >= MOST_LINES:
            raise Refused(_("The file has more than %d lines.") % MOST_LINES)
        if fault := row if isinstance(row, str) else _fault(row, header):
            faults.append((number, fault))
        else:
            empty = dict.fromkeys(COLUMNS, "")
            lines.append(Line(number, empty | dict(zip(header, row, strict=True))))
    return lines, faults


def _fault(row: list[str], header: list[str]) -> str:
    if len(row) != len(header):
        said = _("It has %(found)d columns, and the header %(wanted)d.")
        return said % {"found": len(row), "wanted": len(header)}
    if any(map(_CONTROL.search, row)):
        return _("It has characters that can't be seen.")
    return ""
