"""Freezes: where the books don't add up, nothing more is posted until staff look."""

from collections.abc import Iterable
from datetime import datetime

import structlog
from django.contrib.auth.models import AbstractBaseUser, User
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from rewards import bulk, interlock
from rewards.models import Freeze, Member, Purchase
from rewards.refusals import Refused
from rewards.settling.due import settle_all
from rewards.settling.reviews import FROZEN
from rewards.verification import Check

PERMISSION = "rewards.change_freeze"
_COLUMNS = ("member_id", "purchase_id", "check_name", "frozen_at", "why_lifted")

log = structlog.get_logger(__name__)


def refuse_closed(*members: Member) -> None:
    """Refuse to touch balances where one of the members is frozen or erased.

    Raises Refused.
    """
    if any(member.status == Member.Status.ERASED for member in members):
        raise Refused("The member was erased.")
    if Freeze.objects.filter(member__in=members, lifted_at=None).exists():
        raise Refused("The member's balance is frozen until staff have looked at it.")


def freeze(check: Check, *, at: datetime) -> int:
    """Freeze the members and purchases that a check concerns; how many weren't yet.

    And nothing else: what concerns the whole program freezes nobody.
    """
    rows: list[tuple[object, ...]] = [
        (None, id, check.name, at, "") for id in sorted(check.purchases)
    ]
    rows += [(id, None, check.name, at, "") for id in sorted(check.members)]
    if not rows:
        return 0
    with transaction.atomic():
        interlock.close()  # what is being settled is posted before, or sees this
        new = bulk.insert_missing(Freeze, _COLUMNS, rows)
    if new:
        log.error("books_frozen", check=check.name, frozen=new)
    return new


def freeze_violations(checks: Iterable[Check], *, at: datetime) -> int:
    """Freeze whatever these checks found broken; how much wasn't frozen yet."""
    return sum(freeze(check, at=at) for check in checks if check.violations)


def waiting(freeze: Freeze) -> QuerySet[Purchase]:
    """The purchases that wait because of it, or of another freeze of the same."""
    about = Q(member=freeze.member_id) if freeze.member_id else Q(pk=freeze.purchase_id)
    return Purchase.objects.filter(about, review=FROZEN)


def lift(
    freeze: Freeze, *, reason: str, by: AbstractBaseUser | None, at: datetime
) -> int:
    """Let the books move again; how many purchases that waited were settled.

    Raises Refused.
    """
    if not isinstance(by, User) or not by.has_perm(PERMISSION):
        raise Refused(_("You may not lift freezes."))
    if not reason.strip():
        raise Refused(_("Say why: the reason stays with the freeze."))
    with transaction.atomic():
        interlock.close()
        standing = Freeze.objects.filter(pk=freeze.pk, lifted_at=None)
        if not standing.update(lifted_at=at, lifted_by=by, why_lifted=reason.strip()):
            raise Refused(_("It was lifted before."))
    freeze.refresh_from_db()
    log.info("freeze_lifted", freeze=freeze.pk, by=by.pk)
    return settle_all(waiting(freeze), at=at)
