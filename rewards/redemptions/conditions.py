"""What may stand between a member and a reward.

The same for a page that shows it and, under the member's lock, for redeeming.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Self
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import Count, Q
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from rewards import restrictions
from rewards.models import Member, PayoutDetails, Redemption, Reward
from rewards.money import unit_amount
from rewards.program import editions
from rewards.program.periods import period_start
from rewards.redemptions.refusals import InvalidAmount, NotRedeemable, held, sold_out


@dataclass(frozen=True, slots=True)
class Standing:
    """What a member's redemptions depend on, besides the balance and what is left.

    ``times`` is how often each reward with a limit was redeemed in its period.
    """

    member: Member
    details: PayoutDetails | None
    times: Mapping[int, int]
    at: datetime

    @classmethod
    def of(cls, member: Member, rewards: Sequence[Reward], *, at: datetime) -> Self:
        """Read it for these rewards at once."""
        paid = any(reward.kind == Reward.Kind.PAYOUT for reward in rewards)
        details = PayoutDetails.objects.filter(member=member).first() if paid else None
        limited = [reward for reward in rewards if reward.per_member is not None]
        return cls(member, details, _times(member, limited, at=at), at)

    def refuse(self, reward: Reward) -> None:
        """Raises NotRedeemable where this member may not redeem for this now."""
        restrictions.refuse_spending(self.member, at=self.at)
        if not reward.active:
            raise NotRedeemable("not_offered", _("It is not offered at the moment."))
        if reward.stock == 0 and reward.kind != Reward.Kind.GIFT_CODE:
            raise sold_out()
        self._refuse_often(reward)
        self._refuse_held(self.member.secured_at, _("The sign-in has changed"))
        if reward.kind == Reward.Kind.PAYOUT:
            if self.details is None:
                said = _("There are no payout details yet: nobody knows where to pay.")
                raise NotRedeemable("no_payout_details", said)
            changed = _("The payout details have changed")
            self._refuse_held(self.details.changed_at, changed)

    def _refuse_often(self, reward: Reward) -> None:
        most = reward.per_member
        if most is not None and self.times.get(reward.pk, 0) >= most:
            raise NotRedeemable("limit_reached", _said_limit(reward, most))

    def _refuse_held(self, changed_at: datetime | None, why: str) -> None:
        if changed_at is None:
            return
        until = changed_at + timedelta(hours=settings.REDEMPTION_HOLD_HOURS)
        if self.at < until:
            raise held(until=until, why=why)


def check_amount(reward: Reward, amount: int) -> None:
    """Refuse what no redemption of this reward can cost. Raises InvalidAmount."""
    least = unit_amount(reward.minimum, unit=reward.unit)
    if amount < reward.minimum:
        raise InvalidAmount(_("must be at least %s") % least)
    if reward.maximum is not None and amount > reward.maximum:
        most = unit_amount(reward.maximum, unit=reward.unit)
        raise InvalidAmount(_("must be at most %s") % most)
    if (amount - reward.minimum) % reward.step:
        step = unit_amount(reward.step, unit=reward.unit)
        said = _("must be %(least)s, or more in steps of %(step)s")
        raise InvalidAmount(said % {"least": least, "step": step})


def _said_limit(reward: Reward, most: int) -> str:
    if reward.per_member_period == Reward.Period.EVER:
        said = ngettext(
            "Each member can have it once.",
            "Each member can have it %(times)s times.",
            most,
        )
    else:
        said = ngettext(
            "Each member can have it once %(within)s.",
            "Each member can have it %(times)s times %(within)s.",
            most,
        )
    return said % {"times": most, "within": reward.get_per_member_period_display()}


def _times(
    member: Member, rewards: Sequence[Reward], *, at: datetime
) -> dict[int, int]:
    if not rewards:
        return {}
    zone, counted = editions.zone(at), Q()
    for reward in rewards:
        counted |= Q(reward=reward, **_since(reward, at, zone))
    rows = (
        Redemption.objects.filter(counted, member=member)
        .exclude(status=Redemption.Status.CANCELLED)
        .order_by()
        .values_list("reward_id")
        .annotate(Count("id"))
    )
    return dict(rows)


def _since(reward: Reward, at: datetime, zone: ZoneInfo) -> dict[str, datetime]:
    day = period_start(reward.per_member_period, at, zone=zone)
    if day is None:
        return {}
    start = datetime.combine(day, time.min, tzinfo=zone).astimezone(UTC)
    return {"asked_at__gte": start}
