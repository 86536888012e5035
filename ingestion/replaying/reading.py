"""Every event read once more: the reports that stand must be what events say.

Settling is given stored reports again. So a replay begins before that, with what came
in.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from django.db.models import QuerySet

from ingestion.models import InboundEvent
from ingestion.replaying.comparing import Difference
from ingestion.replaying.scratch import SOURCE
from ingestion.replaying.telling import Stored, brought, compare, take_as_told
from rewards.models import Member, Purchase, Report
from rewards.privacy import tombstones
from rewards.reports import PurchaseReport
from rewards.settling.history import COLUMNS

_PURCHASES = 500
_BODIES = 50  # in memory at once, since they may be large
_NEEDED = (
    *("source", "digest", "body", "received_at", "account", "confirmed"),
    *("attempts", "outcome", "reason", "purchase_id"),
)


@dataclass(slots=True)
class Reading:
    """The events of some purchases, or all; how many were read, and how many can't be.

    ``erased``: what came in about a member who was erased says no longer what it said.
    ``otherwise`` are ids of events that nobody altered, and that we read otherwise now.
    """

    purchases: Collection[int] | None
    done: int = 0
    erased: int = 0
    otherwise: list[int] = field(default_factory=list)
    _tokens: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        gone = Member.objects.using(SOURCE).filter(status=Member.Status.ERASED)
        self._tokens = frozenset(gone.values_list("customer_id", flat=True))

    @property
    def total(self) -> int:
        """How many events there are to read."""
        if self.purchases is None:
            return _handled().count()
        return _handled().filter(purchase__id__among=self.purchases).count()

    def pieces(self) -> Iterator[list[Difference]]:
        """Read them piece by piece; what differs in each."""
        for ids in self._ids():
            stored, unreadable = _stored(ids)
            events = _handled().filter(purchase__id__among=ids).iterator(_BODIES)
            compared = [*self._compared(events, stored)]
            yield [*unreadable, *compared, *_untold(stored)]
        if self.purchases is None:
            rest = _handled().filter(purchase=None).iterator(_BODIES)
            while piece := list(islice(rest, _BODIES)):
                yield [*self._compared(piece, {})]

    def _ids(self) -> Iterator[list[int]]:
        """The purchases, so many at a time."""
        if self.purchases is None:
            every = Purchase.objects.using(SOURCE).order_by("pk")
            ids: Iterable[int] = every.values_list("pk", flat=True).iterator()
        else:
            ids = sorted(self.purchases)
        rest = iter(ids)
        while piece := list(islice(rest, _PURCHASES)):
            yield piece

    def _compared(
        self, events: Iterable[InboundEvent], stored: dict[int, list[Stored]]
    ) -> Iterator[Difference]:
        for event in events:
            reports = stored.get(event.purchase_id or 0, [])
            if self._is_rewritten(event):
                self.erased += 1
                take_as_told(brought(event, reports))
                continue
            self.done += 1
            if not (found := compare(event, reports)):
                continue
            take_as_told(found.brought)
            if found.is_our_reading:
                self.otherwise.append(event.pk)
            else:
                yield Difference("event", event.pk, found.said, None, event.purchase_id)

    def _is_rewritten(self, event: InboundEvent) -> bool:
        """Whether somebody erased was taken out of it."""
        if event.purchase_id is None and event.reason == tombstones.KEPT_OUT.reason:
            return True
        found = tombstones.TOKEN.findall(bytes(event.body)) if self._tokens else ()
        return any(token.decode() in self._tokens for token in found)


def _handled() -> QuerySet[InboundEvent]:
    """Events with an outcome: nothing follows from those that wait."""
    events = InboundEvent.objects.using(SOURCE).exclude(outcome="")
    return events.only(*_NEEDED).order_by("pk")


def _stored(
    purchases: Sequence[int],
) -> tuple[dict[int, list[Stored]], list[Difference]]:
    """The reports of these purchases, and which of them are none any more."""
    stored: dict[int, list[Stored]] = defaultdict(list)
    unreadable: list[Difference] = []
    rows = Report.objects.using(SOURCE).filter(purchase__id__among=purchases)
    for id, purchase_id, source, at, content, *columns in rows.order_by(
        "pk"
    ).values_list("pk", "purchase_id", "source", "received_at", "content", *COLUMNS):
        own = dict(zip(COLUMNS, columns, strict=True))
        try:
            report = PurchaseReport.restore(content, **own)
        except (KeyError, TypeError, ValueError) as error:
            said = f"can't be read: {error!r}"
            unreadable.append(Difference("report", id, said, None, purchase_id))
        else:
            stored[purchase_id].append(Stored(id, (source, at), report))
    return stored, unreadable


def _untold(stored: dict[int, list[Stored]]) -> Iterator[Difference]:
    for purchase_id, reports in stored.items():
        for one in reports:
            if not one.told:
                said = "no event says it"
                yield Difference("report", one.id, said, None, purchase_id)
