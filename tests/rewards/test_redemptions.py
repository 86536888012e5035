"""Redeeming: what it takes, what it leaves, and how it ends."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from rewards.models import Account, Draw, Freeze, Lot, Member, Message, Reward
from rewards.redemptions import catalogue, fulfilment
from rewards.redemptions.refusals import InvalidAmount, KeyReused, NotRedeemable
from rewards.redemptions.reserving import redeem
from rewards.refusals import Refused
from tests.builders import (
    NOW,
    balances,
    make_endpoint,
    make_member,
    publish_program,
    rule,
)
from tests.rewards.redeemers import (
    ask,
    history,
    make_pool,
    make_reward,
    refused,
    violations,
    written,
)
from tests.rewards.spending import earn
from tests.staff import make_staff

pytestmark = pytest.mark.django_db

LATER = NOW + timedelta(minutes=5)


@pytest.fixture(autouse=True)
def alice_has_300_points():
    publish_program(rule(expires_after_days=30))
    earn("1", 20_000)
    earn("2", 10_000)
    yield
    assert violations() == {}


def held() -> dict[str, int]:
    return {kind: amount for (_unit, kind), amount in balances().items()}


def lots() -> list[int]:
    return list(Lot.objects.order_by("pk").values_list("remaining", flat=True))


class TestReserving:
    def test_it_sets_the_amount_aside(self):
        redemption = ask(make_reward(), 150)
        assert redemption.status == "reserved"
        assert held() == {"available": 150, "reserved": 150}
        assert lots() == [50, 100]
        assert history(redemption) == ["reserved"]

    def test_what_is_not_there_is_not_spent(self):
        refusal = refused("not_enough", make_reward(), 301)
        assert str(refusal).replace("\xa0", " ") == "Only 300 points available."

    def test_everything_may_be_spent(self):
        ask(make_reward(), 300)
        assert held() == {"reserved": 300}

    @pytest.mark.parametrize("amount", [0, -5, 99, 101, 130, 251, 300])
    def test_only_amounts_of_the_reward(self, amount):
        reward = make_reward(minimum=100, maximum=250, step=50)
        before = written()
        with pytest.raises(InvalidAmount):
            ask(reward, amount)
        assert written() == before
        for fine in (100, 150):
            assert ask(reward, fine).amount == fine

    def test_what_is_offered_no_more_is_refused(self):
        refused("not_offered", make_reward(active=False))

    def test_a_reward_as_it_now_is_counts(self):
        reward = make_reward()
        type(reward).objects.update(active=False)
        refused("not_offered", reward)

    def test_lots_whose_time_is_over_are_not_spent(self):
        late = NOW + timedelta(days=40)
        refused("not_enough", make_reward(), at=late)

    @pytest.mark.parametrize("frozen", [True, False])
    def test_a_closed_member_spends_nothing(self, frozen):
        reward, member = make_reward(), make_member()
        if frozen:
            Freeze.objects.create(member=member, check_name="x", frozen_at=NOW)
        else:
            Member.objects.update(status="erased")
        before = written()
        with pytest.raises(Refused):
            redeem(member, reward=reward, amount=100, key="k", at=NOW)
        assert written() == before
        Member.objects.update(status="active")  # it is not really erased

    def test_hosts_are_told(self):
        make_endpoint()
        redemption = ask(make_reward())
        fulfilment.fulfil(redemption, reference="parcel 7", at=LATER)
        told = list(Message.objects.order_by("pk"))
        assert [m.type for m in told] == ["redemption.reserved", "redemption.fulfilled"]
        data = told[1].payload["data"]
        assert data["id"] == redemption.public_id
        assert (data["status"], data["reference"]) == ("fulfilled", "parcel 7")


class TestIdempotency:
    def test_the_same_key_is_the_same_redemption(self):
        reward = make_reward()
        first = ask(reward, key="one")
        assert ask(reward, key="one") == first
        assert held() == {"available": 200, "reserved": 100}

    def test_whatever_has_happened_since(self):
        reward = make_reward()
        first = ask(reward, 300, key="one")
        fulfilment.fulfil(first, at=LATER)
        type(reward).objects.update(active=False)
        Freeze.objects.create(member=make_member(), check_name="x", frozen_at=NOW)
        again = ask(reward, 300, key="one", at=NOW + timedelta(days=4000))
        assert again == first
        assert again.status == "fulfilled"

    @pytest.mark.parametrize("change", ["amount", "reward"])
    def test_for_another_body_the_key_is_refused(self, change):
        reward = make_reward()
        ask(reward, key="one")
        other = make_reward("cup") if change == "reward" else reward
        before = written()
        with pytest.raises(KeyReused):
            ask(other, 101 if change == "amount" else 100, key="one")
        assert written() == before

    def test_what_was_refused_leaves_its_key_free(self):
        reward = make_reward()
        refused("not_enough", reward, 400, key="one")
        assert ask(reward, 100, key="one").amount == 100

    def test_another_member_has_keys_of_their_own(self):
        reward = make_reward()
        ask(reward, key="one")
        earn("3", 20_000, customer_id="bob")
        assert ask(reward, key="one", customer_id="bob").member.customer_id == "bob"


class TestStockAndLimits:
    def test_stock_goes_down_to_nothing(self):
        reward = make_reward(stock=2)
        ask(reward)
        ask(reward)
        refused("sold_out", reward)
        reward.refresh_from_db()
        assert reward.stock == 0

    def test_what_is_cancelled_is_there_for_others(self):
        reward = make_reward(stock=1)
        fulfilment.cancel(ask(reward), reason="", at=LATER)
        reward.refresh_from_db()
        assert reward.stock == 1
        ask(reward)

    def test_only_what_was_taken_of_the_stock_comes_back_to_it(self):
        reward = make_reward()
        uncounted = ask(reward)
        Reward.objects.update(stock=1)  # staff begin to count
        counted = ask(reward)
        fulfilment.cancel(uncounted, reason="", at=LATER)
        refused("sold_out", reward)
        fulfilment.cancel(counted, reason="", at=LATER)
        reward.refresh_from_db()
        assert reward.stock == 1

    def test_nothing_is_counted_any_more_where_staff_stopped_counting(self):
        reward = make_reward(stock=1)
        counted = ask(reward)
        Reward.objects.update(stock=None)
        fulfilment.cancel(counted, reason="", at=LATER)
        reward.refresh_from_db()
        assert reward.stock is None

    def test_a_refusal_takes_no_stock(self):
        refused("not_enough", make_reward(stock=5), 400)

    def test_a_limit_is_per_member_and_period(self):
        reward = make_reward(per_member=2, per_member_period="month")
        ask(reward)
        cancelled = ask(reward)
        refusal = refused("limit_reached", reward)
        assert "2" in str(refusal)
        fulfilment.cancel(cancelled, reason="", at=LATER)
        ask(reward)
        refused("limit_reached", reward)

    def test_periods_are_of_the_programs_time_zone(self):
        from rewards.program import draft, editions, vocabulary
        from tests.builders import program

        zoned = program(rule()) | {"time_zone": "Pacific/Auckland"}
        draft.replace(vocabulary.parse(zoned))
        # Midnight in Auckland is 11:00 UTC in its summer.
        midnight = datetime(2026, 11, 21, 11, tzinfo=UTC)
        assert editions.publish(now=NOW).effective_from < midnight - timedelta(hours=1)
        reward = make_reward(per_member=1, per_member_period="day")
        ask(reward, at=midnight - timedelta(minutes=1))
        ask(reward, at=midnight)
        refused("limit_reached", reward, at=midnight + timedelta(hours=23))

    def test_ever_is_for_ever(self):
        reward = make_reward(per_member=1)
        ask(reward)
        earn("4", 20_000, at=NOW + timedelta(days=900))
        refused("limit_reached", reward, at=NOW + timedelta(days=900))


class TestEnds:
    def test_fulfilled_is_spent(self):
        redemption = fulfilment.fulfil(ask(make_reward()), reference="7", at=LATER)
        assert (redemption.status, redemption.reference) == ("fulfilled", "7")
        assert held() == {"available": 200}
        assert Account.objects.filter(kind="redeemed").count() == 1

    def test_cancelled_goes_back_to_the_same_lots_with_their_expiry(self):
        before = list(Lot.objects.order_by("pk").values("remaining", "expires_at"))
        redemption = ask(make_reward(), 250)
        fulfilment.cancel(redemption, reason="No longer made.", at=LATER)
        after = list(Lot.objects.order_by("pk").values("remaining", "expires_at"))
        assert after == before
        assert Draw.objects.count() == 4  # two lots, there and back
        assert redemption.why == "No longer made."
        assert held() == {"available": 300}

    @pytest.mark.parametrize("end", ["fulfil", "cancel"])
    def test_once_more_changes_nothing(self, end):
        redemption = ask(make_reward())
        self.end(redemption, end)
        before, balance = written(), balances()
        self.end(redemption, end)
        assert (written(), balances()) == (before, balance)

    @pytest.mark.parametrize(
        ("end", "other"), [("fulfil", "cancel"), ("cancel", "fulfil")]
    )
    def test_the_other_end_is_refused(self, end, other):
        redemption = ask(make_reward())
        stale = type(redemption).objects.get()
        self.end(redemption, end)
        before, balance = written(), balances()
        with pytest.raises(NotRedeemable, match="already") as caught:
            self.end(stale, other)
        assert caught.value.code == "ended"
        assert (written(), balances()) == (before, balance)

    def test_a_frozen_member_waits(self):
        redemption = ask(make_reward())
        freeze = Freeze.objects.create(
            member=make_member(), check_name="x", frozen_at=NOW
        )
        before = written()
        for end in ("fulfil", "cancel"):
            with pytest.raises(Refused, match="frozen"):
                self.end(redemption, end)
        assert written() == before
        freeze.delete()

    def end(self, redemption, how: str) -> None:
        if how == "fulfil":
            fulfilment.fulfil(redemption, at=LATER)
        else:
            fulfilment.cancel(redemption, reason="", at=LATER)


class TestReview:
    def test_a_large_one_waits_with_its_points_reserved(self):
        redemption = ask(make_reward(approve_above=100), 101)
        assert (redemption.status, redemption.needs_approval) == ("review", True)
        assert held() == {"available": 199, "reserved": 101}
        with pytest.raises(NotRedeemable) as caught:
            fulfilment.fulfil(redemption, at=LATER)
        assert caught.value.code == "needs_approval"
        assert held() == {"available": 199, "reserved": 101}

    def test_up_to_the_amount_nobody_has_to_look(self):
        assert ask(make_reward(approve_above=100), 100).status == "reserved"

    def test_approved_it_goes_on(self):
        redemption = ask(make_reward(approve_above=100), 101)
        clerk = make_staff("rewards.change_redemption")
        fulfilment.approve(redemption, by=clerk, at=LATER)
        assert (redemption.status, redemption.approved_by) == ("reserved", clerk)
        fulfilment.fulfil(redemption, at=LATER)
        assert history(redemption) == ["review", "reserved", "fulfilled"]

    @pytest.mark.parametrize("how", ["fulfil", "cancel"])
    def test_nobody_ends_their_own(self, how):
        redemption = ask(make_reward())
        clerk = make_staff("rewards.change_redemption")
        Member.objects.update(user=clerk)
        before, balance = written(), held()
        with pytest.raises(Refused, match="of their own"):
            getattr(fulfilment, how)(redemption, by=clerk, reason="", at=LATER)
        assert (written(), held()) == (before, balance)

    def test_it_can_be_cancelled_unapproved(self):
        redemption = ask(make_reward(approve_above=100), 101)
        fulfilment.cancel(redemption, reason="Too much.", at=LATER)
        assert held() == {"available": 300}

    @pytest.mark.parametrize("who", ["nobody", "own"])
    def test_not_everybody_may_approve(self, who):
        redemption = ask(make_reward(approve_above=100), 101)
        clerk = make_staff(*([] if who == "nobody" else ["rewards.change_redemption"]))
        if who == "own":
            Member.objects.update(user=clerk)
        before = written()
        with pytest.raises(Refused):
            fulfilment.approve(redemption, by=clerk, at=LATER)
        assert written() == before

    def test_what_waits_for_nobody_is_not_approved(self):
        redemption = ask(make_reward())
        clerk = make_staff("rewards.change_redemption")
        with pytest.raises(NotRedeemable):
            fulfilment.approve(redemption, by=clerk, at=LATER)
        assert redemption.approved_by is None

    def test_a_person_looks_and_decides(self):
        redemption = ask(make_reward())
        fulfilment.hold(redemption, reason="Nobody answered.", at=LATER)
        assert (redemption.status, redemption.why) == ("review", "Nobody answered.")
        fulfilment.hold(redemption, reason="Again.", at=LATER)
        fulfilment.fulfil(redemption, at=LATER)
        assert history(redemption) == ["reserved", "review", "fulfilled"]
        with pytest.raises(NotRedeemable):
            fulfilment.hold(redemption, reason="Late.", at=LATER)


class TestCalls:
    @pytest.fixture
    def reward(self):
        return make_reward(kind="call", endpoint=make_endpoint(events=["none"]))

    def test_the_host_is_called_once(self, reward):
        redemption = ask(reward, key="one")
        ask(reward, key="one")
        call = Message.objects.get()
        assert (call.kind, call.redemption) == ("call", redemption)

    def test_only_once_it_is_approved(self, reward):
        type(reward).objects.update(approve_above=100)
        redemption = ask(reward, 150)
        assert not Message.objects.exists()
        clerk = make_staff("rewards.change_redemption")
        fulfilment.approve(redemption, by=clerk, at=LATER)
        assert Message.objects.get().kind == "call"

    def test_it_is_not_cancelled_while_the_host_is_asked(self, reward):
        redemption = ask(reward)
        Message.objects.update(held_until=LATER)
        before = written()
        with pytest.raises(NotRedeemable) as caught:
            fulfilment.cancel(redemption, reason="", at=LATER)
        assert caught.value.code == "calling"
        assert written() == before
        fulfilment.cancel(redemption, reason="Refused.", answered=True, at=LATER)
        assert redemption.status == "cancelled"


class TestCatalogue:
    def test_it_says_what_can_be_had_and_why_not(self):
        make_reward("a", position=1)
        make_reward("b", minimum=400, position=2)
        make_reward("c", stock=0, position=3)
        often = make_reward("d", per_member=1, position=4)
        ask(often)
        make_reward("e", kind="payout", position=5)
        make_pool("first", "second", position=6)
        make_reward("gone", active=False)
        offers = catalogue.offered(make_member(), at=NOW)
        assert [
            (o.reward.key, o.left, o.refusal and o.refusal.code) for o in offers
        ] == [
            ("a", None, None),
            ("b", None, "not_enough"),
            ("c", 0, "sold_out"),
            ("d", None, "limit_reached"),
            ("e", None, "no_payout_details"),
            ("card", 2, None),
        ]

    def test_it_costs_the_same_however_long(self):
        member = make_member()

        def cost() -> int:
            with CaptureQueriesContext(connection) as queries:
                catalogue.offered(member, at=NOW)
            return len(queries)

        def add(n: int) -> None:
            make_reward(f"mug-{n}", per_member=2, per_member_period="week")
            make_reward(f"card-{n}", kind="gift_code", maximum=100)
            make_reward(f"pay-{n}", kind="payout")

        add(0)
        few = cost()
        for n in range(1, 15):
            add(n)
        assert cost() == few <= 7
