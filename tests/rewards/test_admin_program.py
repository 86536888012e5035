"""The draft in admin: nothing wrong can be saved; publishing, and taking it back."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from merchants.models import Merchant
from rewards.admin.rule_form import blamed
from rewards.models import Edition, Program, Reward, Rule, Unit
from rewards.program import draft
from tests.builders import (
    MERCHANT,
    balances,
    fixed,
    per_amount,
    publish_program,
    report,
    rule,
    settle_reports,
    share,
)
from tests.rewards.rule_forms import errors_of, filled_in, load, sent_back, url_of
from tests.staff import client_of, make_staff, make_superuser, said, text_of

pytestmark = pytest.mark.django_db
PUBLISH = "/admin/rewards/edition/publish/"
AUTUMN = {
    "starts_at": "2026-11-01T00:00:00-04:00",
    "currencies": ["USD"],
    "ends_at": "2026-12-01T00:00:00-05:00",
    "merchants": [MERCHANT, "org-unknown"],
    "min_order_total": "25.00",
    "max_order_total": "500",
}


@pytest.fixture
def root() -> Client:
    return client_of(make_superuser())


def test_a_rule_is_made_from_plain_fields(root: Client) -> None:
    load(rule("first"))
    answer = root.post(
        url_of(),
        filled_in(
            merchants=[MERCHANT, "org-not-yet"],
            currencies=["USD", "EUR"],
            starts_at_0="2026-11-01",
            starts_at_1="00:00:00",
            zone="America/New_York",
            min_order_total="25.00",
            whole="on",
            translations="es: Un punto por dólar",
        ),
    )
    assert answer.status_code == 302
    made = Rule.objects.get(key="base")
    assert made.label == {"en": "A point a dollar", "es": "Un punto por dólar"}
    assert made.when == {
        "merchants": [MERCHANT, "org-not-yet"],
        "currencies": ["USD", "EUR"],
        "starts_at": "2026-11-01T00:00:00-04:00",
        "min_order_total": "25.00",
    }
    assert made.reward == per_amount("1", whole=True)
    assert made.position > Rule.objects.get(key="first").position
    draft.load()


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"when": AUTUMN, "reward": per_amount("2", "3.50", of="commission")},
        {"label": {"en": "Half", "fr": "Moitié"}, "unit": "USD", "reward": share("50")},
        {"label": {"fr": "Moitié", "en": "Half"}, "reward": fixed("250")},
        {"reward": per_amount("1", whole=True), "group": "override"},
    ],
)
def test_saving_an_untouched_rule_changes_nothing(
    changes: dict[str, Any], root: Client
) -> None:
    load(rule(**changes), time_zone="America/New_York")
    before = draft.export()
    one = Rule.objects.get()
    page = root.get(url_of(one))
    assert root.post(url_of(one), sent_back(page)).status_code == 302
    assert draft.export() == before


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"points": ""}, "points"),
        ({"points": "0"}, "points"),
        ({"points": "1,5"}, "points"),
        ({"per": "-1"}, "per"),
        ({"per": ""}, "per"),
        ({"kind": "share", "percent": "5", "of": "commission"}, "kind"),
        ({"kind": "share", "percent": ""}, "percent"),
        ({"min_order_total": "10"}, "currencies"),
        ({"min_order_total": "ten", "currencies": ["USD"]}, "min_order_total"),
        (
            {"min_order_total": "9", "max_order_total": "8", "currencies": ["USD"]},
            "max_order_total",
        ),
        (
            {"starts_at_0": "2026-11-02", "starts_at_1": "00:00"}
            | {"ends_at_0": "2026-11-01", "ends_at_1": "00:00"},
            "ends_at",
        ),
        (
            {"starts_at_0": "2026-03-08", "starts_at_1": "02:30"}
            | {"zone": "America/New_York"},
            "starts_at",
        ),
        ({"currencies": ["XXX"]}, "currencies"),
        ({"key": "-dash"}, "key"),
        ({"key": "other"}, "key"),
        ({"label_text": ""}, "label_text"),
        ({"translations": "Spanish"}, "translations"),
        ({"translations": "Spanish: hola"}, "label_text"),
        ({"kind": "lottery"}, "kind"),
        ({"unit": ""}, "unit"),
        ({"zone": "Mars/Olympus"}, "zone"),
    ],
)
def test_an_impossible_rule_is_refused_at_its_field(
    changes: dict[str, Any], field: str, root: Client
) -> None:
    load(rule(), rule("other"))
    before = draft.raw()
    one = Rule.objects.get(key="base")
    page = root.post(url_of(one), filled_in(**changes))
    assert list(errors_of(page)) == [field]
    assert draft.raw() == before


def test_a_refused_form_keeps_an_unknown_merchant(root: Client) -> None:
    load(rule())
    one = Rule.objects.get()
    page = root.post(url_of(one), filled_in(merchants=["org-new"], points=""))
    assert 'value="org-new" selected' in text_of(page)


def test_a_line_about_something_else_is_told_above_the_form() -> None:
    assert blamed('rule "other": label: is missing', "base")[0] is None
    assert blamed('rule "base": nonsense', "base") == (None, "nonsense")


def test_rules_are_listed_in_order_with_their_stores_by_name(root: Client) -> None:
    Merchant.objects.create(external_id=MERCHANT, name="Lumen & Oak")
    load(rule("second", when={"merchants": [MERCHANT]}), rule("first"))
    page = root.get(reverse("admin:rewards_rule_changelist"))
    assert [r.key for r in page.context["cl"].result_list] == ["second", "first"]
    assert "shopping at Lumen &amp; Oak" in text_of(page)


def test_dragging_rules_changes_their_precedence(root: Client) -> None:
    load(rule("one"), rule("two"))
    one, two = Rule.objects.all()
    order = {"form-TOTAL_FORMS": "2", "form-INITIAL_FORMS": "2", "_save": "Save"}
    order |= {"form-0-id": two.pk, "form-0-position": 0}
    order |= {"form-1-id": one.pk, "form-1-position": 1}
    root.post(reverse("admin:rewards_rule_changelist"), order)
    assert [r["key"] for r in draft.raw()["rules"]] == ["two", "one"]


def test_who_may_only_view_rules_reads_them_in_words() -> None:
    load(rule(when=AUTUMN))
    clerk = client_of(make_staff("rewards.view_rule"))
    text = text_of(clerk.get(url_of(Rule.objects.get())))
    assert "get 1 point per 1.00 USD of the order total" in text
    assert "spending at least 25.00 USD" in text
    assert "until 1 December 2026, 05:00 (UTC)" in text
    assert clerk.get(reverse("admin:rewards_rule_changelist")).status_code == 200


def unit_page(code: str) -> str:
    pk = Unit.objects.get(code=code).pk
    return reverse("admin:rewards_unit_change", args=[pk])


POINTS = {
    "name": "point",
    "name_plural": "points",
    "decimals": "0",
    "rounding": "floor",
    "in_draft": "on",
    "worth": "",
    "worth_currency": "",
}


def test_a_units_worth_is_two_plain_fields(root: Client) -> None:
    load(rule())
    given = POINTS | {"worth": "0.01", "worth_currency": "USD"}
    root.post(unit_page("points"), given)
    assert Unit.objects.get(code="points").value == {
        "amount": "0.01",
        "currency": "USD",
    }
    root.post(unit_page("points"), POINTS)
    assert Unit.objects.get(code="points").value is None


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"worth": "0.01"}, "worth_currency"),
        ({"worth": "cheap", "worth_currency": "USD"}, "worth"),
        ({"name": ""}, "name"),
        ({"decimals": "7"}, "decimals"),
        ({"in_draft": ""}, "__all__"),
    ],
)
def test_an_impossible_unit_is_refused_at_its_field(
    changes: dict[str, str], field: str, root: Client
) -> None:
    load(rule())
    before = draft.raw()
    page = root.post(unit_page("points"), POINTS | changes)
    assert list(errors_of(page)) == [field]
    assert draft.raw() == before


def test_decimals_stay_once_a_reward_has_its_price_in_the_unit(root: Client) -> None:
    load(rule())
    points = Unit.objects.get(code="points")
    Reward.objects.create(
        key="mug", name="Mug", kind=Reward.Kind.MANUAL, unit=points, minimum=500
    )
    page = root.post(unit_page("points"), POINTS | {"decimals": "2"})
    assert list(errors_of(page)) == ["decimals"]
    assert Unit.objects.get(code="points").decimals == 0


def test_decimals_stay_while_members_hold_the_unit(root: Client) -> None:
    publish_program()
    settle_reports(report())
    page = root.post(unit_page("points"), POINTS | {"decimals": "2"})
    assert list(errors_of(page)) == ["decimals"]
    assert Unit.objects.get(code="points").decimals == 0


def test_the_time_zone_is_one_that_exists(root: Client) -> None:
    url = reverse("admin:rewards_program_change", args=[Program.load().pk])
    root.post(url, {"time_zone": "Mars/Olympus"})
    assert Program.load().time_zone == "UTC"
    root.post(url, {"time_zone": "Europe/Madrid"})
    assert Program.load().time_zone == "Europe/Madrid"


def test_publishing_the_first_edition_settles_what_waited(root: Client) -> None:
    settle_reports(report())
    load(rule())
    page = root.post(PUBLISH, {"note": "Go.", "at_0": "", "at_1": ""}, follow=True)
    assert "1 waiting order was settled." in said(page)[0]
    assert balances() == {("points", "pending"): 91}
    edition = Edition.objects.get()
    assert (edition.note, edition.published_by.username) == ("Go.", "root")


def test_every_fault_of_the_draft_is_shown_and_nothing_published(root: Client) -> None:
    load(rule())
    Rule.objects.update(reward={"kind": "fixed", "points": "0"}, when={"moon": "full"})
    shown = text_of(root.get(PUBLISH))
    refused = text_of(root.post(PUBLISH, {"note": ""}))
    for text in (shown, refused):
        assert "when.moon: " in text
        assert "reward.points: " in text
    assert not Edition.objects.exists()


def test_the_page_says_whether_the_draft_differs(root: Client) -> None:
    load(rule())
    assert "first edition" in text_of(root.get(PUBLISH))
    publish_program(rule())
    assert "exactly what Edition 1 says" in text_of(root.get(PUBLISH))
    load(rule(reward=fixed("5")))
    assert "differs from Edition 1" in text_of(root.get(PUBLISH))
    assert Edition.objects.count() == 1


def test_a_later_edition_needs_its_margin(root: Client) -> None:
    publish_program(rule())
    load(rule(reward=fixed("5")))
    refused = root.post(PUBLISH, {"at_0": "2026-01-01", "at_1": "00:00"})
    assert "is too early" in text_of(refused)
    assert Edition.objects.count() == 1


@pytest.fixture
def scheduled() -> Edition:
    now = timezone.now()
    publish_program(rule(), now=now - timedelta(days=9))
    load(rule(reward=fixed("5")))
    return publish_program(rule(), now=now, at=now + timedelta(days=2))


def withdraw(edition: Edition) -> str:
    return reverse("admin:rewards_edition_withdraw", args=[edition.pk])


def test_a_scheduled_edition_is_withdrawn(scheduled: Edition, root: Client) -> None:
    page = reverse("admin:rewards_edition_change", args=[scheduled.pk])
    assert withdraw(scheduled) in text_of(root.get(page))
    root.post(withdraw(scheduled))
    scheduled.refresh_from_db()
    assert scheduled.withdrawn_at
    assert withdraw(scheduled) not in text_of(root.get(page))


def test_an_edition_that_holds_is_not_withdrawn(
    scheduled: Edition, root: Client
) -> None:
    first = Edition.objects.get(number=1)
    assert "already holds" in text_of(root.post(withdraw(first)))
    assert not Edition.objects.exclude(withdrawn_at=None).exists()


def test_who_may_only_view_publishes_and_withdraws_nothing(scheduled: Edition) -> None:
    clerk = client_of(make_staff("rewards.view_edition", "rewards.change_rule"))
    for url in (PUBLISH, withdraw(scheduled)):
        assert clerk.get(url).status_code == 403
        assert clerk.post(url, {}).status_code == 403
    scheduled.refresh_from_db()
    assert (scheduled.withdrawn_at, Edition.objects.count()) == (None, 2)
    assert PUBLISH not in text_of(
        clerk.get(reverse("admin:rewards_edition_changelist"))
    )
