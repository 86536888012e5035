"""Doing everything again, by the code that did it, at the instant at which it did."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from itertools import chain, count

from django.db import transaction
from django.db.models import Model

from ingestion.replaying.scratch import SOURCE
from ingestion.replaying.timeline import Moving, Settling, Timeline, settled
from ingestion.replaying.world import World
from rewards import adjustments, bulk, ledger, recorded, write_offs
from rewards.ledger import expiries
from rewards.models import (
    Adjustment,
    Lot,
    Member,
    Purchase,
    Redemption,
    Report,
    Settlement,
    Transfer,
)
from rewards.recorded import Recorded
from rewards.redemptions import moves
from rewards.reports import Arrival, PurchaseReport
from rewards.settling.history import COLUMNS
from rewards.settling.settlement import settle

_FRESH = 10**15
"""Ids from here on are of rows that the replay made and the real database has not."""


class Rebuilding:
    """The scratch database while the history is settled on it."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._world = World()
        self._written_off: set[int] = set()

    def do(self, batch: Sequence[Settling | Moving]) -> None:
        """Do what the batch did: settlings together, or one other move."""
        first = batch[0]
        if isinstance(first, Moving):
            self._world.advance(first.at)
            self._move(first)
        else:
            self._settle([step for step in batch if isinstance(step, Settling)])

    def _settle(self, batch: Sequence[Settling]) -> None:
        first, numbers = batch[0], {s.purchase_id: s.number for s in batch}
        self._world.advance(first.at, number=first.number)
        decision = self._world.decision(first.decision_id)
        arrivals, reports = self._arrivals(numbers)
        known = set(
            Purchase.objects.filter(pk__among=numbers).values_list("pk", flat=True)
        )
        new = [id for id in reports if id not in known]
        facts = dict(
            Settlement.objects.using(SOURCE)
            .filter(pk__among=numbers.values())
            .values_list("purchase_id", "facts")
        )
        given = {
            id: Recorded(number, reports.get(id, ()), facts.get(id, {}))
            for id, number in numbers.items()
        }
        forgiving = self._timeline.forgives(first)
        ids = self._transfers(numbers)
        self._world.forgive(forgiving)
        with recorded.replaying(given), self._numbering(ids, new):
            settle(
                arrivals,
                purchases=[id for id in numbers if id not in reports],
                decision=decision,
                at=first.at,
            )

    def _arrivals(
        self, numbers: dict[int, int]
    ) -> tuple[list[Arrival], dict[int, list[int]]]:
        """What arrived, and the ids of its reports by purchase, in their order."""
        arrivals: list[Arrival] = []
        ids: dict[int, list[int]] = {}
        rows = Report.objects.using(SOURCE).filter(
            settlement__id__among=numbers.values()
        )
        for id, purchase_id, content, source, at, *columns in rows.order_by(
            "purchase_id", "pk"
        ).values_list(
            "pk", "purchase_id", "content", "source", "received_at", *COLUMNS
        ):
            own = dict(zip(COLUMNS, columns, strict=True))
            arrivals.append(Arrival(PurchaseReport.restore(content, **own), source, at))
            ids.setdefault(purchase_id, []).append(id)
        self._world.clicks({arrival.report.click_reference for arrival in arrivals})
        return arrivals, ids

    def _transfers(self, numbers: dict[int, int]) -> list[int]:
        """The ids of all that was moved by these settlings, and in their course."""
        own = Transfer.objects.using(SOURCE).filter(
            settlement__id__among=numbers.values()
        )
        ids = own.order_by("pk").values_list("pk", flat=True)
        aside = (self._timeline.transfers.get(settled(n), ()) for n in numbers.values())
        return sorted(chain(ids, *aside))

    def _numbering(
        self, transfers: Sequence[int], new: Sequence[int] = ()
    ) -> AbstractContextManager[None]:
        lots = Lot.objects.using(SOURCE).filter(transfer__id__among=transfers)
        return bulk.numbering(
            {
                Purchase: _then_fresh(new, Purchase),
                Transfer: _then_fresh(transfers, Transfer),
                Lot: _then_fresh(lots.order_by("pk").values_list("pk", flat=True), Lot),
            }
        )

    def _move(self, moving: Moving) -> None:
        ids = self._timeline.transfers.get(moving.name, ())
        if moving.name.startswith("erasure") and moving.name.count(".") > 1:
            ids = self._all_written_off(moving)
        rows = Transfer.objects.using(SOURCE).filter(pk__among=ids)
        self._world.forgive(rows.filter(source=Transfer.Source.FORGIVENESS).exists())
        with transaction.atomic(), self._numbering(sorted(ids)):
            _MOVES[moving.name.partition("-")[0]](self, moving)

    def _all_written_off(self, moving: Moving) -> list[int]:
        """The transfers by which all that a member had was written off at once."""
        begin = f"erasure-{moving.about}."
        own = (
            ids
            for name, ids in self._timeline.transfers.items()
            if name.startswith(begin) and name.count(".") > 1
        )
        return list(chain.from_iterable(own))

    def _redeem(self, moving: Moving) -> None:
        redemption = Redemption.objects.using(SOURCE).select_related("reward")
        step = moving.name.rpartition(".")[2]
        act = {
            "reserve": moves.reserve,
            "fulfil": moves.spend,
            "cancel": moves.give_back,
        }
        act[step](redemption.get(pk=moving.about), at=moving.at)

    def _adjust(self, moving: Moving) -> None:
        one = Adjustment.objects.using(SOURCE).get(pk=moving.about)
        posting = (
            adjustments.reversal(one)
            if moving.name.endswith(".undo")
            else adjustments.posting(one, adjustments.zone_at(moving.at))
        )
        ledger.post([posting], at=moving.at)

    def _expire(self, moving: Moving) -> None:
        expiries.expire_together([moving.about], at=moving.at)

    def _erase(self, moving: Moving) -> None:
        if moving.name.count(".") == 1:
            redemptions = Redemption.objects.using(SOURCE).select_related("reward")
            lost = redemptions.get(pk=int(moving.name.rpartition(".")[2]))
            write_offs.lose(lost, at=moving.at)
        elif moving.about not in self._written_off:
            self._written_off.add(moving.about)
            member = Member.objects.get(pk=moving.about)
            write_offs.write_off(member, at=moving.at)


_MOVES: dict[str, Callable[[Rebuilding, Moving], None]] = {
    "redemption": Rebuilding._redeem,
    "adjustment": Rebuilding._adjust,
    "expiry": Rebuilding._expire,
    "erasure": Rebuilding._erase,
}


def _then_fresh(ids: Iterable[int], model: type[Model]) -> Iterator[int]:
    """The ids that were drawn, then such as nobody has."""
    made = model._default_manager.filter(pk__gte=_FRESH).order_by("-pk")
    last = made.values_list("pk", flat=True).first()
    return chain(ids, count((last or _FRESH) + 1))
