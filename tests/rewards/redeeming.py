"""Rewards to redeem for, for tests of the pages where members do."""

from typing import Any

from rewards.models import Redemption, Reward, Unit
from rewards.redemptions import codes
from tests.builders import NOW


def make_reward(key: str = "mug", **changes: Any) -> Reward:
    """A mug for 50 points that staff hand over."""
    values = {
        "name": f"A {key}",
        "kind": Reward.Kind.MANUAL,
        "unit": Unit.objects.get(code="points"),
        "minimum": 50,
        "maximum": 50,
    }
    return Reward.objects.create(key=key, **{**values, **changes})


def make_card(*texts: str, **changes: Any) -> Reward:
    """A gift card of these codes."""
    card = make_reward("card", kind=Reward.Kind.GIFT_CODE, **changes)
    codes.add(card, texts, by=None, at=NOW)
    return card


def redemption() -> Redemption:
    return Redemption.objects.get()
