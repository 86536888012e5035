"""Expressions and program files by somebody who wants to do harm, always the same ones.

Known tricks come first; mutations of right ones fill up to the number asked for.
"""

import copy
import json
from collections.abc import Iterator
from itertools import chain, cycle, islice
from random import Random
from typing import Any

from tests.builders import program, rule
from tests.rewards.random_programs import TRUTHS
from tests.rewards.random_programs import program as random_program

_JUNK = [
    "\0", "\ud800", "\ufeff", "\u202e", "\u200b", "\xa0", "р", "．", "‘", "“", "😀",
    "\\", "'", '"', "`", "#", ";", "//", "/*", "--", "(", ")", "[", "]", "{", "}",
    ",", ".",
    "..", "?", ":", "!", "&&", "||", "==", "=", "=>", "<", "in", "null", "true",
    "1e999", "0x", "1u", "99999999999999999999", "dyn(", "map(", "items", "purchase",
]  # fmt: skip


def expressions(count: int) -> Iterator[str]:
    """Expressions that should be refused, or be harmless."""
    return islice(chain(_tricks(), _mutated(Random(1))), count)


def programs(count: int) -> Iterator[str]:
    """The texts of program files that should be refused, or be harmless."""
    return islice(chain(_files(), _mutated_files(Random(2))), count)


def _tricks() -> Iterator[str]:
    for depth in (5, 31, 33, 500):
        yield "(" * depth + "true" + ")" * depth
        yield "!" * depth + "true"
        yield "[" * depth + "1" + "]" * depth + ".size() > 0"
        yield "{'a':" * depth + "1" + "}" * depth + ".size() > 0"
        yield "purchase" + ".merchant" * depth + " == ''"
        yield "true" + " ? true : false" * depth
        yield "items.all(i, " * depth + "true" + ")" * depth
        yield "1" + " + 1" * depth + " > 0"
        yield "true" + " && items.all(i, items.all(j, true))" * depth
    yield from _doubling()
    yield from _patterns()
    yield from _wholes()
    for text in _JUNK:
        yield from (text, f"true {text}", f"purchase.merchant == {text}", f"'{text}'")
    yield from ("", " ", "\n", "\t", "true\r\n", "// nothing", "true // so be it")
    yield from ("x" * 1_001, "x" * 10_000_000, "'" + "x" * 990 + "' == ''")


def _doubling() -> Iterator[str]:
    """A value that holds itself twice, again and again."""
    for depth in (3, 12, 25):
        text, value = "", "[[1, 1]]"
        for n in range(depth):
            text += f"{value}.exists(v{n}, "
            value = f"[[v{n}, v{n}]]"
        yield f"{text}{value} == {value}{')' * depth}"
        yield f"{text}{value} in [{value}]{')' * depth}"
        yield "['a']" + ".map(x, x + x)" * depth + " == ['a']"
        yield "[dyn('a')]" + ".map(x, dyn(x) + dyn(x))" * depth + ".size() > 0"
        yield "[[1]]" + ".map(x, [x, x])" * depth + ".size() > 0"
        yield "[{'a': 1}]" + ".map(x, {'a': x, 'b': x})" * depth + ".size() > 0"
    yield from (
        "dyn('a') + dyn('a') == 'aa'",
        "b'a' + b'a' == b'aa'",
        "[1].map(x, [1].map(y, 'a' + 'a')).size() > 0",
        "items.map(i, items).map(i, items).size() > 0",
        "items.filter(i, i in items).size() > 0",
        "items.map(i, i.total).map(t, t).map(t, t).size() > 0",
        "items.all(i, items.map(j, j.total).size() > 0)",
        "['a', 'b'].join(',').size() > 0",
        "'a'.replace('a', 'aa').size() > 0",
        "'%s'.format(['a']).size() > 0",
        "google.protobuf.ListValue{values: []} == []",
        "cel.bind(a, 'x', a == a)",
    )


def _patterns() -> Iterator[str]:
    for pattern in (
        "(x+x+)+y",
        "((x{1,30}){1,30})z",
        "(.*)(.*)(.*)(.*)(.*)z",
        "(x{50})(x{50})",
        "(x|xx)*y" * 30,
        "(",
        "[",
        "x{2,1}",
        "(?<=x)y",
        r"(x)\\1",
        r"\\pL" * 30,
    ):
        yield f"items.all(i, i.identifier.matches('{pattern}'))"
        yield f"items.all(i, items.all(j, j.sku.matches('{pattern}')))"
    yield "items.exists(i, purchase.merchant.matches(i.sku))"


def _wholes() -> Iterator[str]:
    yield from (
        "items == items",
        "items.exists(i, i in items)",
        "items.all(i, items[0] in items || true)",
        "items.all(i, items.all(j, i == j))",
        "items.all(i, dyn(items) == dyn(items))",
        "purchase in [purchase]",
        "[purchase].exists(p, p.order_total > 1)",
        "facts.item{sku: 'a'} in items",
        "(true ? items : items).all(i, true)",
        "items.all(i, items.all(j, items.all(k, true)))",
        "type(items) == list",
        "google.protobuf.Any{} == purchase",
        "purchase.attributed_at.getHours('Mars/Base') == 1",
        "timestamp('yesterday') < purchase.attributed_at",
        "duration('1000000000h') > duration('1s')",
        "1 / 0 == 1",
        "9223372036854775807 + purchase.order_total > 0",
        "items[999999999].quantity == 1",
    )


def _mutated(chance: Random) -> Iterator[str]:
    for right in cycle(TRUTHS):
        text = right
        for _ in range(chance.randrange(1, 4)):
            at = chance.randrange(len(text) + 1)
            upto = at + chance.choice([0, 0, 1, 5])
            more = chance.choice(
                [*_JUNK, text[at : at + 20], chr(chance.randrange(1, 2**16))]
            )
            text = text[:at] + more + text[upto:]
        yield text


def _files() -> Iterator[str]:
    right = json.dumps(program(rule()))
    yield from ("", " ", "null", "[]", "0", '"text"', "{", right[:-1], "\ufeff" + right)
    yield from (right + right, right + "x", right.replace(":", "="), f"// why\n{right}")
    yield from ('{"format": NaN}', '{"format": Infinity}', '{"format": 1e999999}')
    yield from ('{"format": 1' + "0" * 5000 + "}", '{"format": -0}', '{"format": 01}')
    yield from ('{"format": 1, "format": 1}', '{"form\\u0061t": 1, "format": 1}')
    for deep in (500, 100_000):
        yield "[" * deep
        yield '{"rules":' * deep
        yield '{"format": 1, "rules": ' + "[" * deep + "]" * deep + "}"
    yield "x" * 10_000_000
    yield json.dumps("x" * 400_000)
    yield json.dumps({"format": 1, "time_zone": "x" * 400_000})
    yield json.dumps({"format": 1, "rules": [0] * 150_000})
    yield json.dumps({"format": 1, "units": [{}] * 100_000})
    yield json.dumps({"format": 1} | {f"a{n}": n for n in range(30_000)})
    for name in ("merchants", "currencies", "countries", "weekdays", "segments"):
        for value in (0, "a", {}, [], None, "\ud800"):
            yield json.dumps(program(rule(when={name: [value] * 20_000})))
    twice = [f'"a{n}": 1' for n in range(30_000)]
    yield "{" + ", ".join([*twice, twice[-1]]) + "}"


_VALUES: list[Any] = [
    None, True, 0, -1, 1.5, 10**30, float("nan"), float("inf"), "", "x" * 300, "\0",
    "\ud800", "1e9", "-1", "１", "0x10", "USD", "usd", "2026-02-30T00:00:00Z", [], [[]],
    {}, {"": ""}, {"kind": "fixed"}, ["a", 1], "true", "1 +", "purchase.oder_total > 1",
]  # fmt: skip
_FIELDS = ("kind", "unit", "when", "items", "limits", "reward", "colour", "points")


def _mutated_files(chance: Random) -> Iterator[str]:
    while True:
        data: Any = copy.deepcopy(random_program(chance))
        for _ in range(chance.randrange(1, 4)):
            part = chance.choice([*_parts(data)])
            value = copy.deepcopy(chance.choice(_VALUES))
            if isinstance(part, dict):
                part[chance.choice([*part, *_FIELDS])] = value
            else:
                part.insert(0, value)
        text = json.dumps(data, ensure_ascii=chance.random() < 0.5)
        yield text[: chance.choice([None] * 9 + [-chance.randrange(1, 9)])]


def _parts(data: Any) -> Iterator[Any]:
    """Every object and list of a program file."""
    if isinstance(data, dict | list):
        yield data
        for value in data.values() if isinstance(data, dict) else data:
            yield from _parts(value)
