"""Everything that moved balances, in the order in which it did.

Settlings have numbers, and all else is placed by the ids of its transfers: they are
drawn while the member's accounts are locked.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from django.db.models import Min

from ingestion.replaying.scratch import SOURCE
from rewards.models import Adjustment, Redemption, Settlement, Transfer

MOST = 500
LAST = 2**62
"""The place of what should have moved something, and has no transfer."""

_SOURCE = Transfer.Source


class Settling(NamedTuple):
    """One settling of one purchase."""

    place: int
    number: int
    purchase_id: int
    at: datetime
    decision_id: int | None


class Moving(NamedTuple):
    """Another posting: ``name`` is its source and reference, ``about`` a row's id."""

    place: int
    number: int
    name: str
    about: int
    at: datetime


@dataclass(slots=True)
class Timeline:
    """All of it; ``transfers`` are the ids of each posting's, but for purchases' own.

    Of those there is only what happened in their course: a debt forgiven, an expiry
    undone. ``forgiving`` are the postings in whose course a debt was forgiven.
    """

    steps: list[Settling | Moving] = field(default_factory=list)
    transfers: dict[str, list[int]] = field(default_factory=dict)
    forgiving: set[str] = field(default_factory=set)

    @classmethod
    def read(cls, purchases: set[int] | None) -> "Timeline":
        """The whole history, or the settlings of these purchases alone."""
        found: dict[str, list[int]] = defaultdict(list)
        moved: dict[str, datetime] = {}
        forgiving: set[str] = set()
        rows = Transfer.objects.using(SOURCE).exclude(source=_SOURCE.PURCHASE)
        for id, source, reference, at in (
            rows.order_by("pk")
            .values_list("pk", "source", "reference", "recorded_at")
            .iterator()
        ):
            name = _name(source, reference)
            found[name].append(id)
            moved.setdefault(name, at)
            if source == _SOURCE.FORGIVENESS:
                forgiving.add(name)
        steps: list[Settling | Moving] = list(_settlings(purchases))
        if purchases is None:
            steps += _movings(found, moved)
        return cls(sorted(steps, key=lambda step: step[:2]), dict(found), forgiving)

    def batches(self) -> Iterator[Sequence[Settling | Moving]]:
        """Settlings of one instant and decision together, all else alone."""
        batch: list[Settling] = []
        for step in self.steps:
            if batch and not self._joins(step, batch):
                yield batch
                batch = []
            if isinstance(step, Moving):
                yield [step]
            else:
                batch.append(step)
        if batch:
            yield batch

    def forgives(self, settling: Settling) -> bool:
        """Whether a debt was forgiven in its course."""
        return settled(settling.number) in self.forgiving

    def _joins(self, step: Settling | Moving, batch: list[Settling]) -> bool:
        return (
            isinstance(step, Settling)
            and (step.at, step.decision_id) == (batch[0].at, batch[0].decision_id)
            and step.purchase_id not in {s.purchase_id for s in batch[-MOST:]}
            and not self.forgives(step)
            and not self.forgives(batch[-1])
            and len(batch) < MOST
        )


def settled(number: int) -> str:
    """The name of what a settling posted."""
    return f"{_SOURCE.PURCHASE}-{number}"


def _name(source: str, reference: str) -> str:
    """The posting that a transfer is part of, or happened in the course of."""
    posting = reference.rpartition(".")[0]
    aside = source in (_SOURCE.FORGIVENESS, _SOURCE.REVIVAL)
    return posting if aside else f"{source}-{posting}"


def _settlings(purchases: set[int] | None) -> Iterator[Settling]:
    """Each at its first transfer, and never before what was settled earlier of it."""
    moved = Transfer.objects.using(SOURCE).filter(settlement__isnull=False)
    firsts = dict(moved.order_by().values_list("settlement_id").annotate(Min("pk")))
    latest: dict[int, int] = {}
    running = 0
    rows = Settlement.objects.using(SOURCE).order_by("pk")
    for number, purchase_id, at, decision_id in rows.values_list(
        "pk", "purchase_id", "settled_at", "decision_id"
    ).iterator():
        if purchases is not None and purchase_id not in purchases:
            continue
        place = max(firsts.get(number, running), latest.get(purchase_id, 0))
        running = max(running, place)
        latest[purchase_id] = place
        yield Settling(place, number, purchase_id, at, decision_id)


def _movings(
    found: dict[str, list[int]], moved: dict[str, datetime]
) -> Iterator[Moving]:
    """What records say has moved, whether or not there are transfers, and the rest."""
    lost = _lost(name for name in found if name.startswith("erasure"))
    told = {name: one for name, one in _told() if name not in lost}
    for name in told.keys() | {n for n in found if n.startswith(("expiry", "erasure"))}:
        place = found[name][0] if name in found else LAST
        about, at = told.get(name) or (_about(name), moved[name])
        yield Moving(place, 0, name, about, at)


def _lost(found: Iterable[str]) -> set[str]:
    """Cancels that gave nothing back: their members were erased."""
    parts = [name.removeprefix("erasure-").split(".") for name in found]
    return {f"redemption-{p[1]}.cancel" for p in parts if len(p) == 2}


def _about(name: str) -> int:
    """The lot that expired, or the member who was erased."""
    number = name.partition("-")[2].partition(".")[0]
    return int(number) if number.isdigit() else 0


def _told() -> Iterator[tuple[str, tuple[int, datetime]]]:
    redemptions = Redemption.objects.using(SOURCE).values_list(
        "pk", "status", "asked_at", "ended_at"
    )
    for pk, status, asked_at, ended_at in redemptions.iterator():
        yield f"redemption-{pk}.reserve", (pk, asked_at)
        step = {"fulfilled": "fulfil", "cancelled": "cancel"}.get(status)
        if step and ended_at:
            yield f"redemption-{pk}.{step}", (pk, ended_at)
    adjustments = Adjustment.objects.using(SOURCE).order_by()
    for pk, posted_at, state, ended_at in adjustments.values_list(
        "pk", "posted_at", "state", "ended_at"
    ).iterator():
        if posted_at:
            yield f"adjustment-{pk}", (pk, posted_at)
        if state == Adjustment.State.UNDONE and ended_at:
            yield f"adjustment-{pk}.undo", (pk, ended_at)
