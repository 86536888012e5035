"""A member with a balance and rewards to spend it on, for tests of redemptions."""

from datetime import datetime
from itertools import count
from typing import Any

import pytest

from rewards.models import (
    Draw,
    GiftCode,
    Message,
    Redemption,
    RedemptionStep,
    Reward,
    Transfer,
    Unit,
)
from rewards.redemptions import codes
from rewards.redemptions.reserving import redeem
from rewards.refusals import Refused
from rewards.verification import checks
from tests.builders import NOW, balances, make_member

WRITTEN = (Redemption, RedemptionStep, Transfer, Draw, Message)

_keys = count()


def make_reward(key: str = "mug", **changes: Any) -> Reward:
    """Something that costs 100 points or more, handed over by staff."""
    values = {
        "name": key.title(),
        "kind": Reward.Kind.MANUAL,
        "unit": Unit.objects.get(code="points"),
        "minimum": 100,
    }
    return Reward.objects.create(key=key, **{**values, **changes})


def make_pool(*texts: str, **changes: Any) -> Reward:
    """A gift card for 100 points, with these codes."""
    card = make_reward("card", kind=Reward.Kind.GIFT_CODE, maximum=100, **changes)
    codes.add(card, texts, by=None, at=NOW)
    return card


def ask(
    reward: Reward,
    amount: int = 100,
    *,
    key: str = "",
    customer_id: str = "alice",
    at: datetime = NOW,
) -> Redemption:
    """Redeem, under a key of its own unless one is given."""
    return redeem(
        make_member(customer_id),
        reward=reward,
        amount=amount,
        key=key or f"key-{next(_keys)}",
        at=at,
    )


def written() -> dict[str, Any]:
    """What a refusal must leave as it was."""
    rows = {model.__name__: model.objects.count() for model in WRITTEN}
    stock = list(Reward.objects.order_by("pk").values_list("pk", "stock"))
    taken = GiftCode.objects.exclude(redemption=None).count()
    statuses = list(Redemption.objects.order_by("pk").values_list("pk", "status"))
    return {**rows, "stock": stock, "codes": taken, "statuses": statuses}


def refused(code: str, *args: Any, **kwargs: Any) -> Refused:
    """Redeem, be refused for this reason, and leave nothing behind."""
    before, balance = written(), balances()
    with pytest.raises(Refused) as caught:
        ask(*args, **kwargs)
    assert getattr(caught.value, "code", "") == code
    assert (written(), balances()) == (before, balance)
    return caught.value


def history(redemption: Redemption) -> list[str]:
    return list(redemption.steps.values_list("status", flat=True))


def violations() -> dict[str, int]:
    """Every invariant that does not hold."""
    return {check.name: check.violations for check in checks() if check.violations}
