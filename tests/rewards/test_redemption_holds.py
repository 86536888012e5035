"""Redeeming waits after a change of sign-in, and being paid after one of where to."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User

from rewards import vault
from rewards.members import note_changed_sign_in, put_member
from rewards.models import Member, PayoutDetails
from rewards.redemptions import payouts
from rewards.redemptions.refusals import NotRedeemable
from rewards.refusals import Refused
from tests.builders import NOW, make_member, publish_program, rule
from tests.rewards.redeemers import ask, history, make_reward, refused
from tests.rewards.spending import earn
from tests.staff import client_of, make_staff, make_superuser

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def alice_has_300_points():
    publish_program(rule())
    earn("1", 30_000)


class TestHolds:
    def test_another_mail_address_holds_everything(self, settings):
        settings.REDEMPTION_HOLD_HOURS = 72
        reward = make_reward()
        make_member("alice", email="alice@example.com")
        assert ask(reward).status == "reserved"  # the first address is no change
        put_member("alice", email="mallory@example.com", at=NOW)
        refusal = refused("held", reward, at=NOW + timedelta(hours=71, minutes=59))
        assert "2026-11-23 12:00 UTC" in str(refusal)
        assert ask(reward, at=NOW + timedelta(hours=72)).status == "reserved"

    def test_emptying_the_address_first_is_no_way_around(self):
        reward = make_reward()
        make_member("alice", email="alice@example.com")
        put_member("alice", email="", at=NOW)
        put_member("alice", email="mallory@example.com", at=NOW)
        refused("held", reward)

    def test_the_same_address_again_is_no_change(self):
        make_member("alice", email="alice@example.com")
        put_member("alice", email="alice@example.com", locale="de", at=NOW)
        assert Member.objects.get().secured_at is None

    def test_another_sign_in_holds_everything(self):
        reward, member, user = make_reward(), make_member(), make_staff()
        member.user = user
        member.save()
        note_changed_sign_in(user, at=NOW)
        refused("held", reward)

    @pytest.mark.parametrize("change", ["password", "username"])
    def test_so_does_what_staff_change_of_it(self, change):
        member, user = make_member(), User.objects.create_user("alice")
        member.user = user
        member.save()
        browser = client_of(make_superuser())
        page = f"/admin/auth/user/{user.pk}/"
        if change == "password":
            new = "a long enough phrase"
            answer = browser.post(
                f"{page}password/",
                {"password1": new, "password2": new, "usable_password": "true"},
            )
        else:
            answer = browser.post(
                f"{page}change/",
                {
                    "username": "alice-2",
                    "is_active": "on",
                    "date_joined_0": "2026-01-01",
                    "date_joined_1": "00:00",
                },
            )
        assert answer.status_code == 302, answer.content
        member.refresh_from_db()
        assert member.secured_at is not None
        with pytest.raises(NotRedeemable) as caught:
            ask(make_reward(), at=member.secured_at)
        assert caught.value.code == "held"

    def test_no_hold_where_it_is_switched_off(self, settings):
        settings.REDEMPTION_HOLD_HOURS = 0
        make_member("alice", email="alice@example.com")
        put_member("alice", email="other@example.com", at=NOW)
        ask(make_reward())


class TestPayouts:
    def test_nobody_is_paid_without_details(self):
        refused("no_payout_details", make_reward(kind="payout"))

    def test_details_hold_payouts_alone(self):
        payout, mug = make_reward("payout", kind="payout"), make_reward()
        member = make_member()
        payouts.put_details(member, method="bank", details="DE0212030000", at=NOW)
        refused("held", payout)
        assert ask(mug).status == "reserved"
        late = NOW + timedelta(hours=72)
        assert ask(payout, at=late).status == "reserved"
        payouts.put_details(member, method="bank", details="DE0212030000", at=late)
        assert ask(payout, at=late).status == "reserved"
        payouts.put_details(member, method="bank", details="DE9999999999", at=late)
        refused("held", payout, at=late)

    def test_they_are_kept_as_they_were(self):
        payout, member = make_reward(kind="payout"), make_member()
        before = NOW - timedelta(days=4)
        payouts.put_details(member, method="bank", details="DE0212030000", at=before)
        redemption = ask(payout)
        payouts.put_details(member, method="bank", details="DE9999999999", at=NOW)
        clerk = make_staff("rewards.export_payouts")
        redemption.refresh_from_db()
        assert redemption.payout_hint == "bank …0000"
        assert payouts.show(redemption, by=clerk, at=NOW) == "DE0212030000"
        assert redemption.steps.last().taken_by == clerk

    def test_only_entitled_staff_see_them(self):
        payout, member = make_reward(kind="payout"), make_member()
        before = NOW - timedelta(days=4)
        payouts.put_details(member, method="bank", details="DE0212030000", at=before)
        redemption = ask(payout)
        support = make_staff("rewards.change_redemption")
        with pytest.raises(Refused):
            payouts.show(redemption, by=support, at=NOW)
        assert history(redemption) == ["reserved"]

    def test_they_are_sealed(self):
        member = make_member()
        payouts.put_details(member, method="bank", details="DE0212030000", at=NOW)
        assert b"12030000" not in bytes(PayoutDetails.objects.get().sealed)

    @pytest.mark.once
    @pytest.mark.parametrize(
        ("details", "hint"),
        [
            ("DE02 1203 0000 0000 2020 51", "…0 51"),
            ("alice@example.com", "a…@example.com"),
            ("123", "…"),
            ("@@", "@…@"),
        ],
    )
    def test_a_hint_tells_little(self, details, hint):
        assert vault.masked(details) == hint
