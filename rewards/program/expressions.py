"""Expressions in rules: CEL, checked against the facts' types, bounded, never trusted.

The one module that asks the library. It brings a budget of iterations and a limit of
nesting; ``bounds`` refuses what could grow in spite of them.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from cel_expr_python import cel

from rewards.program import bounds, complaints, messages
from rewards.program.facts import Facts
from rewards.program.messages import NUMBER, TEXT, TIME
from rewards.reports import LineItem

MOST_CHARACTERS = 1000

FACTS: dict[str, dict[str, Any]] = {
    "purchase": {
        "merchant": TEXT,
        "account": TEXT,
        "status": TEXT,
        "category": TEXT,
        "currency": TEXT,
        "order_currency": TEXT,
        "order_total": NUMBER,
        "commission": NUMBER,
        "country": TEXT,
        "channel": TEXT,
        "attributed_at": TIME,
    },
    "item": {
        "identifier": TEXT,
        "sku": TEXT,
        "gtin": TEXT,
        "category": TEXT,
        "categories": [TEXT],
        "subcategory": TEXT,
        "subcategories": [TEXT],
        "quantity": NUMBER,
        "amount": NUMBER,
        "total": NUMBER,
        "commission": NUMBER,
        "attributes": {TEXT: TEXT},
    },
    "member": {"customer_id": TEXT, "segments": [TEXT], "joined_at": TIME},
    "click": {"at": TIME, "reference": TEXT},
}
"""Every fact that an expression may use: its name, and what it is."""

_VARIABLES = {
    "purchase": cel.Type("facts.purchase"),
    "items": cel.Type.List(cel.Type("facts.item")),
    "member": cel.Type("facts.member"),
    "click": cel.Type("facts.click"),
}
_NULL = re.compile(r"\b(click|member|purchase)\s*[!=]=\s*null\b")
_PLACE = re.compile(r"<input>:(\d+):(\d+): (.*)")
_FIXED = {  # what says whether a fixed text can be understood
    "timestamp": "timestamp({}) > timestamp(0)",
    "duration": "duration({}) > duration('0s')",
    "matches": "''.matches({})",
    "int": "int({}) > 0",
    "getHours": "timestamp(0).getHours({}) > 0",
}


class ExpressionError(Exception):
    """The text is no expression over the facts.

    ``line`` and ``column`` (from 1) tell where, or are 0; the message draws a caret.
    """

    def __init__(self, said: str, text: str, line: int = 0, column: int = 0) -> None:
        self.said, self.line, self.column = said, line, column
        super().__init__(said + _caret(text, line, column))


class ExpressionFailed(Exception):
    """An expression could not be worked out for these facts."""


@dataclass(frozen=True, slots=True)
class Expression:
    """An expression ready to be asked."""

    text: str
    _compiled: Any
    _names: frozenset[str]

    def holds(self, facts: Facts) -> bool:
        """Whether it is true of the facts. Raises ExpressionFailed."""
        try:
            value = self._compiled.eval(_bound(facts, self._names))
        except RuntimeError as error:
            raise ExpressionFailed(_short(str(error))) from None
        # An error is a value too, and a truthy one.
        if value.type() != cel.Type.BOOL:
            raise ExpressionFailed(_short(str(value.plain_value())))
        return bool(value.plain_value())


@lru_cache(maxsize=4096)
def compiled(text: str) -> Expression:
    """The expression, checked against the facts' types. Raises ExpressionError."""
    if len(text) > MOST_CHARACTERS:
        said = f"is longer than {MOST_CHARACTERS} characters"
        raise ExpressionError(said, "")
    if found := complaints.unseen(text):
        raise ExpressionError(found[0], text, *_position(text, found[1]))
    if null := _NULL.search(text):
        said = "nothing here is ever null; ask has(click.at) whether there is a click"
        raise ExpressionError(said, text, *_position(text, null.start()))
    try:
        expression = _ENVIRONMENT.compile(text)
    except (RuntimeError, TypeError) as error:
        raise _explained(str(error), text) from None
    if expression.return_type() != cel.Type.BOOL:
        kind = complaints.kind(expression.return_type().name().lower())
        raise ExpressionError(f"must be true or false, and this is {kind}", text, 1, 1)
    checked = expression.serialize()
    if said := bounds.refused(checked):
        raise ExpressionError(said, text)
    for call in bounds.calls_of_fixed_texts(checked):
        _refuse_nonsense(call, text)
    names = frozenset(name for name in _VARIABLES if name in text)
    return Expression(text, expression, names)


def _refuse_nonsense(call: bounds.Call, text: str) -> None:
    """What fails for every order is told when it is saved."""
    function = "getHours" if call.function.startswith("get") else call.function
    if function not in _FIXED:
        return
    fixed = json.dumps(call.text, ensure_ascii=False)
    value = _ENVIRONMENT.compile(_FIXED[function].format(fixed)).eval(data={})
    if value.type() == cel.Type.ERROR:
        said = str(value.plain_value()).split(":", 1)[-1].strip()
        raise ExpressionError(_short(f"{call.function}({fixed}): {said}"), text)


def _explained(error: str, text: str) -> ExpressionError:
    line, column, said, rest = 0, 0, error, ""
    if found := _PLACE.search(error):
        line, column, said = int(found[1]), int(found[2]), found[3]
        rest = text.split("\n")[line - 1][column - 1 :]
    plain = complaints.plainly(said, rest=rest, names=_VARIABLES, fields=FACTS)
    return ExpressionError(_short(plain), text, line, column)


def _caret(text: str, line: int, column: int) -> str:
    lines = text.split("\n")
    if not 0 < line <= len(lines):
        return ""
    # Counted in code points, as the library does; tabs stay tabs.
    before = re.sub(r"[^\t]", " ", lines[line - 1][: column - 1])
    return f"\n{lines[line - 1].rstrip()}\n{before}^"


def _position(text: str, offset: int) -> tuple[int, int]:
    before = text[:offset]
    return before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1


def _short(said: str) -> str:
    said = re.sub(r"\s+", " ", said)
    return said if len(said) <= 300 else f"{said[:300]}…"


def _bound(facts: Facts, names: frozenset[str]) -> Any:
    """The facts of these names, which are kept for the next expression on them."""
    if facts.bound is None:
        facts.bound = {}
    if names not in facts.bound:
        values = {name: _VALUES[name](facts) for name in names}
        facts.bound[names] = _ENVIRONMENT.Activation(values)
    return facts.bound[names]


def _purchase(facts: Facts) -> Any:
    report = facts.report
    return _Purchase(
        merchant=report.merchant,
        account=report.account,
        status=report.status,
        category=report.category,
        currency=report.currency,
        order_currency=report.order_currency,
        order_total=report.order_total or 0,
        commission=report.commission or 0,
        country=facts.country,
        channel=facts.channel,
        attributed_at=report.attributed_at,
    )


def _member(facts: Facts) -> Any:
    about = facts.about
    return _Member(
        customer_id=about.customer_id,
        segments=about.segments,
        joined_at=about.joined_at,
    )


def _click(facts: Facts) -> Any:
    return _Click(at=facts.about.click_at, reference=facts.about.click_reference)


def _item(line: LineItem) -> Any:
    return _Item(
        identifier=line.identifier,
        sku=line.sku,
        gtin=line.gtin,
        category=line.categories[0] if line.categories else "",
        categories=line.categories,
        subcategory=line.subcategories[0] if line.subcategories else "",
        subcategories=line.subcategories,
        quantity=line.quantity,
        amount=line.amount,
        total=line.total,
        commission=line.commission,
        attributes=dict(line.attributes),
    )


_VALUES: Mapping[str, Callable[[Facts], Any]] = {
    "purchase": _purchase,
    "items": lambda facts: [_item(line) for line in facts.report.lines],
    "member": _member,
    "click": _click,
}
_POOL = messages.pool(
    "facts",
    {
        name: {field: (n, kind) for n, (field, kind) in enumerate(fields.items(), 1)}
        for name, fields in FACTS.items()
    },
)
_Purchase, _Item, _Member, _Click = messages.classes(
    _POOL, [f"facts.{name}" for name in FACTS]
)
_ENVIRONMENT = cel.NewEnv(_POOL, variables=_VARIABLES)
