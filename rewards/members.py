"""Making members and changing them, as the host application asks."""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction

from rewards import interlock
from rewards.due import settle_all
from rewards.models import Member, Purchase


def put_member(
    customer_id: str, *, at: datetime, **changes: Any
) -> tuple[Member, bool]:
    """Create or update a member; whether it is new.

    Orders that waited for this customer id are settled before it returns.
    """
    with transaction.atomic():
        known = Member.objects.filter(customer_id=customer_id).exists()
        if not known and not settings.MEMBERS_AUTO_ENROLL:
            interlock.close()  # an order being settled must not miss its new member
        member, created = Member.objects.get_or_create(
            customer_id=customer_id, defaults={"joined_at": at, **changes}
        )
        changed = [f for f, v in changes.items() if getattr(member, f) != v]
        for name in changed:
            setattr(member, name, changes[name])
        if changed:
            member.save(update_fields=changed)
    # Always: whoever made the member may have died before this.
    waiting = Purchase.objects.filter(customer_id=customer_id, member=None, review="")
    settle_all(waiting, at=at)
    return member, created
