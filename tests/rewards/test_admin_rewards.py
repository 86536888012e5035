"""Tests of the staff pages of the reward catalogue."""

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from rewards.models import GiftCode, Reward, Unit
from tests.builders import DOLLARS, POINTS, make_endpoint
from tests.rewards.sending import make_reward
from tests.staff import client_of, count_queries, make_superuser, text_of

pytestmark = pytest.mark.django_db

ADD = reverse("admin:rewards_reward_add")


@pytest.fixture
def root() -> Client:
    return client_of(make_superuser())


@pytest.fixture(autouse=True)
def units() -> dict[str, Unit]:
    return {u["code"]: Unit.objects.create(**u) for u in (POINTS, DOLLARS)}


def filled(unit: Unit, /, **changes: Any) -> dict[str, Any]:
    return {
        "key": "cash",
        "name": "Cash",
        "kind": "payout",
        "unit": unit.pk,
        "minimum": "5.00",
        "per_member_period": "ever",
        "position": "0",
        "active": "on",
        **changes,
    }


def page(name: str, reward: Reward) -> str:
    return reverse(f"admin:rewards_reward_{name}", args=[reward.pk])


def faults(answer: Any) -> dict[str, Any]:
    return dict(answer.context["adminform"].form.errors)


def test_amounts_are_typed_as_people_write_them(root: Client, units) -> None:
    changes = {"maximum": "50.00", "step": "2.50", "approve_above": "20.00"}
    root.post(ADD, filled(units["USD"], **changes))
    reward = Reward.objects.get()
    amounts = (reward.minimum, reward.maximum, reward.step, reward.approve_above)
    assert amounts == (500, 5000, 250, 2000)
    form = root.get(page("change", reward)).context["adminform"].form
    shown = [form[name].value() for name in ("minimum", "maximum", "step")]
    assert shown == ["5.00", "50.00", "2.50"]


def test_what_is_left_empty_is_without_limit(root: Client, units) -> None:
    root.post(ADD, filled(units["points"], minimum="500"))
    reward = Reward.objects.get()
    assert (reward.minimum, reward.maximum, reward.step) == (500, None, 1)
    assert reward.approve_above is None


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"minimum": "5"}, "minimum"),
        ({"minimum": "5,00"}, "minimum"),
        ({"minimum": "0.00"}, "minimum"),
        ({"minimum": "-5.00"}, "minimum"),
        ({"minimum": "x"}, "minimum"),
        ({"maximum": "4.00"}, "maximum"),
        ({"maximum": "50.00", "step": "0.00"}, "step"),
        ({"maximum": "50.00", "step": "7.00"}, "step"),
        ({"kind": "gift_code", "maximum": "9.00"}, "maximum"),
        ({"kind": "gift_code", "stock": "3"}, "stock"),
        ({"kind": "call"}, "endpoint"),
        ({"stock": "-1"}, "stock"),
        ({"kind": "magic"}, "kind"),
        ({"unit": ""}, "unit"),
    ],
)
def test_what_makes_no_sense_is_refused_where_it_stands(
    root: Client, units, changes, field
) -> None:
    assert field in faults(root.post(ADD, filled(units["USD"], **changes)))
    assert not Reward.objects.exists()


def test_only_a_call_goes_somewhere(root: Client, units) -> None:
    host = make_endpoint()
    answer = root.post(ADD, filled(units["USD"], endpoint=host.pk))
    assert "endpoint" in faults(answer)
    root.post(ADD, filled(units["USD"], kind="call", endpoint=host.pk))
    assert Reward.objects.get().endpoint == host


def test_a_gift_code_has_one_price(root: Client, units) -> None:
    root.post(ADD, filled(units["USD"], kind="gift_code"))
    reward = Reward.objects.get()
    assert (reward.minimum, reward.maximum) == (500, 500)


def test_what_redemptions_are_counted_by_stays(root: Client, units) -> None:
    reward = make_reward()
    changes = {"key": "x", "kind": "payout", "unit": units["USD"].pk}
    root.post(page("change", reward), filled(units["USD"], minimum="200", **changes))
    reward.refresh_from_db()
    assert (reward.key, reward.kind, reward.unit) == (
        "manual",
        "manual",
        units["points"],
    )
    assert (reward.name, reward.minimum) == ("Cash", 200)


def test_what_is_redeemed_while_staff_edit_stays_taken(root: Client, units) -> None:
    reward = make_reward(stock=5)
    url = page("change", reward)
    assert 'name="initial-stock"' in root.get(url).content.decode()
    sent = filled(units["points"], minimum="200", **{"initial-stock": "5"})
    Reward.objects.update(stock=3)
    root.post(url, sent | {"stock": "5"})
    reward.refresh_from_db()
    assert (reward.name, reward.stock) == ("Cash", 3)
    root.post(url, sent | {"stock": "9"})
    reward.refresh_from_db()
    assert reward.stock == 9


def test_codes_are_pasted_or_come_in_a_file_and_are_never_shown(root: Client) -> None:
    reward = make_reward("gift_code", maximum=100)
    file = SimpleUploadedFile("codes.txt", b"\xef\xbb\xbfFILE-1111\r\nPASTED-2222\n")
    data = {"pasted": "PASTED-1111\n\n PASTED-2222 ", "file": file}
    answer = root.post(page("add_codes", reward), data, follow=True)
    assert "3 codes are new. 1 was known." in text_of(answer)
    assert GiftCode.objects.count() == 3
    for url in (page("change", reward), page("history", reward)):
        shown = text_of(root.get(url))
        assert "PASTED" not in shown
        assert "FILE-" not in shown
    again = {"pasted": "FILE-1111"}
    answer = root.post(page("add_codes", reward), again, follow=True)
    assert "0 codes are new. 1 was known." in text_of(answer)


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"pasted": " \n "},
        {"pasted": "x" * 300},
        {"file": b"\xff\xfe\x00"},
        {"file": b"PK\x00\x03"},
        {"file": b"x\n" * 600_000},
    ],
)
def test_no_codes_are_no_codes(root: Client, data: dict[str, Any]) -> None:
    reward = make_reward("gift_code", maximum=100)
    if "file" in data:
        data = {"file": SimpleUploadedFile("codes.txt", data["file"])}
    assert root.post(page("add_codes", reward), data).context["form"].errors
    assert not GiftCode.objects.exists()


def test_a_reward_without_a_pool_takes_no_codes(root: Client) -> None:
    answer = root.post(page("add_codes", make_reward()), {"pasted": "CODE"})
    assert answer.context["form"].non_field_errors()
    assert not GiftCode.objects.exists()


def test_the_list_says_how_many_codes_are_left_in_one_query(root: Client) -> None:
    url = reverse("admin:rewards_reward_changelist")
    pool = make_reward("gift_code", maximum=100)
    root.post(page("add_codes", pool), {"pasted": "A-1\nA-2"})
    few = count_queries(root, url)
    for n in range(5):
        make_reward(key=f"r{n}")
    assert count_queries(root, url) == few
    rows = root.get(url).context["cl"].result_list
    assert {row.key: row.free for row in rows}["gift_code"] == 2
