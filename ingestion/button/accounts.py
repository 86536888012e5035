"""Accounts as Button lists them."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from merchants.cleaning import storable


@dataclass(frozen=True, slots=True)
class Account:
    """One of our accounts; Button has one for each currency."""

    id: str
    name: str
    currency: str
    organization: str


def read_accounts(rows: Iterable[dict[str, Any]]) -> list[Account]:
    """Accounts in our words; what has no id is none."""
    return [
        Account(
            id=id,
            name=_text(row.get("name"), most=255),
            currency=_text(row.get("currency"), most=3).upper(),
            organization=_text(row.get("organization"), most=255),
        )
        for row in rows
        if (id := _text(row.get("id"), most=255))
    ]


def _text(value: object, *, most: int) -> str:
    return storable(value[:most]) if isinstance(value, str) else ""
