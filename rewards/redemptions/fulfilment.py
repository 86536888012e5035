"""How a redemption ends, and the review that may come before.

Reserved goes on to fulfilled or cancelled; review goes there too, once a person has
looked. Each is a conditional UPDATE under the member's lock, and asking again for what
has happened already changes nothing.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.utils.translation import gettext as _

from rewards import freezes, interlock, restrictions
from rewards.models import Member, Message, Redemption, Reward
from rewards.outbox import writing
from rewards.redemptions import moves, staff, steps, stock
from rewards.redemptions.refusals import NotRedeemable

_STATUS = Redemption.Status


def fulfil(
    redemption: Redemption,
    *,
    by: AbstractBaseUser | None = None,
    reference: str = "",
    reason: str = "",
    answered: bool = False,
    at: datetime,
) -> Redemption:
    """The member has what was redeemed for: the amount is spent. Raises Refused.

    Staff end no redemption of their own, neither so nor by a cancel. A member's hold
    stops it, unless somebody was asked before it and now tells (``answered``).
    """
    with _changing(redemption):
        if redemption.status == _STATUS.FULFILLED:
            return redemption
        staff.refuse_own(by, redemption.member)
        freezes.refuse_closed(redemption.member)
        if not answered:
            restrictions.refuse_spending(redemption.member, at=at)
        _refuse_unapproved(redemption)
        values = {"reference": reference, "why": "", "ended_at": at}
        _advance(redemption, _STATUS.FULFILLED, **values)
        moves.spend(redemption, at=at)
        steps.take(redemption, reason=reason, by=by, at=at)
    return redemption


def cancel(
    redemption: Redemption,
    *,
    by: AbstractBaseUser | None = None,
    reason: str,
    answered: bool = False,
    at: datetime,
) -> Redemption:
    """Give everything back: to the same lots, to the stock. Raises Refused.

    While the host application is being called, only the call's own answer may
    (``answered``): it could have been handed over.
    """
    with _changing(redemption):
        if redemption.status == _STATUS.CANCELLED:
            return redemption
        staff.refuse_own(by, redemption.member)
        freezes.refuse_closed(redemption.member)
        if not answered:
            _refuse_calling(redemption)
        _advance(redemption, _STATUS.CANCELLED, why=_short(reason), ended_at=at)
        moves.give_back(redemption, at=at)
        steps.take(redemption, reason=reason, by=by, at=at)
        stock.give_back(redemption)
    return redemption


def hold(
    redemption: Redemption,
    *,
    by: AbstractBaseUser | None = None,
    reason: str,
    at: datetime,
) -> Redemption:
    """A person has to look: nobody knows how it went. Raises Refused."""
    with _changing(redemption):
        if redemption.status != _STATUS.REVIEW:
            _advance(redemption, _STATUS.REVIEW, why=_short(reason))
            steps.take(redemption, reason=reason, by=by, at=at)
    return redemption


def resume(
    redemption: Redemption, *, by: AbstractBaseUser, reason: str, at: datetime
) -> Redemption:
    """Out of review, on its way again. Raises Refused."""
    with _changing(redemption):
        staff.refuse_unentitled(by, redemption.member)
        restrictions.refuse_spending(redemption.member, at=at)
        _refuse_unapproved(redemption)
        if redemption.status != _STATUS.REVIEW:
            raise NotRedeemable("not_in_review", _("It is not in review."))
        _advance(redemption, _STATUS.RESERVED, why="")
        steps.take(redemption, reason=reason, by=by, at=at)
    return redemption


def approve(
    redemption: Redemption, *, by: AbstractBaseUser, at: datetime
) -> Redemption:
    """Let a large redemption go on. Nobody can approve of their own. Raises Refused."""
    with _changing(redemption):
        staff.refuse_unentitled(by, redemption.member)
        if not redemption.needs_approval or redemption.approved_at:
            raise NotRedeemable("no_approval_needed", _("It waits for no approval."))
        freezes.refuse_closed(redemption.member)
        restrictions.refuse_spending(redemption.member, at=at)
        values = {"approved_by": by, "approved_at": at, "why": ""}
        _advance(redemption, _STATUS.RESERVED, **values)
        steps.take(redemption, reason=_("Approved."), by=by, at=at)
        go_on(redemption, at=at)
    return redemption


def go_on(redemption: Redemption, *, at: datetime) -> None:
    """What follows reserving by itself. Inside the caller's transaction."""
    kind = redemption.reward.kind
    if kind == Reward.Kind.GIFT_CODE:
        fulfil(redemption, at=at)  # the code is in the member's hands already
    elif kind == Reward.Kind.CALL:
        writing.call(redemption, at=at)


@contextmanager
def _changing(redemption: Redemption) -> Iterator[None]:
    """One transaction that holds the member, with the redemption as it now is."""
    with transaction.atomic():
        interlock.enter()
        Member.objects.select_for_update(no_key=True).get(pk=redemption.member_id)
        own = Redemption.objects.select_for_update(no_key=True, of=("self",))
        redemption.refresh_from_db(
            from_queryset=own.select_related(
                "member", "reward__unit", "reward__endpoint"
            )
        )
        yield


def _advance(redemption: Redemption, status: str, **values: Any) -> None:
    """Go on from an open status. Raises NotRedeemable where it has ended."""
    still_open = Redemption.objects.filter(pk=redemption.pk, status__in=Redemption.OPEN)
    if not still_open.update(status=status, **values):
        said = _("It is %s already.") % redemption.get_status_display()
        raise NotRedeemable("ended", said)
    for name, value in {"status": status, **values}.items():
        setattr(redemption, name, value)


def _refuse_unapproved(redemption: Redemption) -> None:
    if redemption.needs_approval and not redemption.approved_at:
        raise NotRedeemable("needs_approval", _("Staff have to approve of it first."))


def _refuse_calling(redemption: Redemption) -> None:
    """Sending locks the redemption before it begins: what is not held won't be sent."""
    calls = redemption.messages.filter(kind=Message.Kind.CALL)
    if calls.filter(held_until__isnull=False).exists():
        said = _("The host application is being asked. Wait for its answer.")
        raise NotRedeemable("calling", said)


def _short(reason: str) -> str:
    """As much of a reason as fits beside the status; its step has all of it."""
    return reason[:255]
