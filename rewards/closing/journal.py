"""The journal of a closed day: its lines, in the one form that its seal is made of.

A line is JSON without blanks, its keys sorted, so that the same rows give the same
bytes for ever; a transfer is a list, whose columns the head names. ``verify_seal.py``
reads the files and shares no code with this.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from typing import Any

from rewards.closing import days, transfers
from rewards.closing.days import Cut
from rewards.closing.transfers import instant
from rewards.models import Close

FORMAT = 1
_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


def lines(close: Close) -> Iterator[bytes]:
    """Everything that is sealed: a head, the day's transfers by id, the figures."""
    before = days.before(close)
    yield _line(_head(close))
    for row in transfers.rows(Cut.of(close), Cut.of(before) if before else None):
        yield _line(row)
    yield _line({"kind": "figures", **close.figures})
    yield _line({"kind": "differences", "rows": close.differences})


def file(close: Close) -> Iterator[bytes]:
    """The journal file of a closed day: what is sealed, and last the seal."""
    yield from lines(close)
    yield _line({"kind": "seal", "digest": close.digest})


def file_name(close: Close) -> str:
    return f"journal-{close.day:%Y-%m-%d}.jsonl"


def digest(lines: Iterable[bytes]) -> str:
    """The seal of these lines."""
    found = sha256()
    for line in lines:
        found.update(line)
    return found.hexdigest()


def _head(close: Close) -> dict[str, Any]:
    return {
        "kind": "day",
        "format": FORMAT,
        "day": close.day.isoformat(),
        "until": instant(close.until),
        "newest_transfer": close.newest_transfer,
        "newest_settlement": close.newest_settlement,
        "transfers": close.transfers,
        "previous": close.previous,
        "columns": transfers.COLUMNS,
    }


def _line(content: Mapping[str, Any] | list[Any]) -> bytes:
    return f"{_encode(content)}\n".encode()
