"""What an expression may not do, so that working it out stays small for any order.

The library counts iterations and nests no deeper than 32. Within that, a value can
still double at each step, whole line items can be compared one with each other, and a
pattern can be dear to build. The checked tree shows all of it before a rule is saved.
"""

import math
import re
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, NamedTuple

from google.protobuf import any_pb2
from google.protobuf.message import DecodeError

from rewards.program import messages
from rewards.program.messages import NUMBER, TEXT

MOST_PATTERN, MOST_REPEATED, MOST_GATHERED = 200, 50, 2
"""Characters of an expression's patterns together; how often ``{n}`` may repeat, all
of them multiplied; and how many lists an expression may make."""

# As much of the library's checked tree as is looked at, with its field numbers.
_TREE = {
    "Checked": {"types": (3, {NUMBER: ".tree.Type"}), "expr": (4, ".tree.Expr")},
    "Type": {
        "primitive": (3, NUMBER),
        "well_known": (5, NUMBER),
        "list_type": (6, ".tree.List"),
        "message": (9, TEXT),
    },
    "List": {"element": (1, ".tree.Type")},
    "Expr": {
        "id": (2, NUMBER),
        "const": (3, ".tree.Const"),
        "ident": (4, ".tree.Ident"),
        "select": (5, ".tree.Select"),
        "call": (6, ".tree.Call"),
        "items": (7, ".tree.Items"),
        "struct": (8, ".tree.Struct"),
        "loop": (9, ".tree.Loop"),
    },
    "Const": {"text": (6, TEXT)},
    "Ident": {"name": (1, TEXT)},
    "Select": {"operand": (1, ".tree.Expr"), "field": (2, TEXT)},
    "Call": {
        "target": (1, ".tree.Expr"),
        "function": (2, TEXT),
        "args": (3, [".tree.Expr"]),
    },
    "Items": {"elements": (1, [".tree.Expr"])},
    "Struct": {"message": (1, TEXT), "entries": (2, [".tree.Entry"])},
    "Entry": {"key": (3, ".tree.Expr"), "value": (4, ".tree.Expr")},
    "Loop": {
        "each": (1, TEXT),
        "over": (2, ".tree.Expr"),
        "init": (4, ".tree.Expr"),
        "condition": (5, ".tree.Expr"),
        "step": (6, ".tree.Expr"),
        "result": (7, ".tree.Expr"),
    },
}
(_Checked,) = messages.classes(messages.pool("tree", _TREE), ["tree.Checked"])


class Call(NamedTuple):
    """A call with one fixed text, which may be one that can never be understood."""

    function: str
    text: str


def refused(checked: bytes) -> str:
    """Why an expression that is otherwise right is refused; empty where it is not."""
    try:
        tree = _tree(checked)
    except DecodeError:  # deeper than protocol buffers may nest
        return "is nested too deeply"
    parts = list(_parts(tree.expr))
    own = {id for part in parts for id in _gathering(part.loop)}
    written = [part for part in parts if part.id not in own]
    refusals = (said for part in written for said in _refusals(part, tree.types))
    rest = chain(_gathering_refusals(parts), _pattern_refusals(parts))
    return next(chain(refusals, rest), "")


def calls_of_fixed_texts(checked: bytes) -> Iterator[Call]:
    """Patterns, times, durations and zones that stand in the expression."""
    for part in _parts(_tree(checked).expr):
        for argument in part.call.args:
            if argument.const.text:
                yield Call(part.call.function, argument.const.text)


def _tree(checked: bytes) -> Any:
    return _Checked.FromString(any_pb2.Any.FromString(checked).value)


def _parts(node: Any) -> Iterator[Any]:
    """Every expression in a part of the tree, itself among them."""
    if node.DESCRIPTOR.name == "Expr":
        yield node
    for field, value in node.ListFields():
        if field.message_type:
            for inner in value if field.is_repeated else [value]:
                yield from _parts(inner)


def _refusals(expr: Any, types: Any) -> Iterator[str]:
    if expr.HasField("loop"):
        yield from _loop_refusals(expr.loop, types)
    if expr.HasField("call"):
        yield from _call_refusals(expr, types)
    if expr.struct.message:
        yield "expressions can't make messages, only ask about facts"
    held = [*expr.items.elements, *(entry.value for entry in expr.struct.entries)]
    if any(_is_whole(part, types) for part in held):
        yield _WHOLE


def _gathering(loop: Any) -> list[int]:
    """The parts by which ``filter`` and ``map`` add to a list: the library's own."""
    return [part.id for part in _steps(loop)]


def _steps(loop: Any) -> list[Any]:
    """The choice whether to add, the sum, and the list of one that is added."""
    if not loop.init.HasField("items"):
        return []
    step = loop.step
    total = step.call.args[1] if step.call.function == "_?_:_" else step
    return [step, total, total.call.args[1]]


def _loop_refusals(loop: Any, types: Any) -> Iterator[str]:
    if steps := _steps(loop):
        (element,) = steps[-1].items.elements
        kept = element.ident.name == loop.each  # what filter keeps is there already
        if not (kept or _is_single(types, element)):
            yield "map can only make numbers, texts, times or yes and no"
    over = loop.over
    fixed = over.HasField("items") and all(
        element.HasField("const") for element in over.items.elements
    )
    facts = any(over.HasField(kind) for kind in ("ident", "select", "loop"))
    if not (fixed or facts):
        yield (
            "exists, all, filter and their like go through items, a list of the facts,"
            " or a list of fixed values"
        )


def _call_refusals(expr: Any, types: Any) -> Iterator[str]:
    call = expr.call
    if call.function == "_+_" and not _is_counted(types, expr):
        yield "only numbers, times and durations can be added with +"
    asked = [*call.args, *([call.target] if call.HasField("target") else [])]
    if call.function not in _LOOKS_INTO and any(_is_whole(p, types) for p in asked):
        yield _WHOLE


def _gathering_refusals(parts: Sequence[Any]) -> Iterator[str]:
    """Each item that is added copies the list so far."""
    if sum(bool(_gathering(part.loop)) for part in parts) > MOST_GATHERED:
        yield f"filter and map can stand at most {MOST_GATHERED} times in all"
    steps = [part.loop.step for part in parts if part.HasField("loop")]
    if any(_gathering(part.loop) for step in steps for part in _parts(step)):
        yield "filter and map can't stand in a loop; ask with exists or all there"


def _pattern_refusals(parts: Sequence[Any]) -> Iterator[str]:
    """A pattern is built anew each time it is asked, so it has to be cheap."""
    patterns = [p.call.args[-1] for p in parts if p.call.function == "matches"]
    texts = [pattern.const.text for pattern in patterns]
    if not all(pattern.HasField("const") for pattern in patterns):
        yield "a pattern must be a fixed text"
    if sum(map(len, texts)) > MOST_PATTERN:
        yield f"patterns can have at most {MOST_PATTERN} characters in all"
    repeats = (int(n[:9]) or 1 for text in texts for n in _REPEATS.findall(text))
    if math.prod(repeats) > MOST_REPEATED:
        yield f"patterns can repeat with {{ }} at most {MOST_REPEATED} times in all"
    if any(_CLASS.search(text) for text in texts):
        yield "patterns can't ask for \\p classes; name the characters"
    if any(_loops(p.loop.step, asking="matches") for p in parts if p.HasField("loop")):
        yield "a pattern can't stand in a loop within another"


def _loops(expr: Any, *, asking: str) -> bool:
    """Whether a loop in here calls that function."""
    return any(
        inner.call.function == asking
        for part in _parts(expr)
        if part.HasField("loop")
        for inner in _parts(part.loop)
    )


def _is_whole(expr: Any, types: Any) -> bool:
    """Whether this is an item, all items, or another group of facts as a whole."""
    kind = types.get(expr.id)
    return kind is not None and bool(kind.message or kind.list_type.element.message)


def _is_single(types: Any, expr: Any) -> bool:
    """Whether this is one plain value, which holds no others."""
    kind = types.get(expr.id)
    return kind is not None and bool(kind.primitive or kind.well_known)


def _is_counted(types: Any, expr: Any) -> bool:
    kind = types.get(expr.id)
    return kind is not None and (kind.primitive in _NUMBERS or bool(kind.well_known))


_NUMBERS = (2, 3, 4)  # int, uint and double, of Type.primitive
_LOOKS_INTO = ("_[_]", "size")
_REPEATS = re.compile(r"\{(?:\d*,)?(\d+),?\}")
_CLASS = re.compile(r"\\[pP]")
_WHOLE = "purchase, items, member and click have to be asked for one of their fields"
