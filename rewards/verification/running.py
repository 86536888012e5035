"""Running every check, on PostgreSQL two at once."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

from django.db import connection

from rewards import appendonly
from rewards.verification import (
    closes,
    contents,
    lots,
    purchases,
    spending,
    transfers,
)
from rewards.verification.checking import Broken, Check

AT_ONCE = 2

_READ: dict[str, Callable[[], Iterable[Broken]]] = {
    "every report says what its digest names": contents.altered_reports,
    "every lot of a purchase expires by its days": lots.misdated,
    "every purchase tells its report's own words": contents.altered_purchases,
    "commission is in its buckets to the minor unit": closes.misplaced,
    "every closed day is as it was sealed": closes.broken_seals,
    "every bulk adds up to its sums": spending.missummed,
    "every edition is a program, and follows the one before": contents.altered_editions,
    "every award is of a rule of its edition": contents.unknown_awards,
}
_ASKED = {
    **transfers.QUERIES,
    **lots.QUERIES,
    **purchases.QUERIES,
    **spending.QUERIES,
}


def checks() -> Iterator[Check]:
    """Check every invariant; those that take longest begin first."""
    names = [*_READ, *_ASKED]
    if connection.vendor != "postgresql" or connection.in_atomic_block:
        yield from map(_check, names)
    else:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            yield from pool.map(_check_apart, names)
    bare = [Broken(table) for table in appendonly.missing()]
    yield Check.of("history can't be rewritten", bare)


def _check(name: str) -> Check:
    if query := _ASKED.get(name):
        return Check.by_query(name, query)
    return Check.of(name, _READ[name]())


def _check_apart(name: str) -> Check:
    """Check it on a connection of this thread's own."""
    try:
        return _check(name)
    finally:
        connection.close()
