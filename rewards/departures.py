"""A member leaves for a store, told what it promises; the erased and blocked don't."""

from datetime import datetime

from django.db import transaction

from merchants import clicks
from merchants.models import Merchant
from rewards import interlock, restrictions
from rewards.members import enrolled_by_order
from rewards.models import Member
from rewards.promises import Promises, snapshot


class NotAMember(Exception):
    """Nobody has this customer id, and no order would make a member of it."""


def leave(
    merchant: Merchant,
    *,
    customer_id: str,
    url: str = "",
    own_reference: str = "",
    at: datetime,
) -> clicks.Departure:
    """Record that a customer leaves for a store; the click keeps what is promised now.

    An erasure waits for it and takes the click along, or it finds nobody. Raises
    NotAMember, LinkRefused, or Refused of the blocked; then nothing is recorded.
    """
    shown = snapshot(merchant, Promises.load(at=at).of(merchant))
    with transaction.atomic():
        interlock.enter()
        if not _may_leave(customer_id):
            raise NotAMember(customer_id)
        return clicks.leave(
            merchant,
            customer_id=customer_id,
            url=url,
            shown=shown,
            own_reference=own_reference,
            at=at,
        )


def _may_leave(customer_id: str) -> bool:
    """Raises Refused."""
    member = Member.objects.filter(customer_id=customer_id).first()
    if member is None:
        return enrolled_by_order(customer_id)
    restrictions.refuse_blocked(member)
    return member.status != Member.Status.ERASED
