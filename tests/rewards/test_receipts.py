"""Receipts: every rule tried, its conditions, its sums, and the same awards again."""

from datetime import timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewards.models import Award, Member
from rewards.program.evaluation import CompiledProgram
from rewards.program.facts import About, Facts
from rewards.program.limits import Use, room
from rewards.program.receipts import Receipt, receipt
from rewards.program.trials import APPLIED, Trial, Tried, try_rules
from rewards.reports import LineItem
from tests.builders import (
    DOLLARS,
    NOW,
    ORDERED,
    POINTS,
    fixed,
    make_member,
    per_amount,
    program,
    publish_program,
    purchase,
    report,
    rule,
    settle_reports,
    share,
)

LAMP = LineItem(sku="LAMP-9", categories=("LIGHTING",), quantity=2, total=5000)
SHADE = LineItem(categories=("HOME", "SHADES"), quantity=1, total=4100)
GONE = LineItem(categories=("GARDEN",), quantity=0, total=0)
LINES = (LAMP, SHADE, GONE)
DOUBLE = {"kind": "multiplier", "factor": "2"}
TOP_UP = {"kind": "top_up", "points": "100"}


def trial(*rules, about=None, uses=None, units=(POINTS, DOLLARS), **changes) -> Trial:
    facts = Facts(report(**changes), about or About())
    compiled = CompiledProgram(program(*rules, units=units))
    return try_rules(compiled, facts, uses=uses or {})


def tried(*rules, **kwargs) -> Tried:
    """What became of the last of these rules."""
    return trial(*rules, **kwargs).rules[-1]


def said(tried: Tried) -> dict[str, tuple[str, str, bool]]:
    return {a.condition: (a.wanted, a.found, a.held) for a in tried.conditions}


def test_every_condition_is_told_with_both_values():
    when = {
        "merchants": ["org-other"],
        "currencies": ["USD"],
        "segments": ["vip"],
        "countries": ["us"],
        "min_order_total": "100",
        "expression": "purchase.order_total > 9000",
    }
    about = About(segments=("new", "young"), country="US")
    found = tried(rule(when=when), about=about)
    assert said(found) == {
        "merchants": ("org-other", "org-71d0be5529aa4f03", False),
        "currencies": ("USD", "USD", True),
        "countries": ("US", "US", True),
        "segments": ("vip", "new, young", False),
        "min_order_total": ("at least 100", "91.00 USD", False),
        "expression": ("purchase.order_total > 9000", "true", True),
    }
    assert (found.outcome, found.failed.condition) == ("not_matched", "merchants")


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({}, "applied"),
        ({"when": {"currencies": ["EUR"]}}, "not_matched"),
        ({"when": {"expression": "purchase.order_total > 9100"}}, "not_matched"),
        ({"when": {"expression": "items[7].total > 0"}}, "failed"),
        ({"items": {"categories": ["BOOKS"]}}, "no_items"),
        ({"items": {"categories": ["garden"]}}, "nothing"),
        ({"items": {"skus": ["LAMP-9"]}}, "applied"),
        ({"unit": "USD", "reward": share("5", of="order_total")}, "applied"),
        (
            {"group": "bonus", "reward": {"kind": "multiplier", "factor": "2"}},
            "nothing",
        ),
        ({"group": "bonus", "reward": {"kind": "top_up", "points": "5"}}, "applied"),
    ],
)
def test_the_outcome_of_a_rule(changes, outcome):
    assert tried(rule(**changes), lines=LINES).outcome == outcome


@pytest.mark.parametrize(
    ("first", "before"),
    [
        (rule("first", group="override"), "first"),
        (rule("first"), "first"),
        (rule("first", group="bonus"), None),
        (rule("first", unit="USD"), None),
        (rule("first", when={"currencies": ["EUR"]}), None),
    ],
)
def test_the_rule_that_stood_before_is_named(first, before):
    found = tried(first, rule())
    stood = found.stood_before.key if found.stood_before else None
    assert (stood, found.outcome) == (before, "stood_back" if before else "applied")


def test_a_later_override_stands_before_all_others():
    found = trial(rule(), rule("extra", group="bonus"), rule("top", group="override"))
    assert [(t.outcome, t.granted) for t in found.rules] == [
        ("stood_back", 0),
        ("stood_back", 0),
        ("applied", 91),
    ]
    assert {t.stood_before.key for t in found.rules[:2]} == {"top"}


def test_the_lines_that_count_are_told_by_their_place():
    lamps = rule("lamps", items={"categories": ["shades", "lighting"]})
    assert tried(lamps, lines=LINES).lines == [0, 1]
    assert tried(rule(), lines=LINES).lines is None
    assert tried(lamps).lines == []


def test_sums_are_exact_and_run_on():
    found = trial(
        rule(), rule("third", group="bonus", reward=per_amount("1", "3")),
        order_total=9199,
    )  # fmt: skip
    assert [(t.exact, t.running, t.granted) for t in found.rules] == [
        (Fraction(9199, 100), Fraction(9199, 100), 91),
        (Fraction(9199, 300), Fraction(9199, 75), 31),
    ]
    [points] = found.units
    assert (points.mode, points.exact, points.rounded, points.remainder) == (
        *("floor", Fraction(9199, 75), 122),
        Fraction(49, 75),
    )


@pytest.mark.parametrize(
    ("mode", "rounded", "remainder"),
    [("floor", 91, "1/2"), ("ceil", 92, "-1/2"), ("half_even", 92, "-1/2")],
)
def test_each_unit_says_how_it_was_rounded(mode, rounded, remainder):
    units = [{**POINTS, "rounding": mode}]
    [points] = trial(rule(), units=units, order_total=9150).units
    assert (points.rounded, points.remainder) == (rounded, Fraction(remainder))


def test_a_limit_leaves_less_than_was_asked_for():
    capped = rule(limits={"per_member": {"amount": 5000, "period": "month"}})
    uses = {"base": [Use("per_member", 5000, used=4950)]}
    found = tried(capped, uses=uses)
    assert (found.exact, found.given, found.wanted, found.granted) == (91, 50, 91, 50)
    assert found.limits == uses["base"]


def test_a_limit_per_order_is_known_without_other_purchases():
    found = tried(rule(limits={"per_order": 40}))
    assert (found.granted, found.limits) == (40, [Use("per_order", 40)])


def test_nothing_is_paid_where_an_expression_fails():
    broken = rule("broken", group="bonus", when={"expression": "items[0].total > 0"})
    found = trial(rule(), broken)
    assert [(t.outcome, t.granted) for t in found.rules] == [
        ("nothing", 0),
        ("failed", 0),
    ]
    assert "Index error" in said(found.rules[1])["expression"][1]


_rules = st.lists(
    st.fixed_dictionaries(
        {
            "group": st.sampled_from(["override", "base", "bonus"]),
            "unit": st.sampled_from(["points", "USD"]),
            "items": st.sampled_from([{}, {"categories": ["lighting"]}]),
            "limits": st.sampled_from([{}, {"per_order": 7}, {"budget": 20}]),
            "reward": st.sampled_from(
                [
                    fixed("3"),
                    per_amount("0.7"),
                    per_amount("3", "7", of="commission"),
                    DOUBLE,
                    TOP_UP,
                ]
            ),
        }
    ),
    max_size=6,
)


@given(_rules, st.integers(0, 12_345), st.integers(0, 30))
def test_a_trial_grants_what_evaluation_grants(changes, total, used):
    rules = [rule(f"r{n}", **each) for n, each in enumerate(changes)] or [rule()]
    compiled = CompiledProgram(program(*rules))
    facts = Facts(report(order_total=total, commission=total // 9, lines=LINES))
    uses = {
        r.spec.key: [Use("budget", 20, used)]
        for r in compiled.rules
        if r.spec.limits.budget
    }
    found = try_rules(compiled, facts, uses=uses)
    rooms = {key: most for key, of in uses.items() if (most := room(of)) is not None}
    assert sorted(
        (t.rule, t.wanted, t.granted, t.why)
        for t in found.rules
        if t.outcome == APPLIED
    ) == sorted(
        (a.rule, a.wanted, a.granted, a.why) for a in compiled.evaluate(facts, rooms)
    )
    for unit in found.units:
        granted = sum(t.granted for t in found.rules if t.unit == unit.unit)
        assert granted == unit.rounded == unit.exact - unit.remainder


@pytest.mark.django_db
class TestStored:
    """The receipt of a settled purchase."""

    def found(self, key="btnorder-1") -> Receipt:
        return receipt(purchase(key))

    def test_facts_are_those_of_the_first_settling(self):
        make_member("alice", segments=["vip"])
        publish_program(rule(when={"segments": ["vip"]}))
        settle_reports(report())
        Member.objects.update(segments=[])
        settle_reports(report(status="validated", modified_at=NOW))
        found = self.found()
        assert (found.facts.about.segments, found.facts.about.first) == (
            ("vip",),
            ("ever", "merchant"),
        )
        assert (found.rules[0].granted, found.reproduced) == (91, True)

    def test_limits_are_told_as_they_stood(self):
        limited = {"per_member": {"amount": 100, "period": "month"}, "budget": 1000}
        publish_program(rule(limits=limited))
        settle_reports(report())
        settle_reports(report(order_id="btnorder-2", transaction_id="tx-2"))
        first, second = self.found().rules[0], self.found("btnorder-2").rules[0]
        assert (first.granted, second.granted) == (91, 9)
        assert set(second.limits) == {
            Use("per_member", 100, 91, 0),
            Use("budget", 1000, 91, 0),
        }
        assert self.found().reproduced and self.found("btnorder-2").reproduced

    def test_a_hold_has_its_end(self):
        publish_program(rule(hold_days=14))
        settle_reports(report(status="validated", validated_at=ORDERED))
        assert self.found().held_until == {"base": ORDERED + timedelta(days=14)}
        assert self.found().reproduced

    def test_an_award_that_no_rule_gives_is_seen(self):
        publish_program()
        settle_reports(report())
        award = Award.objects.get()
        Award.objects.create(
            settlement=award.settlement, rule="other", unit=award.unit,
            wanted=1, granted=1, why="nobody knows",
        )  # fmt: skip
        assert not self.found().reproduced

    @pytest.mark.parametrize(
        ("changes", "note"),
        [
            ({"status": "declined"}, "declined"),
            ({"customer_id": ""}, "Nobody"),
            ({"category": "app-install"}, "App installs"),
        ],
    )
    def test_what_is_not_evaluated_says_why(self, changes, note):
        publish_program()
        settle_reports(report(**changes))
        found = self.found()
        assert note in found.note
        assert (found.rules, found.reproduced) == ((), True)

    def test_a_purchase_in_review_from_the_start_says_why(self):
        publish_program(rule(when={"expression": "items[0].total > 0"}))
        settle_reports(report())
        found = self.found()
        assert (found.note, found.rules) == (purchase().review, ())
        assert "base" in found.note
