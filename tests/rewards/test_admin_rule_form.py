"""The rule form: the whole vocabulary in fields, and nothing impossible saved."""

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from merchants.models import Merchant
from rewards.admin.expression_help import examples, facts
from rewards.admin.rule_form import unused_key
from rewards.models import NetworkAccount, Rule
from rewards.program import draft, expressions
from tests.builders import MERCHANT, NOW, fixed, make_member, per_amount, rule, share
from tests.rewards.rule_forms import errors_of, filled_in, load, sent_back, url_of
from tests.staff import client_of, count_queries, make_staff, make_superuser, text_of

pytestmark = pytest.mark.django_db
LIST = "/admin/rewards/rule/"
STORES = "/admin/rewards/rule/stores/"
EVERYTHING = rule(
    label={"en": "All", "fr": "Tout"},
    group="bonus",
    when={
        "merchants": [MERCHANT],
        "merchant_categories": ["HOME"],
        "order_categories": ["new-user-order"],
        "currencies": ["USD"],
        "countries": ["US", "CA"],
        "channels": ["app"],
        "accounts": ["acc-1"],
        "starts_at": "2026-11-01T00:00:00-04:00",
        "ends_at": "2026-12-01T00:00:00-05:00",
        "weekdays": ["saturday", "sunday"],
        "time_zone": "Asia/Tokyo",
        "min_order_total": "25.00",
        "max_order_total": "500",
        "segments": ["gold"],
        "first_purchase": "merchant",
        "expression": "purchase.order_total > 100",
    },
    items={
        "categories": ["LIGHTING"],
        "skus": ["L-1"],
        "gtins": ["0012"],
        "attributes": ["colour=sand"],
    },
    reward=per_amount("2", "3.50", of="commission", whole=True),
    limits={
        "per_order": 500,
        "per_member": {"amount": 5000, "period": "week"},
        "per_member_count": 3,
        "budget": 1_000_000,
    },
    expires_after_days=365,
    hold_days=30,
)


@pytest.fixture
def root() -> Client:
    return client_of(make_superuser())


@pytest.mark.parametrize(
    "one",
    [
        EVERYTHING,
        rule(group="bonus", reward={"kind": "multiplier", "factor": "1.5"}),
        rule(reward={"kind": "top_up", "points": "100"}),
        rule(unit="USD", reward=share("50"), limits={"per_order": 250}),
        rule(unit="USD", reward=fixed("1"), limits={"budget": 100_000}),
    ],
)
def test_saving_an_untouched_rule_changes_nothing(
    one: dict[str, Any], root: Client
) -> None:
    load(one, time_zone="America/New_York")
    before = draft.export()
    page = root.get(url_of(Rule.objects.get()))
    answer = root.post(url_of(Rule.objects.get()), sent_back(page))
    assert answer.status_code == 302
    assert draft.export() == before


def test_amounts_of_limits_are_typed_in_major_units(root: Client) -> None:
    load(rule("other"))
    cash = filled_in("USD", kind="share", percent="50", of="commission")
    limits = {"per_order": "2.5", "per_member": "10", "per_member_period": "day"}
    assert root.post(url_of(), cash | limits).status_code == 302
    assert Rule.objects.get(key="base").limits == {
        "per_order": 250,
        "per_member": {"amount": 1000, "period": "day"},
    }


BONUS = {"group": "bonus", "kind": "multiplier", "factor": "2"}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({**BONUS, "group": "base"}, "group"),
        ({**BONUS, "group": "override"}, "group"),
        ({**BONUS, "categories": ["LIGHTING"]}, "categories"),
        ({**BONUS, "item_attributes": ["colour=sand"]}, "item_attributes"),
        ({**BONUS, "factor": "0.5"}, "factor"),
        ({**BONUS, "factor": ""}, "factor"),
        ({"kind": "top_up", "points": ""}, "points"),
        ({"kind": "share", "percent": "50", "of": "commission"}, "kind"),
        ({"per_order": "0.5"}, "per_order"),
        ({"per_member": "0", "per_member_period": "day"}, "per_member"),
        ({"per_member": "5", "per_member_period": "eon"}, "per_member_period"),
        ({"per_member_count": "0"}, "per_member_count"),
        ({"budget": "-5"}, "budget"),
        ({"countries": ["USA"]}, "countries"),
        ({"channels": ["pigeon"]}, "channels"),
        ({"weekdays": ["someday"]}, "weekdays"),
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"segments": ["x" * 201]}, "segments"),
        ({"item_attributes": ["sand"]}, "item_attributes"),
        ({"expression": "purchase.order_totl > 5"}, "expression"),
        ({"expires_after_days": "0"}, "expires_after_days"),
        ({"hold_days": "99999"}, "hold_days"),
        ({"translations": f"of: {'x' * 201}"}, "label_text"),
    ],
)
def test_what_can_never_be_meant_is_refused_at_its_field(
    changes: dict[str, Any], field: str, root: Client
) -> None:
    load(rule())
    before = draft.raw()
    page = root.post(url_of(Rule.objects.get()), filled_in(**changes))
    assert list(errors_of(page)) == [field]
    assert draft.raw() == before


@pytest.mark.parametrize(("clock", "fault"), [("02:30", "skip"), ("01:30", "twice")])
def test_a_time_that_clocks_skip_or_show_twice_is_refused(
    clock: str, fault: str, root: Client
) -> None:
    load(rule())
    day = "2026-03-08" if fault == "skip" else "2026-11-01"
    typed = {"ends_at_0": day, "ends_at_1": clock, "zone": "America/New_York"}
    page = root.post(url_of(Rule.objects.get()), filled_in(**typed))
    (said,) = errors_of(page)["ends_at"]
    assert fault in said


def test_an_expressions_fault_has_a_caret_under_it(root: Client) -> None:
    load(rule())
    typed = filled_in(expression="true &&\n  purchase.order_totl > 5")
    (said,) = errors_of(root.post(url_of(Rule.objects.get()), typed))["expression"]
    text, line, caret = said.split("\n")
    assert "order_totl" in text
    assert line.index(".order_totl") == caret.index("^")


def test_sections_that_are_not_used_are_closed(root: Client) -> None:
    load(rule("plain"), EVERYTHING)
    plain = root.get(url_of(Rule.objects.get(key="plain")))
    full = root.get(url_of(Rule.objects.get(key="base")))
    assert closed(full) == set()
    assert closed(plain) == {"channels", "starts_at", "expression"} | {
        *("categories", "per_order", "hold_days")
    }
    back = root.post(url_of(), filled_in(points="", skus=["L-1"], budget="9"))
    assert closed(plain) - closed(back) == {"categories", "per_order"}


def closed(page: Any) -> set[str]:
    """The first field of each section that is."""
    return {
        options["fields"][0]
        for _, options in page.context["adminform"].fieldsets
        if "collapse" in options.get("classes", ())
    }


def test_stores_are_looked_up_and_never_all_sent(root: Client) -> None:
    Merchant.objects.bulk_create(
        Merchant(external_id=f"org-{n:04}", name=f"Store {n:04}", slug=f"s{n}")
        for n in range(300)
    )
    load(rule(when={"merchants": ["org-0007", "org-unknown"]}))
    page = text_of(root.get(url_of(Rule.objects.get())))
    assert "Store 0007 (org-0007)" in page
    assert 'value="org-unknown" selected' in page
    assert "Store 0008" not in page
    assert found(root, "store 00") == [f"Store {n:04} (org-{n:04})" for n in range(20)]
    assert found(root, "ORG-0299") == ["Store 0299 (org-0299)"]
    assert found(root, "nowhere") == []


def found(client: Client, term: str) -> list[str]:
    results = client.get(STORES, {"term": term}).json()["results"]
    return [result["text"] for result in results]


def test_stores_are_for_those_who_see_rules() -> None:
    assert client_of(make_staff()).get(STORES).status_code == 403
    for permission in ("view_rule", "add_rule"):
        user = make_staff(f"rewards.{permission}", username=permission)
        assert client_of(user).get(STORES).status_code == 200


def test_what_is_in_use_is_suggested(root: Client) -> None:
    load(rule())
    make_member(segments=["gold", "beta"])
    Merchant.objects.create(external_id="org-1", name="Lamps", categories=["HOME"])
    NetworkAccount.objects.create(
        network="button", external_id="acc-9", name="Main", first_seen_at=NOW
    )
    page = text_of(root.get(url_of()))
    for suggested in ("gold", "beta", "HOME", "acc-9"):
        assert f'<option value="{suggested}"' in page
    assert "Main (acc-9)" in page


def test_a_form_costs_no_query_for_each_store_member_or_rule(root: Client) -> None:
    load(rule("one", when={"merchants": ["org-1"]}))
    one = Rule.objects.get(key="one")
    before = count_queries(root, url_of(one))
    make_member(segments=["gold"])
    for n in range(5):
        Merchant.objects.create(external_id=f"org-{n}", name=f"Store {n}")
        Rule.objects.create(**values(one) | {"key": f"more-{n}", "position": n})
    assert count_queries(root, url_of(one)) == before


def values(one: Rule) -> dict[str, Any]:
    names = ("label", "group", "unit", "when", "reward")
    return {name: getattr(one, name) for name in names}


def test_a_rule_is_saved_as_a_new_one_with_a_key_of_its_own(root: Client) -> None:
    load(EVERYTHING, rule("last"), time_zone="America/New_York")
    one = Rule.objects.get(key="base")
    again = sent_back(root.get(url_of(one))) | {"_saveasnew": "1"}
    root.post(url_of(one), again)
    root.post(url_of(one), again)
    root.post(url_of(one), again | {"key": "mine"})
    first, last, *copies = draft.export()["rules"]
    assert [copy["key"] for copy in copies] == ["base-2", "base-3", "mine"]
    assert all(copy | {"key": "base"} == first for copy in copies)
    assert last["key"] == "last"


def test_a_numbered_key_is_no_longer_than_a_key_may_be() -> None:
    load(rule("k" * 64))
    assert unused_key("k" * 64) == "k" * 60 + "-2"


def test_every_fact_is_explained_and_every_example_holds_water() -> None:
    told = {fact.name for group in facts() for fact in group.facts}
    known = {
        f"{name}.{field}"
        for name, fields in expressions.FACTS.items()
        for field in fields
    }
    assert told == known
    for example in examples():
        expressions.compiled(example.text)


def test_the_list_costs_no_query_for_each_rule(root: Client) -> None:
    when = {"merchants": [MERCHANT]}
    load(rule("one", when=when))
    before = count_queries(root, LIST)
    load(*(rule(f"rule-{n}", when=when) for n in range(8)))
    assert count_queries(root, LIST) == before


def test_a_rule_that_is_wrong_says_so_in_the_list(root: Client) -> None:
    load(rule("right"), rule("wrong"))
    Rule.objects.filter(key="wrong").update(reward={"kind": "fixed", "points": "0"})
    page = text_of(root.get(LIST))
    assert "rule &quot;wrong&quot;: reward.points: must be above zero" in page
    assert "Members get 1 point per 1.00 of the order total." in page


def test_rules_stand_together_by_their_unit(root: Client) -> None:
    cash = {"unit": "USD", "reward": share("50")}
    load(rule("cash", **cash), rule("points"), rule("more-cash", **cash))
    page = root.get(LIST)
    keys = [one.key for one in page.context["cl"].result_list]
    assert keys == ["points", "cash", "more-cash"]


def move(client: Client, key: str, way: str) -> Any:
    pk = Rule.objects.get(key=key).pk
    return client.post(reverse(f"admin:rewards_rule_{way}", args=[pk]))


def test_a_rule_is_moved_without_a_mouse(root: Client) -> None:
    cash = {"unit": "USD", "reward": share("50")}
    load(rule("cash", **cash), rule("one"), rule("two"), rule("three"))
    assert 'aria-label="Move “Two” up"' in text_of(root.get(LIST))
    answer = move(root, "three", "up")
    assert answer.url == f"{LIST}#up-{Rule.objects.get(key='three').pk}"
    assert LogEntry.objects.get().object_repr == "three"
    move(root, "one", "down")
    in_points = [r["key"] for r in draft.raw()["rules"] if r["unit"] == "points"]
    assert in_points == ["three", "one", "two"]


def test_a_rule_stays_within_its_unit(root: Client) -> None:
    cash = {"unit": "USD", "reward": share("50")}
    load(rule("one"), rule("cash", **cash))
    before = draft.raw()
    for key, way in (("one", "up"), ("one", "down"), ("cash", "up"), ("cash", "down")):
        move(root, key, way)
    assert draft.raw() == before
    assert not LogEntry.objects.exists()


def test_moving_is_for_those_who_may_change_rules(root: Client) -> None:
    load(rule("one"), rule("two"))
    viewer = client_of(make_staff("rewards.view_rule"))
    assert move(viewer, "two", "up").status_code == 403
    up = reverse("admin:rewards_rule_up", args=[Rule.objects.get(key="two").pk])
    assert root.get(up).status_code == 405
    assert root.post("/admin/rewards/rule/999/up/").status_code == 404
    assert [r["key"] for r in draft.raw()["rules"]] == ["one", "two"]
