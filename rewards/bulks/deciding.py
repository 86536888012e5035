"""What staff decide about a file of adjustments; workers carry it out."""

from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction
from django.utils.translation import gettext as _

from rewards import interlock
from rewards.bulks.checking import UPLOADING
from rewards.models import Adjustment, Bulk
from rewards.refusals import Refused

APPROVING = "rewards.approve_bulk"

_STATE = Bulk.State


def approve(bulk: Bulk, *, by: User, at: datetime) -> None:
    """Approve of a file that somebody else uploaded, whatever it sums up to.

    Moves nothing yet. Raises Refused.
    """
    _refuse_unless(by, APPROVING)
    bulk.refresh_from_db()
    if bulk.asked_by_id == by.pk:
        raise Refused(_("Whoever uploaded a file can't approve of it."))
    _refuse_own(bulk, by)
    waiting = Bulk.objects.filter(pk=bulk.pk, state=_STATE.CHECKED, approved_at=None)
    if not waiting.update(approved_by=by, approved_at=at):
        raise Refused(_("It is approved already, or not waiting for that."))
    bulk.refresh_from_db()


def apply(bulk: Bulk, *, by: User, at: datetime) -> None:
    """Decide that workers post its lines. Raises Refused."""
    bulk.refresh_from_db()
    own = UPLOADING if bulk.asked_by_id == by.pk else APPROVING
    _refuse_unless(by, own)
    if bulk.state == _STATE.CHECKED and not bulk.approved_at:
        raise Refused(_("A second person has to approve of it first."))
    _begin(bulk, _STATE.CHECKED, _STATE.APPLYING)


def undo(bulk: Bulk, *, reason: str, by: User, at: datetime) -> None:
    """Decide that workers take all of it back, to exactly nothing. Raises Refused.

    What members have spent of it becomes their debt.
    """
    _refuse_unless(by, APPROVING)
    if not reason.strip():
        raise Refused(_("Say why: the reason stays with every line of the file."))
    _refuse_own(bulk, by)
    ended = {"ended_by": by, "ended_at": at, "why_ended": reason.strip()}
    _begin(bulk, _STATE.APPLIED, _STATE.UNDOING, **ended)


def drop(bulk: Bulk, *, reason: str = "", by: User, at: datetime) -> None:
    """Give up a file that was never applied; it may come again. Raises Refused."""
    bulk.refresh_from_db()
    _refuse_unless(by, UPLOADING if bulk.asked_by_id == by.pk else APPROVING)
    _refuse_own(bulk, by)
    ended = {"ended_by": by, "ended_at": at, "why_ended": reason.strip()}
    with transaction.atomic():
        interlock.enter()  # an erasure locks lines before their file
        _advance(bulk, _STATE.CHECKED, _STATE.DROPPED, **ended)
        bulk.adjustments.update(state=Adjustment.State.DROPPED, **ended)


def _begin(
    bulk: Bulk, state: Bulk.State, following: Bulk.State, **values: object
) -> None:
    _advance(bulk, state, following, last=0, done=0, failed=0, **values)


def _advance(
    bulk: Bulk, state: Bulk.State, following: Bulk.State, **values: object
) -> None:
    """Go on to the next state. Raises Refused where another has changed it."""
    own = Bulk.objects.filter(pk=bulk.pk, state=state)
    changed = own.update(state=following, **values)
    bulk.refresh_from_db()
    if not changed:
        raise Refused(_("It is %s.") % bulk.get_state_display())


def _refuse_unless(by: User, permission: str) -> None:
    if not by.has_perm(permission):
        raise Refused(_("You may not decide that about this file."))


def _refuse_own(bulk: Bulk, by: User) -> None:
    if bulk.adjustments.filter(member__user=by).exists():
        raise Refused(_("Your own account is in it: somebody else must decide."))
