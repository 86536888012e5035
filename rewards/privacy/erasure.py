"""Erasing a member: the person goes from everywhere, the sums and the books stay.

What is left of the balance is written off. A token that says nothing takes the place
of the customer id, and a keyed tombstone keeps out whatever comes later.
"""

from collections.abc import Callable
from datetime import datetime

import structlog
from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import Q

from merchants.models import Click
from rewards import freezes, interlock, write_offs
from rewards.models import (
    Decision,
    Member,
    Purchase,
    Report,
    Settlement,
    Tombstone,
    Transfer,
)
from rewards.outbox import writing
from rewards.outbox.writing import Fact
from rewards.privacy import identity, tombstones
from rewards.privacy.residues import Leaving, Names
from rewards.settling.settlement import settle

PERMISSION = "rewards.erase_member"
BATCH = 500
REASON = "The member was erased."

log = structlog.get_logger(__name__)

Scrub = Callable[[Leaving], dict[str, int]]
_scrubs: list[Scrub] = []


def register(scrub: Scrub) -> None:
    """Have another app erase what it keeps, in the same transaction.

    ``scrub`` returns counts for the certificate.
    """
    if scrub not in _scrubs:
        _scrubs.append(scrub)


def erase(member: Member, *, by: AbstractBaseUser | None, at: datetime) -> Tombstone:
    """Erase a member, all of it or nothing. Who was erased already stays so.

    Nothing is settled meanwhile, for anybody. Raises Refused while the member's
    balance is frozen: what doesn't add up can't be written off.
    """
    with transaction.atomic():
        interlock.close()
        member = Member.objects.select_for_update(no_key=True).get(pk=member.pk)
        if member.status == Member.Status.ERASED:
            return Tombstone.objects.get(member=member)
        freezes.refuse_closed(member)
        leaving = _leaving(member)
        _close_purchases(leaving, by=by, at=at)
        gone = write_offs.end(member, reason=REASON, by=by, at=at)
        gone |= identity.remove(leaving)
        for scrub in _scrubs:
            gone |= scrub(leaving)
        tombstone = _bury(leaving, gone, by=by, at=at)
    log.info("member_erased", member=member.pk, by=by and by.pk)
    return tombstone


def _leaving(member: Member) -> Leaving:
    """Who leaves, with every purchase that ever was theirs or named them."""
    customer_id = member.customer_id
    own = Q(member=member) | Q(member=None, customer_id=customer_id)
    clicks = Click.objects.filter(customer_id=customer_id).values("pk")
    settled = Settlement.objects.filter(member=member).values("purchase_id")
    told = Report.objects.filter(customer_id=customer_id).values("purchase_id")
    own_ids = set(Purchase.objects.filter(own).values_list("pk", flat=True))
    named_ids = {
        *Purchase.objects.filter(click__in=clicks).values_list("pk", flat=True),
        *settled.values_list("purchase_id", flat=True),
        *told.values_list("purchase_id", flat=True),
    }
    names = tuple(name for name in (customer_id, member.email) if name)
    return Leaving(
        member,
        Names(names, tombstones.new_token()),
        own=sorted(own_ids),
        others=sorted(named_ids - own_ids),
    )


def _close_purchases(
    leaving: Leaving, *, by: AbstractBaseUser | None, at: datetime
) -> None:
    """Decide for good about their purchases: each keeps what it was worth last."""
    decision = Decision.objects.create(
        kind=Decision.Kind.ERASE,
        member=leaving.member,
        reason=REASON,
        decided_by=by,  # type: ignore[misc]
        decided_at=at,
    )
    for first in range(0, len(leaving.own), BATCH):
        batch = leaving.own[first : first + BATCH]
        settle(purchases=batch, decision=decision, at=at)


def _bury(
    leaving: Leaving, gone: dict[str, int], *, by: AbstractBaseUser | None, at: datetime
) -> Tombstone:
    """Leave the tombstone, and tell host applications: by the token, the id is gone."""
    member = leaving.member
    tombstone = Tombstone.objects.create(
        member=member,
        digest=tombstones.digest(leaving.customer_id),
        erased_at=at,
        erased_by=by,  # type: ignore[misc]
        certificate={"gone": gone, "kept": _kept(leaving)},
    )
    said = {"token": leaving.names.token}
    writing.emit(Fact("member.erased", str(tombstone.pk), said), at=at)
    return tombstone


def _kept(leaving: Leaving) -> dict[str, int]:
    """What stays, of nobody now: the books need it, and later reports of the order."""
    member = leaving.member
    own = Q(from_account__member=member) | Q(to_account__member=member)
    return {
        "purchases": len(leaving.own),
        "reports": Report.objects.filter(purchase__in=leaving.own).count(),
        "transfers": Transfer.objects.filter(own).count(),
        "redemptions": member.redemptions.count(),
        "adjustments": member.adjustments.count(),
        "clicks": Click.objects.filter(customer_id=leaving.names.token).count(),
    }
