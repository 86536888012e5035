"""What a member who leaves still has or waits for: ended, and written off."""

from datetime import datetime

from django.contrib.auth.models import AbstractBaseUser

from rewards import ledger
from rewards.ledger.postings import Posting, Pot
from rewards.models import Account, Adjustment, Member, Message, Redemption, Transfer
from rewards.redemptions import fulfilment, steps

_KIND = Account.Kind
_STATUS = Redemption.Status
_HANDED_OVER = (Message.State.SENT, Message.State.UNKNOWN)


def end(
    member: Member, *, reason: str, by: AbstractBaseUser | None, at: datetime
) -> dict[str, int]:
    """End everything that waits, and write off the rest. Counts, and what was lost.

    Inside the caller's transaction, which nothing else is posted in.
    """
    cancelled, doubtful = _end_redemptions(member, reason=reason, by=by, at=at)
    waiting = member.adjustments.filter(state=Adjustment.State.WAITING)
    dropped = waiting.update(
        state=Adjustment.State.DROPPED, ended_by=by, ended_at=at, why_ended=reason
    )
    return {
        "redemptions cancelled": cancelled,
        "redemptions ended in doubt": doubtful,
        "adjustments dropped": dropped,
        **write_off(member, at=at),
    }


def _end_redemptions(
    member: Member, *, reason: str, by: AbstractBaseUser | None, at: datetime
) -> tuple[int, int]:
    """Cancel what nobody has handed over; how many, and of how many nobody knows.

    What those have reserved is lost: it may be in the member's hands.
    """
    cancelled = doubtful = 0
    opened = member.redemptions.filter(status__in=Redemption.OPEN).order_by("pk")
    for redemption in opened.select_related("reward"):
        if not _in_doubt(redemption):
            fulfilment.cancel(redemption, by=by, reason=reason, at=at)
            cancelled += 1
            continue
        redemption.status, redemption.ended_at = _STATUS.CANCELLED, at
        redemption.save(update_fields=["status", "ended_at"])
        steps.note(redemption, reason=reason, by=by, at=at)
        lose(redemption, at=at)
        doubtful += 1
    return cancelled, doubtful


def lose(redemption: Redemption, *, at: datetime) -> None:
    """Write off what is reserved: it may be in the member's hands."""
    member_id = redemption.member_id
    pot = Pot(member_id, redemption.reward.unit_id, _KIND.RESERVED.value)
    reference = f"{member_id}.{redemption.pk}"
    posting = _posting({pot: -redemption.amount}, reference, redemption)
    ledger.post([posting], at=at)


def _in_doubt(redemption: Redemption) -> bool:
    """Whether something may have been handed over."""
    calls = redemption.messages.filter(kind=Message.Kind.CALL)
    sent = calls.filter(state__in=_HANDED_OVER) | calls.exclude(held_until=None)
    if sent.exists():
        return True
    unapproved = redemption.needs_approval and not redemption.approved_at
    return redemption.status == _STATUS.REVIEW and not unapproved


def write_off(member: Member, *, at: datetime) -> dict[str, int]:
    """Leave nothing in any pot, and no debt; how much that was, by kind and unit."""
    held = member.accounts.filter(balance__gt=0).order_by("unit_id", "kind")
    lost: dict[str, int] = {}
    postings = []
    for account in held.select_related("unit"):
        lost[f"{account.kind} {account.unit.code}"] = account.balance or 0
        postings.append(_emptied(account))
    # Debts first: what else is lost must pay none of them.
    postings.sort(key=lambda posting: min(posting.changes.values()) < 0)
    ledger.post(postings, at=at)
    return lost


def _emptied(account: Account) -> Posting:
    """A posting that leaves nothing in the account."""
    assert account.member_id and account.balance  # so they were asked for
    pot = Pot(account.member_id, account.unit_id, account.kind)
    change = account.balance if account.kind == _KIND.DEBT else -account.balance
    return _posting(
        {pot: change}, f"{account.member_id}.{account.unit_id}.{account.kind}"
    )


def _posting(
    changes: dict[Pot, int], reference: str, redemption: Redemption | None = None
) -> Posting:
    return Posting(
        changes,
        Transfer.Source.ERASURE,
        reference,
        counter=_KIND.WRITTEN_OFF,
        redemption_id=redemption.pk if redemption else None,
        may_owe=False,
    )
