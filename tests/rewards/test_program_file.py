"""Tests of the program file: what it may say, and what it is told when it is wrong."""

import copy
import json
from typing import Any

import pytest
from django.test import SimpleTestCase
from hypothesis import given
from hypothesis import strategies as st

from rewards.program import vocabulary
from rewards.program.vocabulary import ProgramError
from tests.builders import DOLLARS, POINTS, fixed, program, rule, share

COMPLETE = {
    "format": 1,
    "time_zone": "America/New_York",
    "units": [{**POINTS, "value": {"amount": "0.01", "currency": "USD"}}, DOLLARS],
    "rules": [
        rule(
            "base-usd",
            label={"en": "A point", "es": "Un punto"},
            when={
                "merchants": ["org-1"],
                "currencies": ["USD"],
                "starts_at": "2026-11-01T00:00:00-05:00",
                "ends_at": "2026-12-01T00:00:00Z",
                "min_order_total": "10.00",
                "max_order_total": "99.50",
            },
        ),
        rule("gift", group="bonus", reward=fixed("5")),
        rule("half", unit="USD", reward=share("50")),
        rule(
            "lamps",
            group="bonus",
            when={
                "merchant_categories": ["home"],
                "order_categories": ["new-user-order"],
                "countries": ["us"],
                "channels": ["app"],
                "accounts": ["acc-1"],
                "weekdays": ["saturday", "sunday"],
                "time_zone": "Europe/Madrid",
                "segments": ["gold"],
                "first_purchase": "merchant",
                "expression": "items.exists(item, item.quantity > 1)",
            },
            items={
                "categories": ["LIGHTING"],
                "skus": ["LAMP-1"],
                "gtins": ["0123"],
                "attributes": ["colour=sand"],
            },
            reward={"kind": "multiplier", "factor": "2"},
            limits={
                "per_order": 1,
                "per_member": {"amount": 5, "period": "week"},
                "per_member_count": 3,
                "budget": 1000,
            },
            expires_after_days=365,
            hold_days=30,
        ),
        rule("least", group="bonus", reward={"kind": "top_up", "points": "10"}),
    ],
}


def faults(data: object) -> list[str]:
    with pytest.raises(ProgramError) as error:
        vocabulary.parse(data)
    return error.value.lines


def faults_of_text(text: str) -> list[str]:
    with pytest.raises(ProgramError) as error:
        vocabulary.parse_text(text)
    return error.value.lines


def with_rule(**changes: Any) -> dict[str, Any]:
    return program({**rule("lamps"), **changes})


def with_when(**when: Any) -> dict[str, Any]:
    return with_rule(when=when)


def with_unit(**changes: Any) -> dict[str, Any]:
    return program(units=[{**POINTS, **changes}])


def without(name: str, **changes: Any) -> dict[str, Any]:
    spec = {k: v for k, v in rule("lamps", **changes).items() if k != name}
    return program(spec)


def giving(points: Any) -> dict[str, Any]:
    return {"kind": "fixed", "points": points}


IN_QUOTES = "must be in quotes"

WRONG: list[tuple[dict[str, Any], str, str]] = [
    # The file itself.
    ({"format": 2}, "format", "must be 1"),
    ({"format": "1"}, "format", "whole number"),
    ({"format": True}, "format", "whole number"),
    ({}, "format", "is missing"),
    ({"format": 1, "ruls": []}, "ruls", "format, time_zone, units, rules"),
    ({"format": 1, "rules": {}}, "rules", "must be a list"),
    ({"format": 1, "rules": [7]}, "rule 1", "must be an object"),
    ({"format": 1, "units": None}, "units", "must be a list"),
    ({"format": 1, "time_zone": "Mars/Base"}, "time_zone", "IANA time zone"),
    ({"format": 1, "time_zone": 3}, "time_zone", IN_QUOTES),
    ({"format": 1, "limits": {}}, "limits", "is unknown here"),
    # Units.
    (with_unit(code="p p"), 'unit "p p": code', "letters"),
    (with_unit(code="usd"), 'unit "usd": code', "write USD"),
    (with_unit(code="JPY", decimals=2), 'unit "JPY": decimals', "must be 0"),
    (with_unit(decimals=7), 'unit "points": decimals', "at most 6"),
    (with_unit(decimals=-1), 'unit "points": decimals', "at least 0"),
    (with_unit(decimals="0"), 'unit "points": decimals', "without quotes"),
    (with_unit(decimals=0.5), 'unit "points": decimals', "whole number"),
    (with_unit(rounding="up"), 'unit "points": rounding', "'floor'"),
    (with_unit(name=""), 'unit "points": name', "must not be empty"),
    (with_unit(name="x" * 201), 'unit "points": name', "at most 200"),
    (with_unit(name_plural="a\nb"), 'unit "points": name_plural', "one line"),
    (with_unit(colour="red"), 'unit "points": colour', "is unknown here"),
    (with_unit(value={"amount": 0.01, "currency": "USD"}),
     'unit "points": value.amount', f'{IN_QUOTES}: "0.01"'),
    (with_unit(value={"amount": "0", "currency": "USD"}),
     'unit "points": value.amount', "above zero"),
    (with_unit(value={"amount": "1", "currency": "XTS"}),
     'unit "points": value.currency', "ISO 4217"),
    (with_unit(value={"amount": "1"}), 'unit "points": value.currency', "is missing"),
    (program(units=[POINTS, POINTS]), 'unit "points"', "stands twice"),
    # A rule's own fields.
    (without("key"), "rule 1: key", "is missing"),
    (with_rule(key="two words"), 'rule "two words": key', "letters, digits"),
    (with_rule(key=["list"]), "rule 1: key", "text in quotes"),
    (with_rule(key="x" * 65), "key", "1 to 64"),
    (program(rule("twin"), rule("twin")), 'rule "twin"', "stands twice"),
    (without("label"), 'rule "lamps": label', "is missing"),
    (with_rule(label=""), 'rule "lamps": label', "must not be empty"),
    (with_rule(label={}), 'rule "lamps": label', "must not be empty"),
    (with_rule(label=7), 'rule "lamps": label', IN_QUOTES),
    (with_rule(label={"english": "x"}), 'rule "lamps": label.english', "language code"),
    (with_rule(label={"en": None}), 'rule "lamps": label.en', "text in quotes"),
    (with_rule(label="nul\0"), 'rule "lamps": label', "control characters"),
    (with_rule(label="\ud800"), 'rule "lamps": label', "Unicode"),
    (without("group"), 'rule "lamps": group', "is missing"),
    (with_rule(group="extra"), 'rule "lamps": group', "'override', 'base' or 'bonus'"),
    (without("unit"), 'rule "lamps": unit', "is missing"),
    (with_rule(unit="stars"), 'rule "lamps": unit', "known: USD, points"),
    (with_rule(limit={}), 'rule "lamps": limit', "is unknown here"),
    (with_rule(**{"a\nb": 1}), 'rule "lamps": "a\\nb"', "is unknown here"),
    # Conditions.
    (with_rule(when=None), 'rule "lamps": when', "must be an object"),
    (with_when(merchant="org-1"), 'rule "lamps": when.merchant', "merchants"),
    (with_when(merchants="org-1"), 'rule "lamps": when.merchants', "must be a list"),
    (with_when(merchants=[""]), 'rule "lamps": when.merchants.0', "must not be empty"),
    (with_when(merchants=[1]), 'rule "lamps": when.merchants.0', IN_QUOTES),
    (with_when(currencies=["usd"]), 'rule "lamps": when.currencies.0', "ISO 4217"),
    (with_when(currencies=["USD", "EURO"]), "when.currencies.1", "EURO"),
    (with_when(starts_at="2026-11-01"), 'rule "lamps": when.starts_at', "offset"),
    (with_when(starts_at="2026-11-01T00:00:00"), "when.starts_at", "offset"),
    (with_when(starts_at="2026-02-30T00:00:00Z"), "when.starts_at", "calendar"),
    (with_when(starts_at="0001-01-01T00:00:00+09:00"), "when.starts_at", "calendar"),
    (with_when(ends_at=1_800_000_000), 'rule "lamps": when.ends_at', "in quotes"),
    (with_when(starts_at="2026-11-01T00:00:00Z", ends_at="2026-11-01T01:00:00+01:00"),
     'rule "lamps": when.ends_at', "after starts_at"),
    (with_when(min_order_total="10"), 'rule "lamps": when.currencies', "say which"),
    (with_when(min_order_total=10, currencies=["USD"]),
     'rule "lamps": when.min_order_total', f'{IN_QUOTES}: "10"'),
    (with_when(min_order_total="-1", currencies=["USD"]),
     'rule "lamps": when.min_order_total', "decimal string"),
    (with_when(min_order_total="9", max_order_total="8", currencies=["USD"]),
     'rule "lamps": when.max_order_total', "below min_order_total"),
    # Rewards.
    (without("reward"), 'rule "lamps": reward', "is missing"),
    (with_rule(reward=5), 'rule "lamps": reward', "must be an object"),
    (with_rule(reward={}), 'rule "lamps": reward.kind', "is missing"),
    (with_rule(reward={"kind": "percent"}), 'rule "lamps": reward.kind', "per_amount"),
    (with_rule(reward={"kind": ["fixed"]}), 'rule "lamps": reward.kind', "per_amount"),
    (with_rule(reward={"kind": {}}), 'rule "lamps": reward.kind', "per_amount"),
    (with_rule(reward={"kind": "fixed"}), 'rule "lamps": reward.points', "is missing"),
    (with_rule(reward=giving(5)), 'rule "lamps": reward.points', f'{IN_QUOTES}: "5"'),
    (with_rule(reward=giving(0.1)), 'rule "lamps": reward.points', '"0.1"'),
    (with_rule(reward=fixed("0.00")), 'rule "lamps": reward.points', "above zero"),
    (with_rule(reward=fixed("1e3")), 'rule "lamps": reward.points', "decimal string"),
    (with_rule(reward=fixed("1,5")), 'rule "lamps": reward.points', "decimal string"),
    (with_rule(reward=fixed("٣")), 'rule "lamps": reward.points', "decimal string"),
    (with_rule(reward=fixed("1" * 13)), 'rule "lamps": reward.points', "12 digits"),
    (with_rule(reward=giving(float("nan"))), 'rule "lamps": reward.points', IN_QUOTES),
    (with_rule(reward={**fixed("1"), "per": "1"}), "reward.per", "kind, points"),
    (with_rule(reward={"kind": "per_amount", "points": "1", "of": "order_total"}),
     'rule "lamps": reward.per', "is missing"),
    (with_rule(reward=share("5", of="total")), 'rule "lamps": reward.of', "commission"),
    (with_rule(reward=share("5")), 'rule "lamps": reward', "per_amount gives points"),
    (with_rule(reward=share("5%"), unit="USD"), "reward.percent", "decimal string"),
    # Line items, limits, days.
    (with_rule(items=[]), 'rule "lamps": items', "must be an object"),
    (with_rule(items={"colour": []}), 'rule "lamps": items.colour', "categories, skus"),
    (with_rule(items={"skus": "a"}), 'rule "lamps": items.skus', "must be a list"),
    (with_rule(items={"attributes": ["red"]}), "items.attributes.0", "key=value"),
    (with_rule(limits={"budget": 0}), 'rule "lamps": limits.budget', "at least 1"),
    (with_rule(limits={"budget": "9"}), 'rule "lamps": limits.budget', "whole number"),
    (with_rule(limits={"per_day": 1}), "limits.per_day", "per_order, per_member"),
    (with_rule(limits={"per_member": {"amount": 1}}), "limits.per_member.period",
     "is missing"),
    (with_rule(limits={"per_member": {"amount": 1, "period": "hour"}}),
     'rule "lamps": limits.per_member.period', "'month'"),
    (with_rule(expires_after_days=0), "expires_after_days", "at least 1"),
    (with_rule(hold_days=1.5), 'rule "lamps": hold_days', "whole number"),
    # Conditions on the member, the day, the route.
    (with_when(segments=[""]), 'rule "lamps": when.segments.0', "must not be empty"),
    (with_when(first_purchase="once"), "when.first_purchase", "'ever' or 'merchant'"),
    (with_when(weekdays=["Monday"]), 'rule "lamps": when.weekdays.0', "'monday'"),
    (with_when(time_zone="CET+1"), 'rule "lamps": when.time_zone', "IANA time zone"),
    (with_when(countries=["USA"]), 'rule "lamps": when.countries.0', "two letters"),
    (with_when(channels=["web"]), 'rule "lamps": when.channels.0', "'webview'"),
    (with_when(order_categories=["any"]), "when.order_categories.0", "new-user-order"),
    # Rewards that follow from others.
    (with_rule(reward={"kind": "multiplier", "factor": "0.5"}),
     'rule "lamps": reward.factor', "at least 1"),
    (with_rule(reward={"kind": "multiplier", "factor": 2}), "reward.factor", IN_QUOTES),
    (with_rule(reward={"kind": "top_up"}), 'rule "lamps": reward.points', "is missing"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "where", "what"), WRONG)
def test_a_wrong_file_is_told_where_and_what(data, where, what):
    (line,) = faults(data)
    assert line.startswith(where) or f": {where}: " in line
    assert what in line
    assert "\n" not in line
    line.encode()


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "not a JSON file"),
        ("{", "not a JSON file"),
        ('{"format": NaN}', "NaN is no JSON number"),
        ('{"format": 1, "format": 1}', '"format" stands twice'),
        ('{"format": 1, "rules": [{"key": "a", "key": "b"}]}', '"key" stands twice'),
        ("[" * 100_000, "nested too deeply"),
        ('{"format": ' + "1" * 5000 + "}", "not a JSON file"),
        ("[]", "must be an object"),
        ("null", "must be an object"),
        ('"program"', "must be an object"),
    ],
)
def test_what_is_no_program_file_is_told_so(text, what):
    (line,) = faults_of_text(text)
    assert what in line


class ProgramFileTests(SimpleTestCase):
    def test_a_complete_file_is_understood_and_written_as_it_was(self):
        read = vocabulary.parse_text(json.dumps(COMPLETE))
        self.assertEqual(vocabulary.dump(read), COMPLETE)

    def test_each_fault_has_a_line_of_its_own(self):
        wrong = program(rule("a", group="x", unit=7), rule("b", reward=giving(1)))
        self.assertEqual(len(faults({**wrong, "time_zone": "nowhere"})), 4)

    def test_languages_are_written_in_a_fixed_order(self):
        label = {"es": "Un punto", "en": "A point"}
        read = vocabulary.parse(program(rule(label=label)))
        self.assertEqual(list(vocabulary.dump(read)["rules"][0]["label"]), ["en", "es"])

    def test_a_long_wrong_value_is_cut(self):
        (line,) = faults({"format": 1, "time_zone": "x" * 10_000})
        self.assertLess(len(line), 200)


JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(
        [
            "\ud800",
            "a\n",
            "points",
            "USD",
            "fixed",
            "share",
            "kind",
            "1.50",
            "2026-11-01T00:00:00Z",
        ]
    ),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=5), inner, max_size=3)
        | st.tuples(inner)
    ),
    max_leaves=6,
)


def places(data: Any, path: tuple = ()) -> list[tuple]:
    """Every place in a program file, by its path."""
    steps = data.items() if isinstance(data, dict) else enumerate(data)
    found = [path]
    for step, value in steps:
        deeper = isinstance(value, dict | list)
        found += places(value, (*path, step)) if deeper else [(*path, step)]
    return found


@st.composite
def mutations(draw: st.DrawFn) -> Any:
    """A right program file with one to three things put, added or taken away."""
    data: Any = copy.deepcopy(COMPLETE)
    for _ in range(draw(st.integers(1, 3))):
        *path, last = draw(st.sampled_from(places(data))) or (None,)
        if last is None:
            return draw(JUNK)
        part = data
        for step in path:
            part = part[step]
        match draw(st.sampled_from(["put", "add", "take"])):
            case "put":
                part[last] = draw(JUNK)
            case "add" if isinstance(part, dict):
                part[draw(st.text(max_size=8))] = draw(JUNK)
            case "add":
                part.append(draw(JUNK))
            case "take":
                del part[last]
        if not isinstance(data, dict):
            break
    return data


@given(mutations())
def test_no_mutation_does_worse_than_a_program_error(data):
    try:
        read = vocabulary.parse(data)
    except ProgramError as error:
        assert error.lines
        for line in error.lines:
            assert "\n" not in line
            line.encode()
    else:
        assert vocabulary.parse(vocabulary.dump(read)) == read


@given(st.text() | mutations().map(lambda data: json.dumps(data, default=str)))
def test_no_text_does_worse_than_a_program_error(text):
    try:
        vocabulary.parse_text(text)
    except ProgramError as error:
        assert error.lines
