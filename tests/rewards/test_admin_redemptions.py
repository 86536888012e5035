"""Tests of the staff pages of redemptions, and of payout files."""

import csv
from io import StringIO
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from rewards.models import Freeze, Redemption, RedemptionStep, Reward
from rewards.redemptions import codes, payouts
from rewards.redemptions.payout_files import HEADER
from tests.builders import NOW, balances, make_member
from tests.rewards.sending import call_of, make_reward, redeem, redeem_by_call
from tests.staff import client_of, count_queries, make_staff, make_superuser, text_of

pytestmark = pytest.mark.django_db

Status = Redemption.Status
LIST = reverse("admin:rewards_redemption_changelist")
EXPORT = reverse("admin:rewards_redemption_export_payouts")
RESULTS = reverse("admin:rewards_redemption_payout_results")
BEFORE = NOW.replace(year=2025)
SPENDING = {"available": 900, "reserved": 100}
SPENT = {"available": 900}
BACK = {"available": 1000}


@pytest.fixture
def root() -> Client:
    return client_of(make_superuser())


def page(name: str, redemption: Redemption) -> str:
    return reverse(f"admin:rewards_redemption_{name}", args=[redemption.pk])


def held(customer_id: str = "alice") -> dict[str, int]:
    return {kind: amount for (_unit, kind), amount in balances(customer_id).items()}


def offered(client: Client, redemption: Redemption) -> set[str]:
    """The actions that the page offers."""
    shown = text_of(client.get(page("change", redemption)))
    names = ("approve", "fulfil", "cancel", "ask_again", "show_code", "show_details")
    return {name for name in names if page(name, redemption) in shown}


def redeem_payout(customer_id: str = "alice", details: str = "DE02 1203") -> Redemption:
    reward = Reward.objects.filter(key="payout").first()
    member = make_member(customer_id)
    payouts.put_details(member, method="bank", details=details, at=BEFORE)
    return redeem(reward or make_reward("payout"), customer_id=customer_id)


def test_sealed_details_are_not_guessed_through_the_address_bar(root: Client) -> None:
    redeem_payout()
    assert root.get(LIST, {"payout__startswith": "g"}).status_code == 400
    endpoints = reverse("admin:rewards_endpoint_changelist")
    assert root.get(endpoints, {"sealed__startswith": "g"}).status_code == 400


def test_what_is_handed_over_by_hand_is_fulfilled(root: Client) -> None:
    redemption = redeem(make_reward())
    assert offered(root, redemption) == {"fulfil", "cancel"}
    root.post(page("fulfil", redemption), {"reference": "parcel 7"})
    redemption.refresh_from_db()
    assert (redemption.status, redemption.reference) == (Status.FULFILLED, "parcel 7")
    assert held() == SPENT
    assert offered(root, redemption) == set()


def test_a_cancelled_one_is_given_back_with_a_reason(root: Client) -> None:
    redemption = redeem(make_reward())
    answer = root.post(page("cancel", redemption), {"reason": " "})
    assert answer.context["form"].errors
    assert held() == SPENDING
    root.post(page("cancel", redemption), {"reason": "Out of stock"})
    redemption.refresh_from_db()
    assert (redemption.status, redemption.why) == (Status.CANCELLED, "Out of stock")
    assert held() == BACK
    answer = root.post(page("fulfil", redemption), {"reference": ""})
    assert answer.context["form"].non_field_errors()
    assert held() == BACK


def test_a_large_one_is_approved_before_anything_happens(root: Client) -> None:
    redemption = redeem(make_reward(approve_above=50))
    assert offered(root, redemption) == {"approve", "cancel"}
    answer = root.post(page("fulfil", redemption), {"reference": ""})
    assert answer.context["form"].non_field_errors()
    root.post(page("approve", redemption))
    redemption.refresh_from_db()
    assert redemption.status == Status.RESERVED
    assert redemption.approved_by


def test_nobody_approves_of_their_own() -> None:
    redemption = redeem(make_reward(approve_above=50))
    clerk = make_staff("rewards.change_redemption", "rewards.view_redemption")
    type(redemption.member).objects.update(user=clerk)
    answer = client_of(clerk).post(page("approve", redemption))
    assert answer.context["form"].non_field_errors()
    redemption.refresh_from_db()
    assert redemption.status == Status.REVIEW


def test_after_an_unknown_answer_staff_ask_again(root: Client) -> None:
    redemption = redeem_by_call("https://host.example/")
    assert offered(root, redemption) == {"fulfil", "cancel"}
    Redemption.objects.update(status=Status.REVIEW)
    redemption.messages.update(state="unknown")
    assert offered(root, redemption) == {"fulfil", "cancel", "ask_again"}
    asked = text_of(root.get(page("cancel", redemption)))
    assert "Nobody knows whether" in asked
    root.post(page("ask_again", redemption))
    redemption.refresh_from_db()
    assert redemption.status == Status.RESERVED
    assert call_of(redemption).state == "waiting"


def test_a_code_is_shown_again_and_that_it_was_is_kept(root: Client) -> None:
    pool = make_reward("gift_code", maximum=100)
    codes.add(pool, ["SECRET-1234"], by=None, at=NOW)
    redemption = redeem(pool)
    assert offered(root, redemption) == {"show_code"}
    for url in (page("change", redemption), page("show_code", redemption), LIST):
        assert "SECRET-1234" not in text_of(root.get(url))
    answer = root.post(page("show_code", redemption), follow=True)
    assert "SECRET-1234" in text_of(answer)
    step = RedemptionStep.objects.filter(taken_by__isnull=False).get()
    assert "code was shown" in step.reason
    assert not LogEntry.objects.filter(change_message__contains="SECRET").exists()


def test_where_to_pay_is_shown_when_asked_for_and_that_is_kept(root: Client) -> None:
    redemption = redeem_payout(details="DE02120300001234")
    assert "DE0212030000" not in text_of(root.get(page("change", redemption)))
    answer = root.post(page("show_details", redemption), follow=True)
    assert "DE02120300001234" in text_of(answer)
    assert RedemptionStep.objects.filter(taken_by__isnull=False).count() == 1


def test_the_page_tells_steps_transfers_lots_and_messages(root: Client) -> None:
    redemption = redeem_by_call("https://host.example/")
    tables = root.get(page("change", redemption)).context["tables"]
    assert [len(table.rows) for table in tables] == [1, 1, 1, 1]


def test_the_list_shows_what_is_open_unless_asked(root: Client) -> None:
    reward = make_reward()
    done, waits = redeem(reward), redeem(reward, customer_id="bob")
    root.post(page("fulfil", done), {"reference": ""})

    def listed(**asked: str) -> set[str]:
        found = root.get(LIST, asked).context["cl"].result_list
        return {redemption.public_id for redemption in found}

    assert listed() == {waits.public_id}
    assert listed(status="fulfilled") == {done.public_id}
    assert listed(status="all") == {done.public_id, waits.public_id}
    assert listed(q=done.public_id) == listed(q="alice") == {done.public_id}
    assert listed(q="nobody") == set()


def test_the_list_costs_the_same_with_many(root: Client) -> None:
    reward = make_reward()
    redeem(reward)
    few = count_queries(root, LIST)
    for n in range(5):
        redeem(reward, customer_id=f"m{n}")
    assert count_queries(root, LIST) == few


def export(client: Client, **data: str) -> list[dict[str, str]]:
    """The rows of the payout file that comes back."""
    answer = client.post(EXPORT, data)
    assert answer.headers["Content-Type"].startswith("text/csv"), text_of(answer)
    return list(csv.DictReader(StringIO(answer.content.decode("utf-8-sig"))))


def upload(client: Client, *lines: str, header: str = "number,amount,result") -> Any:
    content = "\n".join([header, *lines]).encode()
    return client.post(RESULTS, {"file": SimpleUploadedFile("r.csv", content)})


def test_a_payout_file_has_what_is_to_be_paid_once(root: Client) -> None:
    first = redeem_payout("alice", "=DE02")
    second = redeem_payout("bob", "bob@example.com")
    redeem(make_reward(), customer_id="dan")
    rows = export(root)
    assert set(rows[0]) == set(HEADER)
    assert [row["number"] for row in rows] == [first.public_id, second.public_id]
    paid_to = [(row["method"], row["pay_to"], row["amount"]) for row in rows]
    assert paid_to == [("bank", "'=DE02", "100"), ("bank", "bob@example.com", "100")]
    assert "nothing to pay" in text_of(root.post(EXPORT))
    again = export(root, again="on")
    assert len(again) == 2
    assert again[0]["in_a_file_before"]
    assert first.steps.filter(taken_by__isnull=False).count() == 2


def test_nobody_is_paid_while_their_balance_is_frozen(root: Client) -> None:
    payout = redeem_payout()
    freeze = Freeze.objects.create(member=payout.member, check_name="x", frozen_at=NOW)
    root.post(EXPORT)
    payout.refresh_from_db()
    assert payout.exported_at is None
    freeze.delete()
    assert len(export(root)) == 1


def test_who_may_not_export_sees_no_details() -> None:
    redemption = redeem_payout()
    clerk = client_of(
        make_staff("rewards.view_redemption", "rewards.change_redemption")
    )
    for url in (EXPORT, RESULTS):
        assert clerk.get(url).status_code == clerk.post(url).status_code == 403
    redemption.refresh_from_db()
    assert redemption.exported_at is None


def test_results_fulfil_and_give_back_and_name_what_fits_nothing(root: Client) -> None:
    paid, failed = redeem_payout("alice"), redeem_payout("bob")
    silent, other = redeem_payout("carol"), redeem(make_reward(), customer_id="dan")
    export(root)
    lines = (
        f"{paid.public_id},100,paid,tr-1,",
        f"{failed.public_id},100,FAILED,,account closed",
        f"{other.public_id},100,paid,,",
        "rdm-unknown,100,paid,,",
    )
    header = "number,amount,result,reference,reason"
    counts, unmatched, missing = upload(root, *lines, header=header).context["tables"]
    assert [row[1] for row in counts.rows] == ["1", "1", "0", "2", "1"]
    assert [row[0] for row in unmatched.rows] == ["4", "5"]
    assert silent.public_id in str(missing.rows[0][0])
    for redemption in (paid, failed, other):
        redemption.refresh_from_db()
    assert (paid.status, paid.reference) == (Status.FULFILLED, "tr-1")
    assert (failed.status, failed.why) == (Status.CANCELLED, "account closed")
    assert other.status == Status.RESERVED
    assert (held("alice"), held("bob")) == (SPENT, BACK)
    counts, *_ = upload(root, *lines, header=header).context["tables"]
    assert [row[1] for row in counts.rows] == ["0", "0", "2", "2", "1"]
    assert (held("alice"), held("bob")) == (SPENT, BACK)


def test_another_amount_or_another_end_fits_nothing(root: Client) -> None:
    first, second = redeem_payout("alice"), redeem_payout("bob")
    root.post(page("cancel", second), {"reason": "By hand"})
    lines = (f"{first.public_id},99,paid", f"{second.public_id},100,paid")
    _counts, unmatched, _missing = upload(root, *lines).context["tables"]
    assert len(unmatched.rows) == 2
    assert (held("alice"), held("bob")) == (SPENDING, BACK)


@pytest.mark.parametrize(
    ("header", "lines"),
    [
        ("number,result", ["x,paid"]),
        ("number,amount,result", ["x,1,perhaps"]),
        ("number,amount,result", ["x,1,paid", "x,1,paid"]),
        ("number,amount,result", ["x", "y,1,paid"]),
        ("number,amount,result", ['"x,1,paid']),
        ("", [""]),
        ("number,amount,result", ["x,1,paid"] * 2001),
    ],
)
def test_of_a_file_with_a_bad_line_nothing_is_done(root: Client, header, lines) -> None:
    payout = redeem_payout()
    good = f"{payout.public_id},100,paid"
    answer = upload(root, good, *lines, header=header)
    assert answer.context["form"].errors
    payout.refresh_from_db()
    assert payout.status == Status.RESERVED


def test_a_file_that_is_no_text_is_refused(root: Client) -> None:
    file = SimpleUploadedFile("r.csv", b"\xff\xfe\x00\x01")
    assert root.post(RESULTS, {"file": file}).context["form"].errors
