"""A whole replay: from what came in to the differences."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import chain

import structlog

from ingestion.replaying.comparing import Difference, differences
from ingestion.replaying.cutover import Cutover
from ingestion.replaying.reading import Reading
from ingestion.replaying.rebuilding import Rebuilding
from ingestion.replaying.scratch import SOURCE, scratch
from ingestion.replaying.timeline import Moving, Settling, Timeline
from merchants.models import Merchant
from rewards.models import Purchase
from rewards.verification import Check

REPLAYED = "replaying everything gives the same books"

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Replay:
    """What was read and done again, and what came out otherwise.

    ``erased`` counts events that nobody can read again: their members were erased.
    ``otherwise`` are ids of events that say what they said, and that our code reads
    otherwise by now: no difference, since it stands as it was read then.
    ``complete`` is False where time was up before the end: then nothing is compared.
    """

    read: int = 0
    erased: int = 0
    otherwise: list[int] = field(default_factory=list)
    done: int = 0
    differences: list[Difference] = field(default_factory=list)
    complete: bool = True

    @property
    def check(self) -> Check:
        """As one of the checks of every night."""
        return Check.of(REPLAYED, [found.broken for found in self.differences])


def replay(
    *,
    merchant: Merchant | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
    expired: Callable[[], bool] = lambda: False,
) -> Replay:
    """Read and settle everything again on an empty database, and compare.

    Moves nothing. Only purchases at ``merchant``, and attributed from ``start`` until
    before ``end``, where they are given: then events that became no purchase are not
    read, and balances and lots, which are of all that members did, are not compared.
    Give it a thread of its own: meanwhile the default database is another one there.
    """
    found = Replay()
    with scratch():
        purchases = _concerned(merchant, start, end)
        timeline = Timeline.read(purchases)
        reading = Reading(purchases)
        total = reading.total + len(timeline.steps)
        for _ in chain(_read(reading, found), _settle(timeline, found)):
            progress(found.read + found.erased + found.done, total)
            if expired():
                return replace(found, differences=[], complete=False)
        found.differences += differences(purchases)
    return found


def _read(reading: Reading, found: Replay) -> Iterator[None]:
    """Read the events again, piece by piece."""
    for differing in reading.pieces():
        found.differences += differing
        found.read, found.erased = reading.done, reading.erased
        found.otherwise = reading.otherwise
        yield


def _settle(timeline: Timeline, found: Replay) -> Iterator[None]:
    """Do all that moved something again, batch by batch."""
    rebuilding, cutover = Rebuilding(timeline), Cutover()
    for batch in timeline.batches():
        cutover.reach(batch[0].at)
        _do(rebuilding, batch, found)
        found.done += len(batch)
        yield
    cutover.reach(None)


def _do(
    rebuilding: Rebuilding, batch: Sequence[Settling | Moving], found: Replay
) -> None:
    """Do a batch again; where it can't be done, say so, one by one."""
    try:
        rebuilding.do(batch)
    except Exception as error:
        if len(batch) > 1:
            for step in batch:
                _do(rebuilding, [step], found)
            return
        found.differences.append(_failed(batch[0], error))


def _failed(step: Settling | Moving, error: Exception) -> Difference:
    said = f"can't be done again: {type(error).__name__}: {error}"
    if isinstance(step, Settling):
        id = step.number
        return Difference("settlement", id, said, purchase_id=step.purchase_id)
    return Difference(step.name, step.about, said)


def _concerned(
    merchant: Merchant | None, start: datetime | None, end: datetime | None
) -> set[int] | None:
    """The purchases that are asked for, with the same orders in other accounts."""
    if not (merchant or start or end):
        return None
    asked = Purchase.objects.using(SOURCE).order_by()
    if merchant:
        asked = asked.filter(merchant_id=merchant.pk)
    if start:
        asked = asked.filter(attributed_at__gte=start)
    if end:
        asked = asked.filter(attributed_at__lt=end)
    orders = set(asked.values_list("order_key", flat=True))
    same = Purchase.objects.using(SOURCE).filter(order_key__among=orders)
    return set(same.values_list("pk", flat=True))
