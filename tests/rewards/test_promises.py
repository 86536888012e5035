"""What a store promises is what the engine then pays."""

from datetime import timedelta
from fractions import Fraction

import pytest

from merchants.models import Merchant
from rewards.models import Edition
from rewards.program import draft, editions, vocabulary
from rewards.promises import (
    Amount,
    Promise,
    Promises,
    days,
    expected_at,
    listed_stores,
    snapshot,
)
from rewards.settling.usage import open_budgets
from tests.builders import (
    DOLLARS,
    NOW,
    ORDERED,
    POINTS,
    balances,
    fixed,
    make_merchant,
    per_amount,
    program,
    publish_program,
    purchase,
    report,
    rule,
    settle_reports,
    share,
)
from tests.rewards.storefront import make_offer, make_stores

pytestmark = pytest.mark.django_db

HALF = rule("half", unit="USD", reward=share("50"))
USD = {"currencies": ["USD"]}


def promise(*, at=NOW) -> Promise:
    [merchant] = listed_stores()
    return Promises.load(at=at).of(merchant)


def said(amounts) -> list[tuple[str, int, int, str]]:
    return [(a.unit, a.amount, a.per, a.currency) for a in amounts]


def publish_with_units(units, *rules) -> None:
    draft.replace(vocabulary.parse(program(*rules, units=units)))
    editions.publish(now=NOW)


@pytest.fixture
def store() -> Merchant:
    return make_merchant()


@pytest.mark.parametrize("percent", ["4", "8.25", "3.333", "0.015", "33.3333"])
def test_an_order_as_in_the_sample_earns_what_was_promised(store, percent):
    publish_program(
        rule(when=USD),
        rule("big", group="bonus", reward=fixed("250"), when=USD),
        HALF,
    )
    make_offer(store, percent)
    promised = {(a.unit, "pending"): a.amount for a in promise().headline}
    commission = int(Fraction(percent) * 100)  # what the store pays us for 100.00
    settle_reports(report(order_total=100_00, commission=commission))
    assert balances() == promised


def test_each_rate_is_told_named_goods_first(store):
    publish_program(rule(), HALF)
    make_offer(store, "4")
    make_offer(store, "8", kind="category", label="Lamps", tag="Holiday")
    make_offer(store, "0", kind="exclusion", label="Gift cards")
    found = promise()
    assert [(r.kind, r.label, r.tag, said(r.amounts)) for r in found.rates] == [
        (
            "category",
            "Lamps",
            "Holiday",
            [("points", 100, 100_00, "USD"), ("USD", 400, 100_00, "USD")],
        ),
        (
            "default",
            "",
            "",
            [("points", 100, 100_00, "USD"), ("USD", 200, 100_00, "USD")],
        ),
        ("exclusion", "Gift cards", "", []),
    ]
    assert said(found.headline) == [
        ("points", 100, 100_00, "USD"),
        ("USD", 400, 100_00, "USD"),
    ]
    assert found.up_to


def test_one_rate_is_no_up_to(store):
    publish_program(HALF)
    make_offer(store, "4")
    make_offer(store, "0", kind="exclusion")
    assert not promise().up_to


def test_a_fixed_rate_is_in_its_own_currency(store):
    pounds = {**DOLLARS, "code": "GBP"}
    publish_with_units([pounds], rule("half", unit="GBP", reward=share("50")))
    make_offer(store, fixed=350, currency="GBP")
    assert said(promise().headline) == [("GBP", 175, 100_00, "GBP")]


def test_without_rates_rules_on_the_order_total_still_say_something(store):
    publish_program(rule(), HALF)
    [rate] = promise().rates
    assert rate.amounts == [
        Amount("points", 100, 100_00, "USD"),
        Amount("USD", 50_00, 100_00, "USD", of="commission"),
    ]


def test_an_exclusion_alone_leaves_the_rest_unknown(store):
    publish_program(rule())
    make_offer(store, "0", kind="exclusion", label="Gift cards")
    assert [rate.kind for rate in promise().rates] == ["default", "exclusion"]
    assert said(promise().headline) == [("points", 100, 100_00, "USD")]


def test_a_threshold_counts_when_the_sample_reaches_it(store):
    above = {**USD, "min_order_total": "100.01"}
    reached = {**USD, "min_order_total": "100.00"}
    publish_program(
        rule("above", reward=fixed("7"), when=above),
        rule("reached", reward=fixed("5"), when=reached),
    )
    assert said(promise().headline) == [("points", 5, 100_00, "USD")]


def test_rules_of_other_stores_and_other_times_promise_nothing(store):
    publish_program(
        rule("others", when={"merchants": ["org-other"], "currencies": ["EUR"]}),
        rule("over", when={"ends_at": "2026-11-01T00:00:00Z"}),
    )
    assert (promise().headline, promise().up_to) == ([], False)


def test_every_currency_that_the_rules_name_is_sampled(store):
    yen = {**DOLLARS, "code": "JPY", "decimals": 0}
    publish_with_units(
        [POINTS, yen],
        rule(when={"currencies": ["EUR"]}),
        rule("tenth", unit="JPY", reward=share("10", of="order_total")),
    )
    assert said(promise().headline) == [
        ("points", 100, 100_00, "EUR"),
        ("JPY", 1000, 10_000, "JPY"),
    ]


def test_points_on_the_commission_follow_the_rate(store):
    publish_program(rule(reward=per_amount("10", of="commission")))
    make_offer(store, "4.55")
    assert said(promise().headline) == [("points", 45, 100_00, "USD")]


def test_a_rate_that_ended_counts_no_more(store):
    publish_program(HALF)
    make_offer(store, "9", until=NOW)
    make_offer(store, "4")
    assert said(promise().headline) == [("USD", 200, 100_00, "USD")]


def test_the_edition_in_force_promises_and_no_other(store, settings):
    settings.PUBLISH_MARGIN = 0
    assert promise() == Promise()
    publish_program(rule(), at=ORDERED)
    later = NOW + timedelta(hours=1)
    publish_program(rule(reward=per_amount("2")), at=later)
    assert promise(at=ORDERED - timedelta(seconds=1)).edition is None
    before, after = promise(), promise(at=later)
    assert (before.edition, said(before.headline)[0][1]) == (1, 100)
    assert (after.edition, said(after.headline)[0][1]) == (2, 200)


def names(*rules) -> list[tuple[str, int]]:
    """What an order of 100.00 USD is promised, by unit."""
    publish_program(*rules)
    return [(a.unit, a.amount) for a in promise().headline]


@pytest.mark.parametrize(
    "when",
    [
        {"segments": ["vip"]},
        {"first_purchase": "merchant"},
        {"order_categories": ["new-user-order"]},
        {"countries": ["US"]},
        {"channels": ["app"]},
        {"accounts": ["acc-1"]},
        {"weekdays": ["saturday", "sunday"]},
        {"merchant_categories": ["BOOKS"]},
        {"expression": "has(click.at)"},
        {"expression": "items.exists(i, i.sku == 'LAMP-9')"},
        {"expression": "member.joined_at < timestamp('2020-01-01T00:00:00Z')"},
        {"expression": "member.joined_at > timestamp('2026-11-01T00:00:00Z')"},
    ],
)
def test_what_not_everybody_gets_is_not_promised(store, when):
    special = rule("special", group="override", reward=fixed("500"), when=when)
    assert names(rule(), special) == [("points", 100)]


@pytest.mark.parametrize(
    "when",
    [
        {"order_categories": ["existing-user-order"]},
        {"weekdays": ["friday"]},
        {"merchant_categories": ["LIGHTING"]},
        {"expression": "purchase.order_total >= 10000"},
    ],
)
def test_what_everybody_gets_today_is_promised(when):
    make_merchant(categories=["LIGHTING"])
    special = rule("special", group="override", reward=fixed("500"), when=when)
    assert names(rule(), special) == [("points", 500)]


def test_an_expression_that_fails_promises_nothing(store):
    broken = rule("broken", group="bonus", when={"expression": "items[1].total > 0"})
    assert names(rule(), broken) == []


@pytest.mark.parametrize("wanted", ["lamps", "HOLIDAY"])
def test_a_rule_for_goods_is_promised_for_the_rate_of_these_goods(store, wanted):
    publish_program(
        rule("lamps", reward=per_amount("3"), items={"categories": [wanted]}),
        rule(),
    )
    make_offer(store, "8", kind="category", label="Lamps", tag="Holiday")
    make_offer(store, "6", kind="category", label="Chairs")
    make_offer(store, "4")
    found = {rate.label: rate.amounts[0].amount for rate in promise().rates}
    assert found == {"Lamps": 300, "Chairs": 100, "": 100}


@pytest.mark.parametrize(
    ("limits", "most"),
    [
        ({"per_order": 40}, 40),
        ({"per_member": {"amount": 30, "period": "day"}}, 30),
        ({"per_order": 40, "budget": 20}, 20),
        ({"per_member_count": 1}, 100),
    ],
)
def test_a_limit_bounds_what_one_order_is_promised(store, limits, most):
    assert names(rule(limits=limits)) == [("points", most)]


def test_what_a_budget_has_given_is_promised_no_more(store):
    publish_program(rule(limits={"budget": 100}))
    open_budgets(Edition.objects.get().content)
    settle_reports(report())
    assert said(promise().headline) == [("points", 9, 100_00, "USD")]


@pytest.mark.parametrize("number", [1, 200])
def test_a_long_list_asks_no_more_than_a_short_one(number, django_assert_num_queries):
    publish_program(rule(), HALF)
    make_stores(number)
    Promises.load(at=NOW)  # the edition is compiled once in each process
    with django_assert_num_queries(4):
        promises = Promises.load(at=NOW)
        found = [promises.of(merchant) for merchant in listed_stores()]
    assert len(found) == number
    assert all(said(one.headline)[1][1] == 400 for one in found)


def test_a_snapshot_keeps_rates_and_terms(store):
    publish_program(rule())
    Merchant.objects.update(exclusions="No shipping.", own_terms="Tested.")
    [merchant] = listed_stores()
    kept = snapshot(merchant, promise())
    assert (kept["edition"], kept["headline"][0]["amount"]) == (1, 100)
    assert kept["terms"]["exclusions"] == "No shipping."
    assert kept["terms"]["notes"] == "Tested."


def test_a_pending_order_is_expected_when_its_store_is_usually_done(store):
    Merchant.objects.update(finalization_minutes=45 * 24 * 60)
    settle_reports(report())
    assert expected_at(purchase()) == ORDERED + timedelta(days=45)
    settle_reports(report(status="validated", modified_at=NOW))
    assert expected_at(purchase()) is None


def test_nothing_is_expected_where_nothing_is_known(store):
    settle_reports(report(), report(order_id="late", transaction_id="tx-2"))
    assert expected_at(purchase()) is None
    Merchant.objects.update(finalization_minutes=2**31 - 1)
    found = purchase()
    found.attributed_at = found.attributed_at.replace(year=9999)
    assert expected_at(found) is None


@pytest.mark.parametrize(
    ("minutes", "whole"), [(None, None), (0, 0), (1, 1), (1440, 1), (64800, 45)]
)
def test_days_are_rounded_up(minutes, whole):
    assert days(minutes) == whole
