"""What staff give members and take from them by hand.

Up to the unit's limit one person decides alone; above it, another one approves. Who
may do what is asked here and not on the pages, so a shell can't get around it.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Sum
from django.db.models.functions import Abs
from django.utils.translation import gettext as _

from rewards import freezes, interlock, ledger
from rewards.ledger.postings import NotEnough, Posting, Pot
from rewards.models import Account, Adjustment, Member, Reason, Terms, Transfer, Unit
from rewards.money import unit_amount
from rewards.outbox import writing
from rewards.program import editions
from rewards.refusals import Refused

AUTHORING, APPROVING = "rewards.add_adjustment", "rewards.approve_adjustment"
ALONE = timedelta(days=1)
MOST, MOST_DAYS, LONGEST_NOTE = 10**15, 36_500, 2_000

_STATE = Adjustment.State


def adjust(
    member: Member,
    *,
    unit: Unit,
    amount: int,
    reason: str,
    note: str,
    member_note: str = "",
    expires_after_days: int | None = None,
    key: UUID | None = None,
    by: User,
    at: datetime,
) -> Adjustment:
    """Give a member so much (or take it, below zero), in the unit's smallest step.

    Posted at once where ``by`` may decide alone, else it waits for somebody else.
    ``note`` is for staff, ``member_note`` for the member; what is given lives for ever
    or ``expires_after_days``. The same ``key`` again is the adjustment there is.
    Raises Refused.
    """
    _refuse_unless(by, AUTHORING, _("You may not adjust balances."))
    refuse_nonsense(amount, reason, note, member_note, expires_after_days)
    with transaction.atomic():
        interlock.enter()
        [member] = _lock([member.pk])
        _refuse_own(member, by)
        if earlier := key and Adjustment.objects.filter(key=key).first():
            return earlier
        adjustment = Adjustment.objects.create(
            member=member,
            unit=unit,
            amount=amount,
            reason=reason,
            note=note.strip(),
            member_note=member_note.strip(),
            expires_after_days=expires_after_days,
            needs_approval=abs(amount) > left_alone(member, unit=unit, by=by, at=at),
            asked_by=by,
            asked_at=at,
            key=key,
        )
        if adjustment.needs_approval:
            freezes.refuse_closed(member)
        else:
            post([adjustment], at=at)
    adjustment.refresh_from_db()
    return adjustment


def left_alone(member: Member, *, unit: Unit, by: User, at: datetime) -> int:
    """How much of the unit ``by`` may still give or take of a member today, alone.

    What was undone counts too, or giving and undoing in turns would know no limit.
    """
    own = Adjustment.objects.filter(
        member=member,
        unit=unit,
        asked_by=by,
        needs_approval=False,
        asked_at__gt=at - ALONE,
    )
    used = own.aggregate(sum=Sum(Abs("amount")))["sum"] or 0
    return max(Terms.of(unit.pk).alone_up_to - used, 0)


def approve(adjustment: Adjustment, *, by: User, at: datetime) -> None:
    """Approve of what somebody else asked for: it is posted. Raises Refused."""
    _refuse_unless(by, APPROVING, _("You may not approve of adjustments."))
    with transaction.atomic():
        interlock.enter()
        adjustment.refresh_from_db()
        _refuse_line(adjustment)
        if adjustment.asked_by_id == by.pk:
            raise Refused(_("Whoever asked for an adjustment can't approve of it."))
        _refuse_own(adjustment.member, by)
        post([adjustment], approved_by=by, approved_at=at, at=at)
    adjustment.refresh_from_db()


def drop(adjustment: Adjustment, *, reason: str = "", by: User, at: datetime) -> None:
    """Give up an adjustment that waits. Raises Refused."""
    adjustment.refresh_from_db()
    _refuse_line(adjustment)
    own = AUTHORING if adjustment.asked_by_id == by.pk else APPROVING
    _refuse_unless(by, own, _("You may not drop adjustments of others."))
    _refuse_own(adjustment.member, by)
    _advance(
        [adjustment], _STATE.WAITING, _STATE.DROPPED, **_ended(reason, by=by, at=at)
    )
    adjustment.refresh_from_db()


def undo(adjustment: Adjustment, *, reason: str, by: User, at: datetime) -> None:
    """Take back what was posted, to exactly nothing. Raises Refused.

    What was given is taken from what is left of it, then from the rest, and what the
    member has spent becomes debt. What was taken goes back where it came from, with
    the expiry it had.
    """
    if not reason.strip():
        raise Refused(_("Say why: the reason stays with the adjustment."))
    with transaction.atomic():
        interlock.enter()
        adjustment.refresh_from_db()
        alone = AUTHORING if not adjustment.needs_approval else APPROVING
        _refuse_unless(by, alone, _("You may not undo what needed an approval."))
        _refuse_own(adjustment.member, by)
        take_back([adjustment], reason=reason, by=by, at=at)
    adjustment.refresh_from_db()


def post(
    adjustments: Sequence[Adjustment],
    *,
    approved_by: User | None = None,
    approved_at: datetime | None = None,
    at: datetime,
) -> None:
    """Post what waits, all of it or nothing, inside the caller's transaction.

    Nothing that a member doesn't have is taken. Raises Refused.
    """
    _lock_open(adjustments)
    approved = {"approved_by": approved_by, "approved_at": approved_at}
    _advance(adjustments, _STATE.WAITING, _STATE.POSTED, posted_at=at, **approved)
    zone = zone_at(at)
    try:
        ledger.post([posting(one, zone) for one in adjustments], at=at)
    except NotEnough as error:
        raise Refused(_said_missing(error, adjustments)) from error
    writing.emit(*(_fact("adjustment.posted", one) for one in adjustments), at=at)


def take_back(
    adjustments: Sequence[Adjustment], *, reason: str, by: User | None, at: datetime
) -> None:
    """Undo what was posted, all of it or nothing, inside the caller's transaction.

    Raises Refused.
    """
    _lock_open(adjustments)
    ended = _ended(reason, by=by, at=at)
    _advance(adjustments, _STATE.POSTED, _STATE.UNDONE, **ended)
    ledger.post([reversal(one) for one in adjustments], at=at)
    writing.emit(*(_fact("adjustment.undone", one) for one in adjustments), at=at)


def refuse_nonsense(
    amount: int,
    reason: str,
    note: str,
    member_note: str,
    expires_after_days: int | None,
) -> None:
    """Refuse what makes no sense whoever asks for it. Raises Refused."""
    if reason not in Reason.values:
        raise Refused(_("“%s” is none of the reasons.") % reason)
    if not note.strip():
        raise Refused(_("Say why: colleagues will read the note."))
    if max(len(note), len(member_note)) > LONGEST_NOTE:
        raise Refused(_("A note has at most %d characters.") % LONGEST_NOTE)
    if not amount or abs(amount) > MOST:
        raise Refused(_("The amount is nothing, or more than anybody could have."))
    if expires_after_days is None:
        return
    if amount < 0:
        raise Refused(_("Only what is given can expire."))
    if not 1 <= expires_after_days <= MOST_DAYS:
        raise Refused(_("It expires after 1 to %d days, or never.") % MOST_DAYS)


def posting(adjustment: Adjustment, zone: str) -> Posting:
    pot = _pot(adjustment)
    lives = {pot: {adjustment.expires_after_days: adjustment.amount}}
    return Posting(
        {pot: adjustment.amount},
        Transfer.Source.ADJUSTMENT,
        f"{adjustment.pk}",
        counter=Account.Kind.ADJUSTED,
        adjustment_id=adjustment.pk,
        may_owe=False,
        lives=lives if adjustment.amount > 0 else {},
        zone=zone,
    )


def reversal(adjustment: Adjustment) -> Posting:
    return Posting(
        {_pot(adjustment): -adjustment.amount},
        Transfer.Source.ADJUSTMENT,
        f"{adjustment.pk}.undo",
        counter=Account.Kind.ADJUSTED,
        adjustment_id=adjustment.pk,
    )


def _pot(adjustment: Adjustment) -> Pot:
    kind = Account.Kind.AVAILABLE.value
    return Pot(adjustment.member_id, adjustment.unit_id, kind)


def zone_at(at: datetime) -> str:
    """The program's time zone, in which days end."""
    return editions.zone(at).key


def _lock_open(adjustments: Sequence[Adjustment]) -> None:
    """Lock their members, and refuse those whose balance nobody may touch."""
    interlock.enter()
    freezes.refuse_closed(*_lock({one.member_id for one in adjustments}))


def _lock(member_ids: Iterable[int]) -> list[Member]:
    found = Member.objects.filter(pk__among=member_ids).order_by("pk")
    return list(found.select_for_update(no_key=True))


def _advance(
    adjustments: Sequence[Adjustment],
    state: Adjustment.State,
    following: Adjustment.State,
    **values: object,
) -> None:
    """Take them all on to the next state. Raises Refused where another was first."""
    ids = [one.pk for one in adjustments]
    own = Adjustment.objects.filter(pk__among=ids, state=state)
    if own.update(state=following, **values) != len(ids):
        now = Adjustment.objects.filter(pk__among=ids).exclude(state=state)
        raise Refused(_("It is %s.") % now[0].get_state_display())


def _ended(reason: str, *, by: User | None, at: datetime) -> dict[str, object]:
    return {"ended_by": by, "ended_at": at, "why_ended": reason.strip()}


def _refuse_unless(by: User, permission: str, sentence: str) -> None:
    if not by.has_perm(permission):
        raise Refused(sentence)


def _refuse_own(member: Member, by: User) -> None:
    if member.user_id == by.pk:
        raise Refused(_("That is your own account: somebody else must decide."))


def _refuse_line(adjustment: Adjustment) -> None:
    if adjustment.bulk_id:
        raise Refused(_("It is part of %s: decide about that.") % adjustment.bulk)


def _said_missing(error: NotEnough, adjustments: Iterable[Adjustment]) -> str:
    one = next(one for one in adjustments if _pot(one) == error.pot)
    return _("%(member)s has %(there)s available: %(amount)s can't be taken.") % {
        "member": one.member,
        "there": unit_amount(-one.amount - error.missing, unit=one.unit),
        "amount": unit_amount(-one.amount, unit=one.unit),
    }


def _fact(type: str, adjustment: Adjustment) -> writing.Fact:
    """What has happened to a balance, for host applications."""
    said = {
        "adjustment": adjustment.pk,
        "customer_id": adjustment.member.customer_id,
        "unit": adjustment.unit.code,
        "amount": adjustment.amount,
        "reason": adjustment.reason,
        "note": adjustment.member_note,
    }
    return writing.Fact(type, f"{adjustment.pk}", said, adjustment.member)
