"""Words for the tests of the outbox: what is redeemed by a call, and a round."""

from datetime import datetime
from typing import Any

from django.db import transaction

from rewards import ledger
from rewards.ledger.postings import Posting, Pot
from rewards.models import (
    Account,
    Endpoint,
    Member,
    Message,
    Redemption,
    Reward,
    Transfer,
    Unit,
)
from rewards.outbox import sending, writing
from rewards.redemptions import reserving
from tests.builders import NOW, POINTS, make_endpoint, make_member


def make_reward(kind: str = Reward.Kind.MANUAL, **changes: Any) -> Reward:
    """A hundred points or more."""
    unit, _ = Unit.objects.get_or_create(code="points", defaults=POINTS)
    values = {"key": kind, "name": "Voucher", "unit": unit, "minimum": 100}
    return Reward.objects.create(kind=kind, **{**values, **changes})


def give(member: Member, amount: int = 1000) -> None:
    """Points out of nowhere, available at once."""
    unit, _ = Unit.objects.get_or_create(code="points", defaults=POINTS)
    pot = Pot(member.pk, unit.pk, Account.Kind.AVAILABLE.value)
    name = f"given.{Transfer.objects.count()}"
    posting = Posting({pot: amount}, Transfer.Source.ADJUSTMENT, name)
    with transaction.atomic():
        ledger.post([posting], at=NOW)


def redeem(reward: Reward, *, customer_id: str = "alice") -> Redemption:
    """A member with a thousand points spends a hundred."""
    member = make_member(customer_id)
    give(member)
    return reserving.redeem(member, reward=reward, amount=100, key="once", at=NOW)


def redeem_by_call(url: str, *, customer_id: str = "alice") -> Redemption:
    """What the host application at this address is asked to hand over."""
    endpoint = Endpoint.objects.filter(name="shop").first()
    endpoint = endpoint or make_endpoint("shop", url=url, events=["nothing"])
    reward = Reward.objects.filter(key="call").first()
    reward = reward or make_reward(Reward.Kind.CALL, endpoint=endpoint)
    return redeem(reward, customer_id=customer_id)


def tell(key: str = "1", type: str = "points.expired") -> None:
    writing.emit(writing.Fact(type, key, {"customer_id": "alice"}), at=NOW)


def send(at: datetime = NOW) -> int:
    return sending.work(at=at)


def call_of(redemption: Redemption) -> Message:
    return redemption.messages.get(kind=Message.Kind.CALL)
