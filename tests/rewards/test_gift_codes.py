"""Gift codes: a sealed pool, one code to one redemption, shown once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection

from rewards.models import GiftCode
from rewards.privacy.erasure import erase
from rewards.redemptions import catalogue, codes, fulfilment
from rewards.redemptions.refusals import NotRedeemable
from rewards.refusals import Refused
from tests.builders import NOW, balances, make_member, publish_program, rule
from tests.rewards.redeemers import (
    ask,
    history,
    make_pool,
    make_reward,
    violations,
    written,
)
from tests.rewards.spending import earn
from tests.staff import make_staff

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def alice_has_500_points():
    publish_program(rule())
    earn("1", 50_000)
    yield
    assert violations() == {}


def free() -> int:
    return GiftCode.objects.filter(redemption=None).count()


def test_codes_are_sealed_and_told_apart_by_their_end():
    make_pool("ABCD-1234-EFGH", "short")
    for code in GiftCode.objects.all():
        assert b"1234" not in bytes(code.sealed)
        assert code.hint in ("EFGH", "t")


def test_each_is_added_once():
    reward = make_pool("one")
    given = ["one", " two ", "two", "", "  ", "three"]
    assert codes.add(reward, given, by=None, at=NOW) == (2, 2)
    assert codes.add(reward, given, by=None, at=NOW) == (0, 4)
    assert free() == 3


def test_a_code_of_another_reward_is_refused_and_with_it_all_that_were_given():
    ask(make_pool("one", "COFFEE-1111"))
    tea = make_reward("tea", kind="gift_code", maximum=100, name="Tea for two")
    coffee = GiftCode.objects.first().reward
    with pytest.raises(Refused, match=f"One of these .*: …1111 of {coffee.name}"):
        codes.add(tea, ["COFFEE-1111", "TEA-2222"], by=None, at=NOW)
    with pytest.raises(Refused, match="2 of these codes"):  # one was given already
        codes.add(tea, ["one", "COFFEE-1111"], by=None, at=NOW)
    assert not tea.codes.exists()
    assert codes.add(tea, ["TEA-2222"], by=None, at=NOW) == (1, 0)
    assert codes.add(coffee, ["one", "two"], by=None, at=NOW) == (1, 1)


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_nor_is_one_that_is_added_to_both_at_once():
    pools = [make_pool(), make_reward("tea", kind="gift_code", maximum=100)]

    def add(reward):
        try:
            return codes.add(reward, ["TWICE"], by=None, at=NOW)
        except Refused as refused:
            return refused
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as threads:
        answers = list(threads.map(add, pools))
    assert sum(isinstance(answer, Refused) for answer in answers) == 1
    assert free() == 1


def test_other_rewards_have_no_codes():
    with pytest.raises(Refused):
        codes.add(make_reward(), ["one"], by=None, at=NOW)
    with pytest.raises(Refused):
        codes.add(make_pool(), ["x" * 256], by=None, at=NOW)
    assert free() == 0


def test_a_code_is_the_members_at_once():
    redemption = ask(make_pool("one", "two"))
    assert redemption.status == "fulfilled"
    assert history(redemption) == ["reserved", "fulfilled"]
    assert balances() == {("points", "available"): 400}
    assert free() == 1


def test_it_is_shown_once():
    redemption = ask(make_pool("SECRET-1"))
    assert codes.reveal(redemption, at=NOW) == "SECRET-1"
    with pytest.raises(NotRedeemable) as caught:
        codes.reveal(redemption, at=NOW + codes.AGAIN)
    assert caught.value.code == "shown_already"
    redemption.refresh_from_db()
    assert redemption.revealed_at == NOW


def test_an_answer_that_got_lost_or_a_double_click_loses_no_code():
    redemption = ask(make_pool("SECRET-1"))
    codes.reveal(redemption, at=NOW)
    soon = NOW + codes.AGAIN - timedelta(seconds=1)
    assert codes.reveal(redemption, at=soon) == "SECRET-1"
    redemption.refresh_from_db()
    assert redemption.revealed_at == NOW, "the minute doesn't begin anew"


def test_a_key_that_is_gone_burns_nothing(settings):
    redemption = ask(make_pool("SECRET-1"))
    good, settings.ENCRYPTION_KEYS = settings.ENCRYPTION_KEYS, ["another"]
    with pytest.raises(Exception, match="opens it"):
        codes.reveal(redemption, at=NOW)
    settings.ENCRYPTION_KEYS = good
    redemption.refresh_from_db()
    assert codes.reveal(redemption, at=NOW) == "SECRET-1"


def test_staff_show_it_again_and_that_is_noted():
    redemption = ask(make_pool("SECRET-1"))
    codes.reveal(redemption, at=NOW)
    with pytest.raises(Refused):
        codes.show_again(redemption, by=make_staff(username="other"), at=NOW)
    clerk = make_staff("rewards.change_redemption")
    assert codes.show_again(redemption, by=clerk, at=NOW) == "SECRET-1"
    assert redemption.steps.filter(taken_by=clerk).count() == 1


def test_of_who_was_erased_there_is_none():
    redemption = ask(make_pool("SECRET-1"))
    erase(make_member(), by=None, at=NOW)
    clerk = make_staff("rewards.change_redemption")
    with pytest.raises(NotRedeemable, match="no code"):
        codes.reveal(redemption, at=NOW)
    with pytest.raises(NotRedeemable, match="no code"):
        codes.show_again(redemption, by=clerk, at=NOW)


def test_nobody_shows_their_own_again():
    redemption = ask(make_pool("SECRET-1"))
    clerk = make_staff("rewards.change_redemption")
    member = make_member()
    member.user = clerk
    member.save()
    redemption.refresh_from_db()
    with pytest.raises(Refused):
        codes.show_again(redemption, by=clerk, at=NOW)


def test_without_a_code_it_is_sold_out():
    reward = make_pool("one")
    ask(reward)
    before, balance = written(), balances()
    with pytest.raises(NotRedeemable) as caught:
        ask(reward)
    assert caught.value.code == "sold_out"
    assert (written(), balances()) == (before, balance)
    codes.add(reward, ["two"], by=None, at=NOW)
    assert ask(reward).status == "fulfilled"


def test_codes_whose_time_is_over_are_not_given_out():
    reward = make_pool()
    yesterday, today = NOW.date() - timedelta(days=1), NOW.date()
    codes.add(reward, ["old"], usable_until=yesterday, by=None, at=NOW)
    codes.add(reward, ["good"], usable_until=today, by=None, at=NOW)
    (offer,) = catalogue.on_offer(at=NOW)
    assert offer.left == 1
    assert codes.reveal(ask(reward), at=NOW) == "good"
    with pytest.raises(NotRedeemable):
        ask(reward)


def test_one_that_waits_for_approval_has_its_code_but_does_not_show_it():
    reward = make_pool("one", approve_above=50)
    redemption = ask(reward)
    assert (redemption.status, free()) == ("review", 0)
    with pytest.raises(NotRedeemable) as caught:
        codes.reveal(redemption, at=NOW)
    assert caught.value.code == "no_code"
    clerk = make_staff("rewards.change_redemption")
    fulfilment.approve(redemption, by=clerk, at=NOW)
    assert redemption.status == "fulfilled"
    assert history(redemption) == ["review", "reserved", "fulfilled"]
    assert codes.reveal(redemption, at=NOW) == "one"


def test_cancelled_unseen_it_goes_back_to_the_pool():
    redemption = ask(make_pool("one", approve_above=50))
    fulfilment.cancel(redemption, reason="No.", at=NOW)
    assert free() == 1
    assert balances() == {("points", "available"): 500}


def test_what_is_the_members_is_not_cancelled():
    redemption = ask(make_pool("one"))
    with pytest.raises(NotRedeemable):
        fulfilment.cancel(redemption, reason="No.", at=NOW)
    assert free() == 0
