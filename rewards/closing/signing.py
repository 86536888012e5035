"""Signing a close off: a person answers for the day, once, and in the days' order."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from django.contrib.auth.models import User
from django.db.models import Exists, OuterRef, QuerySet

from rewards.closing import days, seals
from rewards.closing.figures import faults
from rewards.models import Close, Purchase, Report
from rewards.refusals import Refused

PERMISSION = "rewards.sign_close"
FINAL = (Purchase.Status.VALIDATED, Purchase.Status.DECLINED)
MOST_NAMED = 10


def sign(close: Close, *, by: User, note: str, at: datetime) -> None:
    """Sign a close off; ``note`` says what becomes of its differences.

    Raises Refused where something of the day is undecided, does not add up, or is not
    what was sealed.
    """
    if not by.has_perm(PERMISSION):
        raise Refused("You may not sign off a close.")
    close.refresh_from_db()
    if reasons := list(obstacles(close)):
        raise Refused(" ".join(reasons))
    if close.differences and not note.strip():
        raise Refused("It differs from the network: say what becomes of that.")
    if not seals.intact(close):
        raise Refused("The books of the day are not what was sealed.")
    unsigned = Close.objects.filter(pk=close.pk, signed_at=None, digest=close.digest)
    if not unsigned.update(signed_by=by, signed_at=at, note=note.strip()):
        raise Refused("Somebody else has just signed it off, or taken it back.")
    close.refresh_from_db()


def obstacles(close: Close) -> Iterator[str]:
    """Why a close can't be signed off, in sentences; whether its seal is intact is not
    among them, since that reads the whole day."""
    if close.signed_at:
        yield "It is signed off already."
    before = days.before(close)
    if before and before.signed_at is None:
        yield f"{before.day} has to be signed off first."
    if undecided := list(changed_when_final(close)[: MOST_NAMED + 1]):
        yield (
            "These orders were final, changed afterwards, and wait for a decision:"
            f" {_named(undecided)}."
        )
    yield from faults(close.figures["rows"])


def changed_when_final(close: Close) -> QuerySet[Purchase]:
    """Purchases in review whose final state the network changed before the end."""
    later = Report.objects.filter(
        purchase=OuterRef("pk"),
        pk__gt=OuterRef("settlement__report_id"),
        status__in=FINAL,
        received_at__lt=close.until,
    )
    waiting = Purchase.objects.exclude(review="")
    final = waiting.filter(settlement__report__status__in=FINAL)
    return final.filter(Exists(later)).order_by("pk")


def _named(purchases: Iterable[Purchase]) -> str:
    names = [purchase.order_key for purchase in purchases]
    more = ", and others" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more
