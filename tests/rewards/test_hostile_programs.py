"""Five thousand hostile expressions and files: a clear error each, or no harm done."""

import pytest

from rewards.program import vocabulary
from rewards.program.expressions import ExpressionError, ExpressionFailed, compiled
from rewards.program.facts import About, Facts
from rewards.program.vocabulary import ProgramError
from rewards.reports import LineItem
from tests.builders import program, report, rule
from tests.rewards import hostile

pytestmark = pytest.mark.once

EXPRESSIONS = FILES = 2_500


def large_order() -> Facts:
    """As many lines as an order may have."""
    lines = [
        LineItem(identifier="x" * 250, sku=f"SKU-{n}", quantity=1, amount=5, total=5)
        for n in range(1_000)
    ]
    segments = tuple(f"segment-{n}" for n in range(100))
    return Facts(report(lines=tuple(lines)), About(segments=segments))


def test_hostile_expressions_are_refused_in_words_or_do_no_harm():
    order = large_order()
    refused = 0
    for text in hostile.expressions(EXPRESSIONS):
        try:
            expression = compiled(text)
        except ExpressionError as error:
            refused += 1
            assert error.said
            assert "\n" not in error.said
            assert len(error.said) <= 301
            assert "facts." not in error.said
            continue
        try:
            assert expression.holds(order) in (True, False)
        except ExpressionFailed as error:
            assert str(error)
    assert refused > EXPRESSIONS / 2


def test_hostile_files_are_told_what_is_wrong_or_are_right():
    refused = 0
    for text in hostile.programs(FILES):
        try:
            read = vocabulary.parse_text(text)
        except ProgramError as error:
            refused += 1
            assert 0 < len(error.lines) <= 101
            for line in error.lines:
                first, *drawn = line.split("\n")
                assert first
                assert not drawn or drawn[-1].strip() == "^"
                assert len(first) < 700
                line.encode()
        else:
            assert vocabulary.parse(vocabulary.dump(read)) == read
    assert refused > FILES / 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "purchase.oder_total > 1",
            "no field “oder_total” in purchase; do you mean",
        ),
        ("purchse.order_total > 1", "there is no “purchse”; do you mean “purchase”?"),
        ("purchase.merchant.startswith('a')", "do you mean “startsWith”?"),
        ("purchase.order_total >", "the expression ends too early"),
        ("purchase.order_total > 1.5", "“>” does not go with a whole number and a num"),
        ("purchase.merchant = 'a'", "write == to compare"),
        ("true and true", "write && for “and”"),
        ("(true", "“)” is missing"),
        ("'abc", "the text that begins with ' does not end"),
        ("purchase.order_total", "must be true or false, and this is a whole number"),
        ("items.map(i, [i.total]).size() > 1", "map can only make numbers"),
        ("items.map(i, items).size() > 1", "map can only make numbers"),
        ("items.filter(i, true) == items", "asked for one of their fields"),
        (
            "items.filter(i, items.filter(j, true).size() > 0).size() > 0",
            "filter and map can't stand in a loop",
        ),
        (
            "items.filter(i, true).filter(i, true).filter(i, true).size() > 0",
            "at most 2 times in all",
        ),
        ("dyn('a') + dyn('b') == ''", "only numbers, times and durations can be added"),
        ("[[1]].exists(a, [[a, a]].exists(b, true))", "a list of fixed values"),
        ("items.exists(i, i in items)", "have to be asked for one of their fields"),
        ("click == null", "has(click.at)"),
        ("true\xa0", "a character that can't be seen: no-break space"),
        ("purchase.merchant.matches('(')", "invalid regular expression"),
        ("items.all(i, i.sku.matches('(x{9}){9}'))", "at most 50 times in all"),
        ("items.all(i, 'a'.matches(i.sku))", "a pattern must be a fixed text"),
        ("timestamp('now') > purchase.attributed_at", "Timestamp conversion failed"),
        ("(" * 40 + "true" + ")" * 40, "nested too deeply"),
        ("x" * 1001, "longer than 1000 characters"),
    ],
)
def test_a_wrong_expression_is_told_in_plain_words(text, said):
    with pytest.raises(ExpressionError) as error:
        compiled(text)
    assert said in error.value.said


def test_the_caret_stands_under_the_mistake():
    with pytest.raises(ProgramError) as error:
        vocabulary.parse(
            program(rule(when={"expression": "true\n  && purchase.oder_total > 1"}))
        )
    [line] = error.value.lines
    said, source, caret = line.split("\n")
    assert said.startswith('rule "base": when.expression: there is no field')
    assert source == "  && purchase.oder_total > 1"
    assert source[caret.index("^") :].startswith(".oder_total")


def test_what_is_useful_is_not_refused():
    for text in (
        "items.exists(item, item.sku.matches('^LAMP-[0-9]{4}$'))",
        "['org-1', 'org-2'].exists(id, purchase.merchant == id)",
        "items.all(a, items.exists_one(b, a.sku == b.sku))",
        "purchase.attributed_at + duration('24h') > click.at",
        "purchase.attributed_at.getDayOfWeek('America/New_York') == 2",
        "size(items) > 1 && items[0].attributes['colour'] == 'red'",
        "member.segments.exists(segment, segment.startsWith('gold'))",
    ):
        compiled(text)
