"""Whom a body names, and the same body without them.

The fields are Button's: who bought stands in several; what was bought stays.
"""

import json
from collections.abc import Iterator
from typing import Any

from ingestion.button.envelope import Unreadable, read_json
from rewards.privacy.residues import Names

PERSONAL = frozenset(
    ("advertising_id", "device_id", "device_ids", "email_sha256", "email_sha256s")
)
"""Fields that tell of the person or of their device."""
GOODS = "order_line_items"
"""What was bought: rules may ask for it, and a short id may be an article's number."""


def cleaned(body: bytes, names: Names | None) -> bytes:
    """A body without these names and without personal fields."""
    try:
        before = read_json(body)
    except Unreadable:
        text = body.decode("latin-1")  # any bytes are, and come back as they were
        return (names.text(text) if names else text).encode("latin-1")
    after = _cleaned(before, names)
    return body if after == before else json.dumps(after).encode()


def _cleaned(value: Any, names: Names | None) -> Any:
    if isinstance(value, dict):
        return {key: _part(key, part, names) for key, part in value.items()}
    if isinstance(value, list):
        return [_cleaned(part, names) for part in value]
    return names.value(value) if names else value


def _part(key: str, value: Any, names: Names | None) -> Any:
    if key == GOODS:
        return value
    return None if key in PERSONAL else _cleaned(value, names)


def texts(body: bytes) -> set[str]:
    """Every text in a body that could be a customer id."""
    try:
        return set(_texts(read_json(body)))
    except Unreadable:
        return set()


def _texts(value: Any) -> Iterator[str]:
    """Every text in it that could be a customer id."""
    if isinstance(value, str):
        if 0 < len(value) <= 512:
            yield value
    elif isinstance(value, list):
        for part in value:
            yield from _texts(part)
    elif isinstance(value, dict):
        for key, part in value.items():
            if key != GOODS:
                yield from _texts(part)
