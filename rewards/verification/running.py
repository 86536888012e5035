"""Running every check, on PostgreSQL two at once."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import structlog
from django.db import DatabaseError, connection

from rewards.verification import (
    adjustments,
    closes,
    contents,
    database,
    lots,
    purchases,
    redemptions,
    sealed,
    transfers,
)
from rewards.verification.checking import Broken, Check

AT_ONCE = 2

log = structlog.get_logger(__name__)

_READ: dict[str, Callable[[], Iterable[Broken]]] = {
    "every report says what its digest names": contents.altered_reports,
    "every lot of a purchase expires by its days": lots.misdated,
    "every purchase tells its report's own words": contents.altered_purchases,
    "commission is in its buckets to the minor unit": closes.misplaced,
    "every closed day is as it was sealed": closes.broken_seals,
    "every bulk adds up to its sums": adjustments.missummed,
    "every edition is a program, and follows the one before": contents.altered_editions,
    "every award is of a rule of its edition": contents.unknown_awards,
    "every budget is of a rule that has one": contents.unknown_budgets,
    "every step of a redemption came after its asking": redemptions.steps_out_of_turn,
    "every redemption is what was asked for": redemptions.asked_for_something_else,
    "every gift code is the one that was added": sealed.altered_codes,
    "every payout goes where its hint says": sealed.misdirected_payouts,
    "every day was closed and signed off in turn": closes.signed_out_of_turn,
    "history can't be rewritten": database.rewritable,
    "the database keeps its rules": database.unguarded,
}
_ASKED = {
    **transfers.QUERIES,
    **lots.QUERIES,
    **purchases.QUERIES,
    **redemptions.QUERIES,
    **adjustments.QUERIES,
}


def checks() -> Iterator[Check]:
    """Check every invariant; those that take longest begin first."""
    names = [*_READ, *_ASKED]
    if connection.vendor != "postgresql" or connection.in_atomic_block:
        yield from map(_check, names)
    else:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            yield from pool.map(_check_apart, names)


def _check(name: str) -> Check:
    """What breaks this invariant; rows that can't even be read break it too."""
    try:
        return _ask(name)
    except DatabaseError:
        raise  # the database's trouble, not a row's
    except Exception as error:
        log.exception("invariant_not_checked", invariant=name)
        return Check.of(name, [Broken(f"can't be read: {error!r}")])


def _ask(name: str) -> Check:
    if query := _ASKED.get(name):
        return Check.by_query(name, query)
    return Check.of(name, _READ[name]())


def _check_apart(name: str) -> Check:
    """Check it on a connection of this thread's own."""
    try:
        return _check(name)
    finally:
        connection.close()
