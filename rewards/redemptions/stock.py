"""How many there are of a reward: taken with the redemption, given back with it."""

from datetime import datetime

from django.db.models import F

from rewards.models import Redemption, Reward
from rewards.redemptions import codes
from rewards.redemptions.refusals import sold_out


def take(redemption: Redemption, *, at: datetime) -> None:
    """Take one of what is left, never more than there is. Raises NotRedeemable."""
    reward = redemption.reward
    if reward.kind == Reward.Kind.GIFT_CODE:
        codes.assign(redemption, at=at)
    elif redemption.counted:
        left = Reward.objects.filter(pk=reward.pk, stock__gt=0)
        if not left.update(stock=F("stock") - 1):
            raise sold_out()


def give_back(redemption: Redemption) -> None:
    """What was taken is there for others again, if it is still counted."""
    if redemption.reward.kind == Reward.Kind.GIFT_CODE:
        codes.give_back(redemption)
    elif redemption.counted:
        counted = Reward.objects.filter(pk=redemption.reward_id, stock__isnull=False)
        counted.update(stock=F("stock") + 1)
