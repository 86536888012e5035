"""The books as a whole: every minor unit in one bucket, every seal unbroken."""

from collections.abc import Iterator
from datetime import UTC, datetime

from rewards.closing import seals
from rewards.closing.days import Cut
from rewards.closing.figures import faults, figures
from rewards.models import Close
from rewards.verification.checking import Broken

_ALL = datetime(9999, 1, 1, tzinfo=UTC)


def misplaced() -> Iterator[Broken]:
    """Accounts and currencies whose commission is not in its buckets, all of it."""
    for said in faults(figures(Cut.now(until=_ALL))):
        yield Broken(said)


def broken_seals() -> Iterator[Broken]:
    """Days whose rows are not what was sealed."""
    for day in seals.broken():
        yield Broken(day)


def signed_out_of_turn() -> Iterator[Broken]:
    """Days closed before their end, or signed off before that or the day before."""
    before = None
    for close in Close.objects.order_by("day").defer("figures", "differences"):
        signed = close.signed_at
        its_turn = before is None or before.signed_at is not None
        in_turn = signed is None or (its_turn and signed >= close.drawn_up_at)
        if close.drawn_up_at < close.until or not in_turn:
            yield Broken(str(close.day))
        before = close
