"""What nobody types into the admin by accident: refused where it is typed, and soon."""

from time import monotonic
from typing import Any

import pytest
from django.test import Client

from rewards.models import Edition, Rerun, Rule
from rewards.program import draft
from tests.builders import publish_program, report, rule, settle_reports
from tests.rewards.rule_forms import filled_in, load, url_of
from tests.staff import client_of, make_superuser

pytestmark = pytest.mark.django_db
LIVE, STORES = "/admin/rewards/rule/live/", "/admin/rewards/rule/stores/"
PUBLISH, RETIRE = "/admin/rewards/edition/publish/", "/admin/rewards/edition/retire/"
NEW_RERUN = "/admin/rewards/rerun/new/"
MADE_UP = {"trial-source": "made_up", "trial-total": "10"}
LAST = ("9999-12-31", "23:59:59", "Pacific/Pago_Pago")
FIRST = ("0001-01-01", "00:00:00", "Asia/Tokyo")
AT_ONCE = 2  # seconds; what was not bounded took up to a minute


@pytest.fixture
def root() -> Client:
    return client_of(make_superuser())


def times(*names: str, of: tuple[str, str, str]) -> dict[str, str]:
    day, clock, zone = of
    parts = {"0": day, "1": clock}
    typed = {f"{name}_{n}": part for name in names for n, part in parts.items()}
    return typed | {"zone": zone}


RULES: list[dict[str, Any]] = [
    {"unit": "9" * 5000},
    {"unit": "9" * 30},
    {"unit": "²"},
    *({name: ["a\0b"]} for name in ("segments", "merchants", "accounts", "skus")),
    {"expression": "'\0' == ''"},
    {"expression": "(" * 400 + ")" * 400},
    {"expression": "x" * 100_000},
    {"expression": "items.exists(i, " * 30 + "true" + ")" * 30},
    {"label_text": "x\0"},
    {"translations": "e\0s: y"},
    {"translations": "es: y\n" * 10_000},
    times("starts_at", of=LAST),
    times("ends_at", of=FIRST),
    times("starts_at", of=(*LAST[:2], "UTC")),
    times("ends_at", of=(*FIRST[:2], "UTC")),
    *({"points": text} for text in ("1e999999999", "9" * 5000, "-1", "NaN")),
    *({"budget": text} for text in ("1e999999", "NaN", "1e-99999", "9" * 5000)),
    {"min_order_total": "1e999999", "currencies": ["USD"]},
    {"per_member_count": "9" * 5000},
    {"hold_days": "9" * 5000},
]
ORDERS: list[dict[str, Any]] = [
    *({"trial-lines": f"A: {n}"} for n in ("1e999999", "1e900000", "1e5000", "sNaN")),
    {"trial-lines": "A: " + "9" * 5000},
    {"trial-lines": "A: 1\n" * 150_000},
    {"trial-lines": "A\0: 1"},
    {"trial-total": "1e999999"},
    {"trial-at": "9999-12-31T23:59"},
    {"trial-at": "0001-01-01T00:00"},
    {"trial-merchant": "a\0b"},
    {"trial-segments": "x," * 100_000},
    {"trial-source": "real", "trial-order": "a\0b"},
    {"trial-source": "real", "trial-order": "x" * 100_000},
    {"trial-source": "neither"},
]


def named(typed: dict[str, Any]) -> str:
    return " ".join(f"{name}={str(value)[:16]!r}" for name, value in typed.items())


def answered(client: Client, typed: dict[str, Any]) -> str:
    """What the live words say, which they do at once and briefly."""
    start = monotonic()
    answer = client.post(LIVE, filled_in(key="mine") | typed)
    assert answer.status_code == 200
    assert monotonic() - start < AT_ONCE
    assert len(answer.content) < 10_000
    said: dict[str, str] = answer.json()
    return said["words"] + said["lines"]


@pytest.mark.parametrize("typed", RULES, ids=named)
def test_a_rule_is_refused_while_it_is_typed_and_when_it_is_saved(
    typed: dict[str, Any], root: Client
) -> None:
    load(rule(), time_zone="America/New_York")
    before = draft.raw()
    answered(root, typed)
    page = root.post(url_of(Rule.objects.get()), filled_in() | typed)
    if page.status_code == 302:  # what PostgreSQL can't store was left out
        assert "\0" not in str(draft.raw())
    else:
        assert page.context["adminform"].form.errors
        assert draft.raw() == before


@pytest.mark.parametrize("typed", ORDERS, ids=named)
@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Tokyo"])
def test_an_order_is_refused_or_tried_at_once(
    typed: dict[str, Any], zone: str, root: Client
) -> None:
    wide = {"starts_at": "1999-01-01T00:00:00Z", "ends_at": "2999-01-01T00:00:00Z"}
    load(rule(when=wide | {"weekdays": ["monday"]}), time_zone=zone)
    settle_reports(report())
    assert answered(root, MADE_UP | {"categories": ["A"]} | typed)


def test_an_order_of_many_items_asks_a_dear_expression_at_once(root: Client) -> None:
    load(rule())
    dear = "items.all(i, items.all(j, items.all(k, i.total + j.total + k.total > 0)))"
    answered(root, MADE_UP | {"trial-lines": "A: 1\n" * 800, "expression": dear})


@pytest.mark.parametrize("pk", ["9" * 5000, "9" * 30, "x", "%00"])
def test_words_of_a_rule_that_is_none(pk: str, root: Client) -> None:
    load(rule())
    assert root.post(f"{LIVE}?rule={pk}", filled_in()).status_code == 200


@pytest.mark.parametrize("term", ["a\0b", "%", "_", "'\"<script>", "x" * 10_000])
def test_stores_that_are_none(term: str, root: Client) -> None:
    assert root.get(STORES, {"term": term}).json() == {"results": []}


def test_more_than_a_form_can_be_is_not_read(root: Client) -> None:
    load(rule())
    for much in ({"label_text": "x" * 10_000_000}, {"skus": ["x"] * 10_000}):
        assert root.post(LIVE, filled_in(**much)).status_code == 400


@pytest.mark.parametrize("at", [LAST, FIRST])
@pytest.mark.parametrize("page", [PUBLISH, RETIRE])
def test_an_edition_of_no_time(page: str, at: Any, root: Client) -> None:
    publish_program(rule())
    answer = root.post(page, times("at", of=at))
    assert answer.context["form"].errors == {"at": ["The year is out of range."]}
    assert Edition.objects.count() == 1


@pytest.mark.parametrize("at", [LAST, FIRST])
def test_a_rerun_of_no_time(at: Any, root: Client) -> None:
    edition = publish_program(rule())
    typed = {"edition": edition.pk, "reason": "Because"}
    answer = root.post(NEW_RERUN, typed | times("start", "end", of=at))
    assert set(answer.context["form"].errors) == {"start", "end"}
    assert not Rerun.objects.exists()


@pytest.mark.parametrize(
    "typed", [{"merchants": ["a\0b"]}, {"reason": "x\0"}, {"edition": "9" * 5000}]
)
def test_a_rerun_of_nothing(typed: dict[str, Any], root: Client) -> None:
    edition = publish_program(rule())
    right = times("start", "end", of=("2026-11-01", "00:00:00", "UTC"))
    right |= {"edition": edition.pk, "reason": "Because"}
    answer = root.post(NEW_RERUN, right | typed)
    assert set(answer.context["form"].errors) == typed.keys()
    assert not Rerun.objects.exists()
