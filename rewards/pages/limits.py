"""How often a member may do what costs more than a page."""

from time import time

from django.core.cache import cache

MINUTE = 60


def within(most: int, *, what: str, member: int) -> bool:
    """Count one more, and say whether it is among so many of this full minute.

    Each process counts for itself: it is to stop a flood, not to be exact.
    """
    name = f"{what}:{member}:{int(time() // MINUTE)}"
    cache.add(name, 0, timeout=2 * MINUTE)
    try:
        return cache.incr(name) <= most
    except ValueError:  # thrown out between the two lines, where there are very many
        return True
