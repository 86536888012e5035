"""Whether the books still say what was sealed."""

from rewards.closing import days, journal
from rewards.models import Close


def intact(close: Close) -> bool:
    """Whether the day's rows give the seal that it was closed with.

    And whether the day before still has the seal that is in this one.
    """
    before = days.before(close)
    if close.previous != (before.digest if before else ""):
        return False
    return journal.digest(journal.lines(close)) == close.digest


def broken() -> list[str]:
    """The days whose seal is broken, in their order. Reads every transfer once."""
    return [
        str(close.day)
        for close in Close.objects.order_by("day").iterator(chunk_size=10)
        if not intact(close)
    ]
