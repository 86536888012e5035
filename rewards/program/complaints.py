"""What the expression library complains of, in words for the staff who wrote it."""

import difflib
import re
import unicodedata
from collections.abc import Callable, Collection, Mapping

_OPERATORS = {
    "@in": "in",
    "_[_]": "[ ]",
    "_?_:_": "? :",
    "!_": "!",
    "-_": "-",
    "_&&_": "&&",
    "_||_": "||",
}
_UNKNOWN_FIELD = r"undefined field '(.*)' not found in struct '(.*)'"
_WORDS = {"and": "&&", "AND": "&&", "or": "||", "OR": "||"}
_KINDS = {
    "bool": "true or false",
    "int": "a whole number",
    "uint": "a number with u",
    "double": "a number with a point",
    "string": "a text",
    "bytes": "bytes",
    "list": "a list",
    "map": "a map",
    "type": "a kind",
    "null": "null",
    "dyn": "anything",
    "google.protobuf.Timestamp": "a time",
    "timestamp": "a time",
    "google.protobuf.Duration": "a duration",
    "duration": "a duration",
}
_FUNCTIONS = (
    "all",
    "exists",
    "exists_one",
    "has",
    "size",
    "startsWith",
    "endsWith",
    "contains",
    "matches",
    "timestamp",
    "duration",
    "int",
    "string",
    "getDate",
    "getDayOfMonth",
    "getDayOfWeek",
    "getDayOfYear",
    "getFullYear",
    "getHours",
    "getMinutes",
    "getMonth",
    "getSeconds",
)


def plainly(
    said: str,
    *,
    rest: str,
    names: Collection[str],
    fields: Mapping[str, Collection[str]],
) -> str:
    """The library's message as one plain sentence, without its names for things.

    ``rest`` is the expression from the place that the message tells, ``names`` what it
    can ask about, ``fields`` what each of these has.
    """
    said = said.replace(" (in container '')", "").replace("facts.", "")
    for pattern, plain in _PLAIN.items():
        if found := re.fullmatch(pattern, said, re.DOTALL):
            return plain(*found.groups())
    if found := re.fullmatch(
        r"undefined field '(.*)' not found in struct '(.*)'", said
    ):
        field, group = found.groups()
        return _no_field(field, group, fields.get(group, ()))
    if found := re.fullmatch(r"undeclared reference to '(.*)'", said):
        return _no_name(found[1], names, called=rest.startswith("("))
    return said


def unseen(text: str) -> tuple[str, int] | None:
    """The first character that nobody can see, in words, and where; None without."""
    for offset, character in enumerate(text):
        if not character.isprintable() and character not in "\n\r\t":
            name = unicodedata.name(character, "a control character").lower()
            return f"has a character that can't be seen: {name}", offset
    return None


def kind(name: str) -> str:
    """The library's name of a kind, in words: "a whole number" for int."""
    name = _outermost(name).replace("facts.", "")
    return _KINDS.get(name, f"“{name}” as a whole")


def _outermost(kinds: str) -> str:
    """Kinds without those that they are made of: list for list(list(int))."""
    while (fewer := re.sub(r"[(<][^()<>]*[)>]", "", kinds)) != kinds:
        kinds = fewer
    return kinds


def _no_field(field: str, group: str, fields: Collection[str]) -> str:
    return f"there is no field “{field}” in {group}; {_instead(field, fields)}"


def _no_name(name: str, groups: Collection[str], *, called: bool) -> str:
    if called and name in _FUNCTIONS:
        return f"“{name}” is asked in another way, or of something else"
    if called:
        return f"there is no “{name}( )” for this; {_instead(name, _FUNCTIONS)}"
    name = name.split(".")[0]
    return f"there is no “{name}”; {_instead(name, groups)}"


def _instead(name: str, names: Collection[str]) -> str:
    known = ", ".join(names)
    if near := difflib.get_close_matches(name, names, n=1):
        return f"do you mean “{near[0]}”? There are {known}"
    return f"there are {known}"


def _no_overload(function: str, kinds: str) -> str:
    operator = _OPERATORS.get(function, function.strip("_"))
    said = [kind(name) for name in _outermost(kinds).split(", ")]
    if len(said) == 1:
        return f"“{operator}” does not go with {said[0]}"
    return f"“{operator}” does not go with {', '.join(said[:-1])} and {said[-1]}"


def _mismatched(found: str) -> str:
    if found == "<EOF>":
        return "the expression ends too early"
    if instead := _WORDS.get(found):
        return f"write {instead} for “{found}”"
    return f"“{found}” is not expected here"


_PLAIN: Mapping[str, Callable[..., str]] = {
    r"Syntax error: (?:mismatched|extraneous) input '(.*)' expecting .*": _mismatched,
    r"Syntax error: no viable alternative at input '(.*)'": _mismatched,
    r"Syntax error: missing '?(.*?)'? at '.*'": lambda wanted: f"“{wanted}” is missing",
    r"Syntax error: token recognition error at: '(['\"]).*'": lambda quote: (
        f"the text that begins with {quote} does not end, or has a wrong \\"
    ),
    r"Syntax error: token recognition error at: '= ?>?.*'": lambda: (
        "“=” alone means nothing; write == to compare, >= for at least"
    ),
    r"Syntax error: token recognition error at: '(.*?)\s*'": lambda found: (
        f"“{found}” means nothing here"
    ),
    r"found no matching overload for '(.*?)' applied to '\((.*)\)'": _no_overload,
    r"expression of type '(.*)' cannot be the operand of a select operation": (
        lambda name: f"{kind(name)} has no fields; ask items.exists(item, …)"
    ),
    r"has\(\) argument must be a field selection": lambda: (
        "has( ) asks for a field, such as has(click.at)"
    ),
    r"(\w+)\(\) variable name must be a simple identifier": lambda macro: (
        f"{macro} needs a name for each, such as items.{macro}(item, …)"
    ),
    r"reserved identifier: (.*)": lambda word: f"“{word}” can't be used as a name",
    r"invalid (?:int|uint|double) literal": lambda: "the number is too large",
    r".*recursion (?:limit|depth).*": lambda: (
        "is nested too deeply: more than 32 levels"
    ),
}
