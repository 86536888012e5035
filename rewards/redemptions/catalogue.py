"""What members can redeem for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from django.db.models import Count, Q, QuerySet

from rewards.models import Account, GiftCode, Member, Reward
from rewards.redemptions.conditions import Standing
from rewards.redemptions.refusals import NotRedeemable, not_enough, sold_out


@dataclass(frozen=True, slots=True)
class Offer:
    """A reward, how many are left (None: without end), and why it can't be had."""

    reward: Reward
    left: int | None
    refusal: NotRedeemable | None = None


def rewards() -> QuerySet[Reward]:
    """What is offered at the moment, in its order."""
    offered = Reward.objects.filter(active=True).select_related("unit")
    return offered.order_by("position", "id")


def on_offer(*, at: datetime) -> list[Offer]:
    """What is offered to everybody, with how many are left."""
    found = list(rewards())
    left = _left(found, today=at.date())
    return [Offer(reward, left[reward.pk]) for reward in found]


def offered(member: Member, *, at: datetime) -> list[Offer]:
    """What is offered to a member, in a constant number of queries.

    With why it can't be had now: sold out, too often, on hold, or too dear. Redeeming
    looks again.
    """
    offers = on_offer(at=at)
    standing = Standing.of(member, [offer.reward for offer in offers], at=at)
    available = _available(member)
    return [
        Offer(
            o.reward, o.left, _refusal(o, standing, available.get(o.reward.unit_id, 0))
        )
        for o in offers
    ]


def usable_codes(*, today: date) -> QuerySet[GiftCode]:
    """Codes that nobody has yet and that can still be used."""
    usable = Q(usable_until=None) | Q(usable_until__gte=today)
    return GiftCode.objects.filter(usable, redemption=None)


def _refusal(offer: Offer, standing: Standing, available: int) -> NotRedeemable | None:
    if offer.left == 0:
        return sold_out()
    try:
        standing.refuse(offer.reward)
    except NotRedeemable as refusal:
        return refusal
    if available < offer.reward.minimum:
        return not_enough(offer.reward.unit, available=available)
    return None


def _left(found: Sequence[Reward], *, today: date) -> Mapping[int, int | None]:
    """How many there are of each; a gift code's are counted."""
    pools = [reward for reward in found if reward.kind == Reward.Kind.GIFT_CODE]
    codes = usable_codes(today=today).filter(reward__in=pools).order_by()
    free = dict(codes.values_list("reward_id").annotate(Count("id"))) if pools else {}
    return {
        reward.pk: free.get(reward.pk, 0) if reward in pools else reward.stock
        for reward in found
    }


def _available(member: Member) -> dict[int, int]:
    held = member.accounts.filter(kind=Account.Kind.AVAILABLE)
    return {unit_id: held or 0 for unit_id, held in held.values_list("unit", "balance")}
