"""Drawing up the close of a day, once it is over and the day before is closed."""

from collections import defaultdict
from datetime import date, datetime
from typing import Any

from django.db import transaction
from django.db.models import Sum

from rewards import interlock
from rewards.closing import days, journal, transfers
from rewards.closing.days import DAY, SETTLES, Cut
from rewards.closing.figures import figures
from rewards.closing.network import Answer, differences
from rewards.models import Account, Close
from rewards.refusals import Refused

Held = dict[str, dict[str, int]]
"""What members hold, by unit code and kind, in smallest steps; debt is what they
owe."""


def draw_up(day: date, *, network: Answer | str, at: datetime) -> Close:
    """Close a day: its figures, how they differ from the network's, and its seal.

    ``network`` is what the network says of the orders created on that day, or why it
    was not asked. The first close takes in all that was before. Raises Refused where
    the day is not over, another comes first, or it is closed already.
    """
    before = days.last_close()
    until = _until(day, before, at=at)
    with transaction.atomic():
        interlock.close()  # whoever has an earlier clock is done by then
        cut = Cut.now(until=until)
    close = Close(
        day=day,
        until=cut.until,
        newest_transfer=cut.transfer,
        newest_settlement=cut.settlement,
        drawn_up_at=at,
        previous=before.digest if before else "",
    )
    _fill(close, before, network, at=at)
    close.digest = journal.digest(journal.lines(close))
    with transaction.atomic():
        interlock.close()
        if days.last_close() != before:
            raise Refused(
                "Somebody else has closed a day meanwhile, or taken one back."
            )
        close.save(force_insert=True)
    return close


def take_back(close: Close) -> int:
    """Forget a close that nobody has signed, and those after it; how many.

    They are drawn up anew from the books as they are then. Raises Refused.
    """
    with transaction.atomic():
        interlock.close()
        following = Close.objects.filter(day__gte=close.day)
        if signed := following.exclude(signed_at=None).order_by("-day").first():
            raise Refused(f"{signed.day} is signed off, and stays as it is.")
        return following.delete()[0]


def _until(day: date, before: Close | None, *, at: datetime) -> datetime:
    """The end of the day. Raises Refused where its turn has not come."""
    if before and day <= before.day:
        raise Refused(f"{day} is closed already.")
    if before and day != before.day + DAY:
        raise Refused(f"{before.day + DAY} has to be closed first.")
    until = days.begins(day + DAY, at=at)
    if at < until + SETTLES:
        from_then = f"{until + SETTLES:%Y-%m-%d %H:%M} UTC"
        raise Refused(f"{day} is not over: close it from {from_then} on.")
    # Where the program has moved to another time zone, no day ends before another.
    return max(until, before.until) if before else until


def _fill(
    close: Close, before: Close | None, network: Answer | str, *, at: datetime
) -> None:
    """Work the figures out; the lock is given back, since nothing read can change."""
    cut = Cut.of(close)
    own = transfers.transfers(cut, Cut.of(before) if before else None)
    close.transfers = own.count()
    close.figures = {
        "rows": figures(cut),
        "held": _held(own, before),
        "network": network if isinstance(network, str) else "",
    }
    if not isinstance(network, str):
        start = days.begins(close.day, at=at)
        close.differences = differences(network, start=start, cut=cut)


def _held(own: Any, before: Close | None) -> Held:
    """What members hold at the end: what they held before, and what the day moved."""
    held: defaultdict[str, dict[str, int]] = defaultdict(
        lambda: dict.fromkeys(Account.MEMBER_KINDS, 0)
    )
    for unit, kinds in (before.figures["held"] if before else {}).items():
        held[unit] |= kinds
    moved = own.order_by().values_list(
        *("from_account__unit__code", "from_account__kind", "to_account__kind")
    )
    for unit, taken_from, given_to, amount in moved.annotate(sum=Sum("amount")):
        for kind, change in ((taken_from, -amount), (given_to, amount)):
            if kind in Account.MEMBER_KINDS:
                signed = -change if kind == Account.Kind.DEBT else change
                held[unit][kind] += signed
    return {
        unit: {str(kind): amount for kind, amount in kinds.items()}
        for unit, kinds in sorted(held.items())
    }
