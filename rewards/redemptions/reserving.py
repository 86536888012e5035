"""Redeeming: one request, one redemption, however often it is sent."""

import re
import secrets
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from rewards import freezes, interlock
from rewards.ledger import expiries
from rewards.ledger.postings import NotEnough
from rewards.models import Account, Member, Redemption, Reward
from rewards.redemptions import fulfilment, moves, payouts, requests, steps, stock
from rewards.redemptions.conditions import Standing, check_amount
from rewards.redemptions.refusals import KeyReused, not_enough

KEY = re.compile(r"[ -~]{1,255}")  # printable ASCII, as it comes in a header


def redeem(
    member: Member, *, reward: Reward, amount: int, key: str, at: datetime
) -> Redemption:
    """Reserve an amount of the member's balance, in smallest steps, for a reward.

    ``key`` names the request for ever: asked again, the same redemption comes back,
    whatever became of it. What was refused left nothing behind, so its key may be used
    again. Raises KeyReused, InvalidAmount, or Refused; then nothing was written.
    """
    digest = requests.digest(reward.key, amount)
    with transaction.atomic():
        interlock.enter()
        # One at a time for a member: limits hold, and a double click finds the first.
        member = Member.objects.select_for_update(no_key=True).get(pk=member.pk)
        if known := _find(member, key):
            if bytes(known.request_digest) != digest:
                raise KeyReused(_("was used for another redemption"))
            return known
        # As it is now: it may have changed since the caller read it.
        reward = Reward.objects.select_related("unit", "endpoint").get(pk=reward.pk)
        check_amount(reward, amount)
        freezes.refuse_closed(member)
        standing = Standing.of(member, [reward], at=at)
        standing.refuse(reward)
        redemption = _create(standing, reward, amount, key, digest)
        _reserve(redemption, at=at)
        steps.take(redemption, reason=redemption.why, at=at)
        # Last: everybody who wants the same reward waits for this to be committed.
        stock.take(redemption, at=at)
        if not redemption.needs_approval:
            fulfilment.go_on(redemption, at=at)
        return redemption


def _find(member: Member, key: str) -> Redemption | None:
    known = Redemption.objects.select_related("reward__unit", "member")
    return known.filter(member=member, key=key).first()


def _create(
    standing: Standing, reward: Reward, amount: int, key: str, digest: bytes
) -> Redemption:
    """Write the redemption down, in review where staff have to approve of it."""
    waits = reward.approve_above is not None and amount > reward.approve_above
    status = Redemption.Status.REVIEW if waits else Redemption.Status.RESERVED
    redemption = Redemption(
        public_id=f"rdm-{secrets.token_hex(8)}",
        member=standing.member,
        reward=reward,
        amount=amount,
        counted=reward.stock is not None,
        status=status,
        why=_("Staff have to approve of this amount.") if waits else "",
        key=key,
        request_digest=digest,
        asked_at=standing.at,
        needs_approval=waits,
    )
    if standing.details:
        payouts.attach(redemption, standing.details)
    redemption.save(force_insert=True)
    return redemption


def _reserve(redemption: Redemption, *, at: datetime) -> None:
    """Raises NotRedeemable where too little is available."""
    expiries.let_go(redemption.member, at=at)
    try:
        moves.reserve(redemption, at=at)
    except NotEnough:
        unit = redemption.reward.unit
        account = redemption.member.accounts.filter(
            unit=unit, kind=Account.Kind.AVAILABLE
        ).first()
        available = account.balance if account else 0
        raise not_enough(unit, available=available or 0) from None
