"""The books as a whole: every minor unit in one bucket, every seal unbroken."""

from collections.abc import Iterator
from datetime import UTC, datetime

from rewards.closing import seals
from rewards.closing.days import Cut
from rewards.closing.figures import faults, figures
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
