"""Taking a person out of what rewards keeps. Amounts, times and orders stay."""

from django.contrib.admin.models import LogEntry
from django.db import transaction
from django.db.models import Model, ProtectedError, Q, QuerySet

from merchants.models import Click
from rewards.models import (
    Adjustment,
    Attempt,
    Bulk,
    Decision,
    Freeze,
    GiftCode,
    Member,
    Message,
    PayoutDetails,
    Purchase,
    Redemption,
    RedemptionStep,
    Report,
    Rerun,
)
from rewards.privacy.residues import Leaving

_WRITTEN: tuple[tuple[type[Model], tuple[str, ...]], ...] = (
    (LogEntry, ("object_repr", "change_message")),
    (Decision, ("reason",)),
    (Rerun, ("reason",)),
    (Bulk, ("name", "note", "why_ended", "faults")),
    (Adjustment, ("note", "failure", "why_ended")),
    (Freeze, ("why_lifted",)),
    (Member, ("why_restricted",)),
)
"""Where staff write what they like, and may have named anybody."""


def remove(leaving: Leaving) -> dict[str, int]:
    """Put the token where the customer id stood, and empty whatever else tells who it
    was. Returns counts."""
    gone = {
        # Before their messages: so does sending lock them.
        "redemptions": _empty_redemptions(leaving),
        "messages": _empty_messages(leaving.member),
        "clicks": _rename_clicks(leaving),
        "reports": _rename(Report.objects.all(), leaving),
        "notes": _empty_notes(leaving),
    }
    _rename_purchases(leaving)
    gone["remarks of staff"] = sum(
        leaving.names.replace_in(model._default_manager.all(), *fields)
        for model, fields in _WRITTEN
    )
    gone["sign-ins"] = _forget_member(leaving)
    return gone


def _rename(rows: QuerySet, leaving: Leaving, **also: str) -> int:
    named = rows.filter(customer_id=leaving.customer_id)
    return named.update(customer_id=leaving.names.token, **also)


def _rename_clicks(leaving: Leaving) -> int:
    """Where they went and what the host called it may tell who it was."""
    return _rename(Click.objects.all(), leaving, destination="", own_reference="")


def _rename_purchases(leaving: Leaving) -> None:
    concerned = Purchase.objects.filter(pk__among=[*leaving.own, *leaving.others])
    _rename(concerned, leaving)
    leaving.names.replace_in(concerned.exclude(review=""), "review")


def _empty_messages(member: Member) -> int:
    """Send nothing more that is about them, and keep nothing of what was sent."""
    own = Message.objects.filter(Q(member=member) | Q(redemption__member=member))
    ids = list(own.values_list("pk", flat=True))
    own = Message.objects.filter(pk__among=ids)
    own.filter(state=Message.State.WAITING).update(state=Message.State.DROPPED)
    Attempt.objects.filter(message__id__among=ids).update(said="")
    return own.update(payload={})


def _empty_redemptions(leaving: Leaving) -> int:
    own = leaving.member.redemptions
    codes = GiftCode.objects.filter(redemption__member=leaving.member)
    codes.update(sealed=b"", hint="")
    RedemptionStep.objects.filter(redemption__member=leaving.member).update(reason="")
    PayoutDetails.objects.filter(member=leaving.member).delete()
    for pk in own.values_list("pk", flat=True):  # the host made the key: of anything
        Redemption.objects.filter(pk=pk).update(key=f"{leaving.names.token}.{pk}")
    return own.update(payout=None, payout_hint="", reference="", why="")


def _empty_notes(leaving: Leaving) -> int:
    """What staff wrote to them or about them alone goes as a whole."""
    notes = dict.fromkeys(("note", "member_note", "failure", "why_ended"), "")
    decisions = Decision.objects.filter(purchase__id__among=leaving.own)
    return leaving.member.adjustments.update(**notes) + decisions.update(reason="")


def _forget_member(leaving: Leaving) -> int:
    """Empty the member's row; how many sign-ins went with it."""
    member, user = leaving.member, leaving.member.user
    Member.objects.filter(pk=member.pk).update(
        customer_id=leaving.names.token,
        status=Member.Status.ERASED,
        held_until=None,
        why_restricted="",
        email="",
        locale="",
        segments=[],
        secured_at=None,
        user=None,
    )
    member.refresh_from_db()
    if user is None or user.is_staff or user.is_superuser:
        return 0  # staff stay staff, as nobody's member
    try:
        with transaction.atomic():
            user.delete()
    except ProtectedError:
        return 0  # was staff once, and decided something
    return 1
