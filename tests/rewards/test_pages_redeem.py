"""Redeeming on the member pages: asked, confirmed, once, and what became of it."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from rewards.models import (
    Draw,
    Member,
    PayoutDetails,
    Redemption,
    Reward,
    Transfer,
    Unit,
)
from rewards.pages import limits, redeem
from rewards.pages.activity import PAGE_SIZE
from rewards.redemptions import codes, fulfilment
from tests.builders import balances, publish_program, rule
from tests.rewards.redeeming import make_card, make_reward, redemption
from tests.rewards.spending import earn
from tests.rewards.visitors import sign_in, text_of

pytestmark = pytest.mark.django_db
MUG, CARD = "/redeem/for/mug/", "/redeem/for/card/"


@pytest.fixture(autouse=True)
def alice():
    """Alice, with 91 points."""
    now = timezone.now()
    publish_program(rule(), now=now - timedelta(days=99))
    earn(at=now)
    return sign_in("alice")


def nonce_of(page) -> str:
    [nonce] = re.findall(r'name="nonce" value="([^"]+)"', page.content.decode())
    return nonce


def confirm(client, path=MUG, **given):
    """Ask, read the confirmation, and say yes to it."""
    page = client.get(path, {k: v for k, v in given.items() if k == "amount"})
    values = {"amount": "50", "nonce": nonce_of(page), **given}
    return client.post(path, values, follow=True)


def nothing_written() -> bool:
    """No redemption, and nothing moved for one."""
    spent = Transfer.objects.filter(source=Transfer.Source.REDEMPTION)
    return not (Redemption.objects.exists() or Draw.objects.exists() or spent.exists())


def test_the_catalogue_says_what_it_costs_and_what_is_missing(alice):
    make_reward("mug")
    make_reward("lamp", minimum=200, maximum=None, position=1)
    make_reward("gone", active=False)
    make_reward("last", minimum=60, maximum=60, stock=0, position=2)
    page = alice.get("/redeem/")
    said = text_of(page)
    assert "A mug 50 points Redeem" in said
    assert "A lamp from 200 points 109 points to go" in said
    assert 'value="45"' in page.content.decode()  # of a hundred
    assert "It is sold out." in said
    assert "A gone" not in said


def test_an_empty_catalogue_says_so(alice):
    assert "Nothing is offered at the moment." in text_of(alice.get("/redeem/"))


def test_a_yes_redeems_and_says_what_happens_next(alice):
    make_reward()
    sure = text_of(alice.get(MUG))
    assert "You spend 50 points Then available 41 points" in sure
    assert nothing_written()
    page = confirm(alice)
    assert page.redirect_chain == [(f"/redeem/{redemption().public_id}/", 302)]
    assert "A mug" in text_of(page)
    assert "On its way" in text_of(page)
    assert "We are getting it ready." in text_of(page)
    assert balances() == {("points", "available"): 41, ("points", "reserved"): 50}
    assert "On its way 50 points you redeemed this" in text_of(alice.get("/"))


def test_a_double_click_redeems_once(alice):
    make_reward()
    values = {"amount": "50", "nonce": nonce_of(alice.get(MUG))}
    first, second = (alice.post(MUG, values) for _ in range(2))
    assert first.url == second.url == f"/redeem/{redemption().public_id}/"


def test_a_form_that_was_sent_for_something_else_redeems_nothing_more(alice):
    make_reward(minimum=10, maximum=None)
    values = {"amount": "50", "nonce": nonce_of(alice.get(MUG, {"amount": "50"}))}
    alice.post(MUG, values)
    again = alice.post(MUG, values | {"amount": "10"})
    assert "You have sent this form before" in text_of(again)
    assert redemption().amount == 50


@pytest.mark.parametrize("nonce", ["", "page-123", "page-123:abc", "\0"])
def test_a_nonce_that_is_none_of_ours_redeems_nothing(alice, nonce):
    make_reward()
    said = text_of(confirm(alice, nonce=nonce))
    assert "This form is no longer valid." in said
    assert nothing_written()


def test_without_its_token_a_form_is_refused(alice):
    make_reward()
    alice.handler.enforce_csrf_checks = True
    values = {"amount": "50", "nonce": nonce_of(alice.get(MUG))}
    assert alice.post(MUG, values).status_code == 403
    assert nothing_written()


def test_too_little_is_said_in_words(alice):
    make_reward(minimum=92, maximum=92)
    page = alice.get(MUG)
    assert "Then available" not in text_of(page)
    said = text_of(alice.post(MUG, {"amount": "92", "nonce": nonce_of(page)}))
    assert "Only 91 points available." in said
    assert nothing_written()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"stock": 0}, "It is sold out."),
        ({"per_member": 0}, "Each member can have it 0 times."),
        (
            {"per_member": 0, "per_member_period": Reward.Period.MONTH},
            "Each member can have it 0 times a month.",
        ),
    ],
)
def test_why_not_is_said_in_words(alice, changes, said):
    make_reward(**changes)
    assert said in text_of(confirm(alice))
    assert nothing_written()


def test_a_hold_says_until_when(alice):
    make_reward()
    Member.objects.update(secured_at=timezone.now())
    said = text_of(confirm(alice))
    assert "The sign-in has changed" in said
    assert "until" in said
    assert nothing_written()


@pytest.mark.parametrize(
    ("amount", "said"),
    [
        ("9", "It must be at least 10 points."),
        ("95", "It must be at most 90 points."),
        ("12", "It must be 10 points, or more in steps of 5 points."),
        ("10.5", "Ensure that there are no more than 0 decimal places."),
        ("-5", "It must be at least 10 points."),
        ("1e3", "It must be at most 90 points."),
        ("NaN", "Enter a number."),
        ("", "This field is required."),
        ("9" * 40, "Ensure that there are no more than 15 digits in total."),
    ],
)
def test_an_amount_that_can_not_be_is_refused(alice, amount, said):
    make_reward(minimum=10, maximum=90, step=5)
    for ask in (alice.get, alice.post):
        assert said in text_of(ask(MUG, {"amount": amount}))
    assert nothing_written()


def test_an_amount_of_money_is_written_as_money(alice):
    usd = Unit.objects.get(code="USD")
    make_reward("paid", unit=usd, minimum=500, maximum=None)
    page = alice.get("/redeem/for/paid/", {"amount": "7.25"})
    assert "You spend $7.25" in text_of(page)
    assert 'name="amount" value="7.25"' in page.content.decode()


def test_a_code_is_shown_once(alice):
    make_card("SECRET-1234")
    page = confirm(alice, CARD)
    assert "Your code is ready." in text_of(page)
    assert "SECRET-1234" not in page.content.decode()
    reveal = f"/redeem/{redemption().public_id}/code/"
    assert alice.get(reveal).status_code == 405
    for _double_click in range(2):
        assert "SECRET-1234" in text_of(alice.post(reveal))
    Redemption.objects.update(revealed_at=timezone.now() - codes.AGAIN)
    again = alice.post(reveal)
    assert "The code was shown already." in text_of(again)
    assert "SECRET-1234" not in again.content.decode()
    assert "It ends with 1234." in text_of(alice.get(reveal.removesuffix("code/")))


def test_others_redemptions_are_not_there(alice):
    make_card("SECRET-1234")
    confirm(alice, CARD)
    bob, address = sign_in("bob"), f"/redeem/{redemption().public_id}/"
    assert bob.get(address).status_code == 404
    assert bob.post(f"{address}code/").status_code == 404
    assert redemption().revealed_at is None
    assert (
        "A card" not in text_of(bob.get("/redeem/")).partition("What you redeemed")[2]
    )


def test_no_page_is_kept_by_the_browser(alice):
    make_card("SECRET-1234")
    page = confirm(alice, CARD)
    assert "no-store" in page["Cache-Control"]
    shown = alice.post(f"/redeem/{redemption().public_id}/code/")
    assert "no-store" in shown["Cache-Control"]


def test_once_a_week_is_said_as_such(alice):
    make_reward(per_member=1, per_member_period=Reward.Period.WEEK)
    confirm(alice)
    assert "Each member can have it once a week." in text_of(alice.get("/redeem/"))


def test_a_flood_of_forms_is_refused(alice, monkeypatch):
    monkeypatch.setattr(limits, "time", lambda: 1_800_000_000.0)
    monkeypatch.setattr(redeem, "SENT", 1)
    make_reward()
    given = {"method": "paypal", "details": "alice@example.com"}
    assert alice.post("/redeem/payout/", given).url == "/redeem/"
    assert "Please wait a minute." in text_of(confirm(alice))
    assert nothing_written()
    other = {**given, "details": "mallory@example.com"}
    assert "Please wait a minute." in text_of(alice.post("/redeem/payout/", other))
    assert PayoutDetails.objects.get().hint == "a…@example.com"
    monkeypatch.setattr(limits, "time", lambda: 1_800_000_060.0)
    confirm(alice)
    assert redemption().amount == 50


def test_each_step_is_told_and_what_staff_noted_is_not(alice):
    make_reward(approve_above=10)
    assert "Being checked" in text_of(confirm(alice))
    one = redemption()
    fulfilment.hold(one, reason="Looks like abuse.", at=timezone.now())
    assert "abuse" not in text_of(alice.get(f"/redeem/{one.public_id}/"))
    fulfilment.cancel(one, reason="No longer <made>.", at=timezone.now())
    said = text_of(alice.get(f"/redeem/{one.public_id}/"))
    assert "Cancelled All of it is back in your balance, with the same expiry." in said
    assert "abuse" not in said
    assert "Why: No longer <made>." in said
    assert balances() == {("points", "available"): 91}


def test_a_payout_is_paid_once_it_is_done(alice):
    make_reward(kind=Reward.Kind.PAYOUT)
    said = text_of(alice.get("/redeem/"))
    assert "First say where we should pay." in said
    given = {"method": "paypal", "details": "alice@example.com"}
    assert alice.post("/redeem/payout/", given).url == "/redeem/"
    assert "until" in text_of(confirm(alice))
    PayoutDetails.objects.update(changed_at=timezone.now() - timedelta(days=9))
    confirm(alice)
    fulfilment.fulfil(redemption(), at=timezone.now())
    said = text_of(alice.get(f"/redeem/{redemption().public_id}/"))
    assert "Paid We have paid it out." in said
    assert "Paid to: paypal a…@example.com" in said
    assert "Paid A mug" in text_of(alice.get("/statement/"))


def test_payout_details_are_never_shown_again(alice):
    alice.post("/redeem/payout/", {"method": "bank", "details": "DE02120300000000"})
    page = alice.get("/redeem/payout/")
    assert "At present: Bank account …0000" in text_of(page)
    assert "DE0212" not in page.content.decode()


@pytest.mark.parametrize(
    "given", [{"method": "x", "details": "DE02120300000000"}, {"method": "bank"}]
)
def test_payout_details_that_are_none_are_refused(alice, given):
    assert alice.post("/redeem/payout/", given).status_code == 200
    assert not PayoutDetails.objects.exists()


def test_the_list_goes_on(alice):
    make_reward(minimum=1, maximum=1)
    for _ in range(PAGE_SIZE + 1):
        confirm(alice, amount="1")
    first = alice.get("/redeem/")
    assert len(first.context["rows"]) == PAGE_SIZE
    rest = alice.get(f"/redeem/?before={first.context['following']}")
    assert len(rest.context["rows"]) == 1


@pytest.mark.parametrize("before", ["x", "-1", "9" * 30, "%00"])
def test_an_address_that_is_none_of_ours_shows_the_newest(alice, before):
    assert alice.get(f"/redeem/?before={before}").status_code == 200


def test_what_is_not_offered_is_not_there(alice):
    make_reward(active=False)
    assert alice.get(MUG).status_code == 404
    assert alice.post(MUG, {"amount": "50"}).status_code == 404
