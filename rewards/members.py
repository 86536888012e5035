"""Making members and changing them, as the host application asks."""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction

from rewards import interlock
from rewards.models import Member, Purchase
from rewards.privacy import tombstones
from rewards.refusals import Refused
from rewards.settling.due import settle_all


def put_member(
    customer_id: str, *, at: datetime, **changes: Any
) -> tuple[Member, bool]:
    """Create or update a member; whether it is new.

    Orders that waited for this customer id are settled before it returns. Another mail
    address than before counts as a changed sign-in: redeeming waits for a while.
    Whoever was erased is a new member, for later orders. Raises Refused for the token
    that stands for one.
    """
    with transaction.atomic():
        known = Member.objects.filter(customer_id=customer_id).exists()
        if not known and not enrolled_by_order(customer_id):
            interlock.close()  # an order being settled must not miss its new member
        # Locked, or who is erased at this moment would get a mail address again.
        member, created = Member.objects.select_for_update(no_key=True).get_or_create(
            customer_id=customer_id, defaults={"joined_at": at, **changes}
        )
        if member.status == Member.Status.ERASED:
            raise Refused("The member was erased.")
        changed = [f for f, v in changes.items() if getattr(member, f) != v]
        if "email" in changed and member.email:
            member.secured_at = at
            changed.append("secured_at")
        for name in changes:
            setattr(member, name, changes[name])
        if changed:
            member.save(update_fields=changed)
    # Always: whoever made the member may have died before this.
    waiting = Purchase.objects.filter(customer_id=customer_id, member=None, review="")
    settle_all(waiting, at=at)
    return member, created


def enrolled_by_order(customer_id: str) -> bool:
    """Whether a first order makes this member; never of somebody who was erased."""
    return settings.MEMBERS_AUTO_ENROLL and not tombstones.tokens({customer_id})


def note_changed_sign_in(user: User, *, at: datetime) -> None:
    """A login's name or password has changed: its member redeems nothing for a while.

    Call it wherever that happens, in the same transaction.
    """
    Member.objects.filter(user=user).update(secured_at=at)
