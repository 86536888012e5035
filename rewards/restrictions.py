"""What staff forbid a member: redeeming for a while, or everything.

On hold, nothing is spent or paid out. Blocked, the member pages are closed too, and no
link leads to a store. Orders count and earn all the same.
"""

from datetime import datetime

import structlog
from django.contrib.auth.models import AbstractBaseUser, User
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from rewards.models import Member
from rewards.redemptions.refusals import NotRedeemable, held
from rewards.refusals import Refused

PERMISSION = "rewards.change_member"

_STATUS = Member.Status

log = structlog.get_logger(__name__)


def hold(
    member: Member,
    *,
    until: datetime | None,
    reason: str,
    by: AbstractBaseUser,
    at: datetime,
) -> None:
    """Let nothing be spent or paid out until then, or until it is lifted.

    It takes the place of another hold, or of a block. Raises Refused.
    """
    if until is not None and until <= at:
        raise Refused(_("Choose a time that is still to come."))
    _restrict(member, _STATUS.HELD, until=until, reason=reason, by=by, at=at)


def block(member: Member, *, reason: str, by: AbstractBaseUser, at: datetime) -> None:
    """Shut a member out until it is lifted. Raises Refused."""
    _restrict(member, _STATUS.BLOCKED, until=None, reason=reason, by=by, at=at)


def lift(member: Member, *, reason: str, by: AbstractBaseUser, at: datetime) -> None:
    """End a hold or a block. Raises Refused."""
    _restrict(member, _STATUS.ACTIVE, until=None, reason=reason, by=by, at=at)


def restricted(*, at: datetime) -> QuerySet[Member]:
    """Those of whom nothing is spent or paid out now."""
    over = Q(status=_STATUS.HELD, held_until__lte=at)
    standing = Member.objects.filter(status__in=(_STATUS.HELD, _STATUS.BLOCKED))
    return standing.exclude(over)


def refuse_blocked(member: Member) -> None:
    """Raises NotRedeemable."""
    if member.status == _STATUS.BLOCKED:
        raise NotRedeemable("blocked", _("This membership is blocked."))


def refuse_spending(member: Member, *, at: datetime) -> None:
    """Refuse to spend or pay out what a restricted member has. Raises NotRedeemable."""
    refuse_blocked(member)
    if member.status_at(at) != _STATUS.HELD:
        return
    if member.held_until:
        raise held(until=member.held_until, why=_("The balance is on hold"))
    said = _("The balance is on hold, so nothing is redeemed until staff lift it.")
    raise NotRedeemable("held", said)


def _restrict(
    member: Member,
    status: Member.Status,
    *,
    until: datetime | None,
    reason: str,
    by: AbstractBaseUser,
    at: datetime,
) -> None:
    """Bring a member to this status, under the lock that redeeming takes too."""
    _refuse_unentitled(by, member)
    if not reason.strip():
        raise Refused(_("Say why: colleagues will want to know."))
    with transaction.atomic():
        now = Member.objects.select_for_update(no_key=True).get(pk=member.pk)
        if now.status == _STATUS.ERASED:
            raise Refused(_("The member was erased."))
        if now.status_at(at) == status != _STATUS.HELD:  # a hold may get another end
            raise Refused(_("The member is %s already.") % status.label)
        now.status, now.held_until = status, until
        now.why_restricted = "" if status == _STATUS.ACTIVE else reason.strip()
        now.save(update_fields=["status", "held_until", "why_restricted"])
    member.refresh_from_db()
    log.info("member_restricted", member=member.pk, status=status.value, by=by.pk)


def _refuse_unentitled(by: AbstractBaseUser, member: Member) -> None:
    if not isinstance(by, User) or not by.has_perm(PERMISSION):
        raise Refused(_("Only who may change members can do this."))
    if member.user_id == by.pk:
        raise Refused(_("Nobody decides about a membership of their own."))
