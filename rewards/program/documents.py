"""A program file's text, read strictly: what JSON parsers forgive is told instead."""

import json
from collections import Counter
from typing import Any

from rewards.program.faults import ProgramError, shown

MOST_CHARACTERS = 500_000
"""Of a program file. A long one, of some 200 rules, has a fifth of them."""


def read(text: str) -> Any:
    """The data that a text says. Raises ProgramError."""
    if len(text) > MOST_CHARACTERS:
        said = f"not a program file: it is longer than {MOST_CHARACTERS:,} characters"
        raise ProgramError([said])
    try:
        return json.loads(
            text, object_pairs_hook=_no_key_twice, parse_constant=_no_constant
        )
    except RecursionError:
        raise ProgramError(["not a program file: it is nested too deeply"]) from None
    except ValueError as error:
        raise ProgramError([f"not a JSON file: {error}"]) from None


def _no_key_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) < len(pairs):
        [(twice, _)] = Counter(name for name, _ in pairs).most_common(1)
        raise ValueError(f"{shown(twice)} stands twice in one object")
    return data


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")
