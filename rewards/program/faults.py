"""What is wrong with a program file: a line for each fault, saying what to do."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

Path = tuple[str, ...]

MOST_LINES, MOST_FAULTS = 100, 2_000
"""Said of one file; and found in what may still be meant as one."""

_LISTED = {"units": ("unit", "code"), "rules": ("rule", "key")}
_CHOSEN = ("label", "reward")  # followed in a path by which alternative was read
_SAID = {
    "missing": "is missing",
    "string_type": "must be text in quotes",
    "string_too_short": "must not be empty",
    "string_too_long": "must have at most {max_length} characters",
    "string_unicode": "has characters that are no Unicode text",
    "list_type": "must be a list, in [ ]",
    "dict_type": "must be an object, in {{ }}",
    "model_type": "must be an object, in {{ }}",
    "model_attributes_type": "must be an object, in {{ }}",
    "bool_type": "must be true or false, without quotes",
    "int_type": "must be a whole number, without quotes",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "literal_error": "must be {expected}",
    "too_short": "must not be empty",
    "too_long": "must have at most {max_length} entries",
    "union_tag_not_found": "is missing",
}
_NOT_SHOWN = {"missing", "too_short", "string_too_short", "union_tag_not_found"}


class ProgramError(Exception):
    """The program is wrong. Its lines name the rule, the field and the mend."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


class Vocabulary:
    """Which fields each part of the file has, by path."""

    def __init__(
        self,
        parts: Mapping[Path, type[BaseModel]],
        patterns: Mapping[str, str],
    ) -> None:
        self.parts, self.patterns = parts, patterns

    def lines(self, data: object, error: ValidationError) -> list[str]:
        """One line for each fault: which rule or unit, which field, what to do."""
        if error.error_count() > MOST_FAULTS:
            return [f"not a program file: {error.error_count():,} things are wrong"]
        faults = error.errors(include_url=False)
        lines = [
            ": ".join([*_where(data, fault), self._problem(fault)])
            for fault in faults[:MOST_LINES]
        ]
        if more := len(faults) - len(lines):
            lines.append(f"and {more} more")
        return lines

    def _problem(self, fault: ErrorDetails) -> str:
        match fault["type"]:
            case "extra_forbidden":
                return self._unknown(_names(fault))
            case "union_tag_invalid":
                return self._unknown_kind(fault)
            case "string_pattern_mismatch":
                said = self.patterns[fault["ctx"]["pattern"]]
            case "string_type" if type(fault["input"]) in (int, float):
                return f'must be in quotes: "{shown(fault["input"])}"'
            case "expression":
                return fault["ctx"]["said"]
            case kind:
                said = (
                    _SAID[kind].format(**fault.get("ctx", {})) if kind in _SAID else ""
                )
        said = said or fault["msg"][:1].lower() + fault["msg"][1:]
        return said + _given(fault)

    def _unknown(self, path: Path) -> str:
        fields = self.parts[path[:-1]].model_fields
        return f"is unknown here; the fields are {', '.join(fields)}"

    def _unknown_kind(self, fault: ErrorDetails) -> str:
        kind = fault["ctx"]["tag"]
        kinds = fault["ctx"]["expected_tags"].replace("'", "")
        return f"{shown(kind)} is unknown; the kinds are {kinds}"


def shown(value: Any) -> str:
    """A value as it may stand in one line for people, whatever it is."""
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        text = type(value).__name__
    if len(text) > 60:
        text = f"{text[:60]}…"
    return text.encode("utf-8", "backslashreplace").decode()


def _given(fault: ErrorDetails) -> str:
    if fault["type"] in _NOT_SHOWN or isinstance(fault["input"], dict | list):
        return ""
    return f" (it is {shown(fault['input'])})"


def _where(data: object, fault: ErrorDetails) -> Iterator[str]:
    path = list(fault["loc"])
    if not path:
        yield "the file"
    if len(path) > 1 and path[0] in _LISTED:
        kind, name = _LISTED[str(path[0])]
        yield f"{kind} {_name(data, path[0], path[1], name)}"
        path = path[2:]
    steps = [
        _word(step)
        for before, step in zip([None, *path], path, strict=False)
        if step != "[key]" and not (before in _CHOSEN and _is_choice(fault, step))
    ]
    if fault["type"].startswith("union_tag"):
        steps.append("kind")
    elif named := fault.get("ctx", {}).get("field"):
        steps.append(named)
    if steps:
        yield ".".join(steps)


def _is_choice(fault: ErrorDetails, step: object) -> bool:
    """Whether a step names the alternative that was read, not a field."""
    return fault["type"] != "extra_forbidden" or step != fault["loc"][-1]


def _names(fault: ErrorDetails) -> Path:
    """The path without places in lists."""
    return tuple(step for step in fault["loc"] if isinstance(step, str))


def _word(step: int | str) -> str:
    text = str(step)
    return text if re.fullmatch(r"[\w.-]{1,60}", text) else shown(text)


def _name(data: Any, part: int | str, index: int | str, name: str) -> str:
    """The code or key of the unit or rule, or its place where it has none."""
    try:
        found = data[part][index][name]
    except (KeyError, TypeError, IndexError):
        found = None
    return shown(found) if isinstance(found, str) else f"{int(index) + 1}"
