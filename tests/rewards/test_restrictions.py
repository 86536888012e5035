"""A member on hold spends nothing; a blocked one is shut out; both go on earning."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from merchants.models import Click
from rewards import restrictions
from rewards.models import Member, PayoutDetails, Redemption, Reward
from rewards.privacy.erasure import erase
from rewards.redemptions import codes, fulfilment, payout_files, payouts
from rewards.refusals import Refused
from tests.builders import (
    NOW,
    balances,
    make_api_key,
    make_member,
    make_merchant,
    publish_program,
    rule,
)
from tests.rewards import sending
from tests.rewards.redeemers import ask, make_pool, make_reward, refused
from tests.rewards.spending import earn
from tests.rewards.visitors import sign_in, text_of
from tests.staff import PASSWORD, client_of, make_staff, make_superuser, said

pytestmark = pytest.mark.django_db

SOON = NOW + timedelta(days=2)
POINTS = ("points", "available")
BOTH = pytest.mark.parametrize("how", ["held", "blocked"])


@pytest.fixture(autouse=True)
def alice() -> Member:
    publish_program(rule())
    earn("1", 30_000)
    return Member.objects.get(customer_id="alice")


@pytest.fixture
def staff() -> User:
    return make_superuser()


def restrict(member: Member, how: str, by: User, **changes: Any) -> None:
    values: Any = {"reason": "A strange pattern.", "by": by, "at": NOW, **changes}
    if how == "held":
        restrictions.hold(member, **{"until": None, **values})
    else:
        restrictions.block(member, **values)


def pay_out(at: Any = NOW) -> list[str]:
    by = User.objects.get(username="root")
    return [row[0] for row in payout_files.export(again=True, by=by, at=at)]


class TestSpending:
    @BOTH
    def test_nothing_is_redeemed_until_it_is_lifted(self, alice, staff, how):
        reward = make_reward()
        restrict(alice, how, staff)
        refused(how, reward)
        restrictions.lift(alice, reason="All well.", by=staff, at=NOW)
        assert ask(reward).status == "reserved"

    def test_a_hold_ends_by_itself_and_says_when(self, alice, staff):
        reward = make_reward()
        restrict(alice, "held", staff, until=SOON)
        refusal = refused("held", reward, at=SOON - timedelta(seconds=1))
        assert "2026-11-22 12:00 UTC" in str(refusal)
        assert ask(reward, at=SOON).status == "reserved"

    @BOTH
    def test_points_accrue(self, alice, staff, how):
        restrict(alice, how, staff)
        earn("2", 9100)
        assert balances("alice") == {POINTS: 391}

    @BOTH
    def test_what_is_reserved_waits_and_can_be_given_back(self, alice, staff, how):
        redemption = ask(make_reward())
        restrict(alice, how, staff)
        with pytest.raises(Refused):
            fulfilment.fulfil(redemption, by=staff, at=NOW)
        redemption.refresh_from_db()
        assert redemption.status == "reserved"
        fulfilment.cancel(redemption, by=staff, reason="They asked.", at=NOW)
        assert balances("alice") == {POINTS: 300}

    @BOTH
    def test_nobody_approves_of_it_or_resumes_it(self, alice, staff, how):
        large = ask(make_reward(approve_above=50))
        doubtful = ask(make_reward("cup"))
        fulfilment.hold(doubtful, reason="Who knows?", at=NOW)
        restrict(alice, how, staff)
        with pytest.raises(Refused):
            fulfilment.approve(large, by=staff, at=NOW)
        with pytest.raises(Refused):
            fulfilment.resume(doubtful, by=staff, reason="It is fine.", at=NOW)
        assert set(Redemption.objects.values_list("status", flat=True)) == {"review"}

    @BOTH
    def test_payouts_are_in_no_file(self, alice, staff, how):
        before = NOW - timedelta(days=30)
        payouts.put_details(alice, method="bank", details="DE02 1203", at=before)
        payout = ask(make_reward(kind=Reward.Kind.PAYOUT))
        restrict(alice, how, staff)
        assert pay_out() == []
        restrictions.lift(alice, reason="All well.", by=staff, at=NOW)
        assert pay_out() == [payout.public_id]

    def test_what_was_paid_before_is_taken_down(self, alice, staff):
        before = NOW - timedelta(days=30)
        payouts.put_details(alice, method="bank", details="DE02 1203", at=before)
        payout = ask(make_reward(kind=Reward.Kind.PAYOUT))
        assert pay_out()
        restrict(alice, "held", staff)
        paid = payout_files.Result(2, payout.public_id, "100", True, "ref", "")
        assert payout_files.apply([paid], by=staff, at=NOW).paid == 1

    @BOTH
    def test_the_host_is_not_called(self, alice, staff, how):
        sending.redeem_by_call("https://host.example/redeem")
        restrict(alice, how, staff)
        assert sending.send() == 0

    @BOTH
    def test_a_code_is_not_shown(self, alice, staff, how):
        redemption = ask(make_pool("SECRET-CODE-1"))
        restrict(alice, how, staff)
        with pytest.raises(Refused) as caught:
            codes.reveal(redemption, at=NOW)
        assert caught.value.code == how  # type: ignore[attr-defined]
        redemption.refresh_from_db()
        assert redemption.revealed_at is None

    def test_the_blocked_say_nowhere_to_pay_and_the_held_do(self, alice, staff):
        restrict(alice, "blocked", staff)
        with pytest.raises(Refused):
            payouts.put_details(alice, method="bank", details="DE02", at=NOW)
        assert not PayoutDetails.objects.exists()
        restrictions.hold(alice, until=None, reason="Less.", by=staff, at=NOW)
        assert payouts.put_details(alice, method="bank", details="DE02", at=NOW)


class TestDeciding:
    def test_only_who_may_change_members(self, alice):
        with pytest.raises(Refused, match="may change members"):
            restrict(alice, "held", make_staff("rewards.view_member"))
        restrict(alice, "held", make_staff("rewards.change_member", username="may"))

    @BOTH
    def test_nobody_about_themselves(self, alice, staff, how):
        alice.user = staff
        alice.save()
        with pytest.raises(Refused, match="of their own"):
            restrict(alice, how, staff)
        Member.objects.update(status=how)
        with pytest.raises(Refused, match="of their own"):
            restrictions.lift(alice, reason="Me.", by=staff, at=NOW)
        assert Member.objects.get().status == how

    @pytest.mark.parametrize(
        ("changes", "said"),
        [({"reason": " "}, "Say why"), ({"until": NOW}, "still to come")],
    )
    def test_what_makes_no_sense_writes_nothing(self, alice, staff, changes, said):
        with pytest.raises(Refused, match=said):
            restrict(alice, "held", staff, **changes)
        alice.refresh_from_db()
        assert (alice.status, alice.why_restricted) == ("active", "")

    def test_the_same_twice_is_refused_but_another_end(self, alice, staff):
        restrict(alice, "blocked", staff)
        with pytest.raises(Refused, match="already"):
            restrict(alice, "blocked", staff)
        restrictions.lift(alice, reason="All well.", by=staff, at=NOW)
        with pytest.raises(Refused, match="already"):
            restrictions.lift(alice, reason="Again.", by=staff, at=NOW)
        restrict(alice, "held", staff)
        restrict(alice, "held", staff, until=SOON)
        assert Member.objects.get().held_until == SOON

    def test_who_was_erased_is_let_be_and_nothing_stays(self, alice, staff):
        restrict(alice, "held", staff, until=SOON)
        erase(alice, by=staff, at=NOW)
        alice.refresh_from_db()
        assert (alice.held_until, alice.why_restricted) == (None, "")
        with pytest.raises(Refused, match="erased"):
            restrict(alice, "blocked", staff)
        assert Member.objects.get().status == "erased"


class TestTheMember:
    @pytest.fixture
    def browser(self, alice: Member) -> Client:
        return sign_in("alice")

    def test_on_hold_they_read_everything_and_learn_why_not(
        self, alice, staff, browser
    ):
        make_reward()
        restrict(alice, "held", staff, until=timezone.now() + timedelta(days=1))
        for path in ("/", "/activity/", "/visits/", "/redeem/", "/statement/"):
            assert browser.get(path).status_code == 200
        assert "The balance is on hold, so nothing is redeemed until" in text_of(
            browser.get("/redeem/")
        )

    def test_blocked_every_page_is_closed_and_says_so(
        self, alice, staff, browser, settings
    ):
        settings.BUTTON_ORGANIZATION_ID = "org-1"
        store = make_merchant(external_id="org-9")
        restrict(alice, "blocked", staff)
        for path in ("/", "/activity/", "/visits/", "/redeem/", "/redeem/payout/"):
            page = browser.get(path)
            assert page.status_code == 403
            assert "This membership is blocked." in text_of(page)
        assert browser.get(f"/go/{store.slug}/").status_code == 403
        pasted = {"url": "https://lumenoak.example/"}
        assert browser.post(reverse("pasted-link"), pasted).status_code == 403
        assert not Click.objects.exists()
        assert browser.post("/sign-out/").status_code == 302

    def test_blocked_they_do_not_sign_in(self, alice, staff, browser):
        alice.refresh_from_db()
        alice.user.set_password(PASSWORD)
        alice.user.save()
        restrict(alice, "blocked", staff)
        form = {"username": "alice", "password": PASSWORD}
        page = Client().post("/sign-in/", form)
        assert "This membership is blocked." in text_of(page)
        assert "_auth_user_id" not in page.client.session
        restrictions.lift(alice, reason="All well.", by=staff, at=NOW)
        assert Client().post("/sign-in/", form).status_code == 302


class TestTheApi:
    @pytest.fixture
    def host(self) -> Client:
        return Client(headers={"Authorization": f"Bearer {make_api_key()}"})

    @BOTH
    def test_it_says_how_the_member_stands(self, alice, staff, host, how):
        restrict(alice, how, staff)
        assert host.get("/api/v1/members/alice/").json()["status"] == how
        if how == "held":
            restrictions.hold(alice, until=SOON, reason="Short.", by=staff, at=NOW)
            status = host.get("/api/v1/members/alice/").json()["status"]
            assert status == ("held" if timezone.now() < SOON else "active")

    @BOTH
    def test_redeeming_is_a_conflict(self, alice, staff, host, how):
        make_reward()
        restrict(alice, how, staff)
        answer = host.post(
            "/api/v1/members/alice/redemptions/",
            {"reward": "mug", "amount": 100},
            content_type="application/json",
            headers={"Idempotency-Key": "k"},
        )
        assert (answer.status_code, answer.json()["code"]) == (409, how)
        assert not Redemption.objects.exists()

    @pytest.mark.parametrize("enrols", [True, False])
    def test_no_link_is_made_for_the_blocked(
        self, alice, staff, host, settings, enrols
    ):
        settings.BUTTON_ORGANIZATION_ID = "org-1"
        settings.MEMBERS_AUTO_ENROLL = enrols
        make_merchant(external_id="org-9")
        wanted: Any = ("/api/v1/members/alice/links/", {"merchant": "org-9"})
        restrict(alice, "blocked", staff)
        answer = host.post(*wanted, content_type="application/json")
        assert (answer.status_code, answer.json()["code"]) == (409, "blocked")
        assert not Click.objects.exists()
        restrictions.hold(alice, until=None, reason="Less.", by=staff, at=NOW)
        assert host.post(*wanted, content_type="application/json").status_code == 200


class TestTheDesk:
    @pytest.fixture
    def root(self, staff: User) -> Client:
        return client_of(staff)

    def at(self, action: str) -> str:
        return reverse(f"admin:rewards_member_{action}", args=[make_member().pk])

    def offered(self, page: Any) -> set[str]:
        names = ("hold", "block", "lift")
        return {name for name in names if self.at(name) in page.content.decode()}

    def test_a_hold_is_put_and_lifted_with_its_reasons(self, root):
        done = root.post(self.at("hold"), {"reason": "Ten gift cards."}, follow=True)
        assert said(done) == ["alice is on hold."]
        assert "On hold until it is lifted. Ten gift cards." in done.content.decode()
        assert self.offered(done) == {"hold", "block", "lift"}
        done = root.post(self.at("lift"), {"reason": "A birthday."}, follow=True)
        assert said(done) == ["alice can redeem again."]
        log = LogEntry.objects.order_by("pk").values_list("change_message", flat=True)
        assert list(log) == [
            "On hold until it is lifted: Ten gift cards.",
            "Lifted: A birthday.",
        ]

    def test_a_hold_until_a_time_is_by_the_clocks_that_were_chosen(self, root):
        day = timezone.now().year + 1
        given = {
            "reason": "Ten gift cards.",
            "until_0": f"{day}-06-01",
            "until_1": "12:00:00",
            "zone": "Europe/Berlin",
        }
        page = root.post(self.at("hold"), given, follow=True)
        assert page.status_code == 200
        until = Member.objects.get().held_until
        assert until
        assert (until.year, until.hour) == (day, 10)

    def test_a_block_offers_nothing_but_its_end(self, root):
        done = root.post(self.at("block"), {"reason": "Fraud."}, follow=True)
        assert said(done) == ["alice is blocked."]
        assert self.offered(done) == {"lift"}

    def test_without_a_reason_nothing_happens(self, root):
        page = root.post(self.at("block"), {"reason": ""})
        assert page.context["form"].errors
        assert Member.objects.get().status == "active"
        assert not LogEntry.objects.exists()
