"""What an event says now, beside the reports that stand."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import NamedTuple, Self

from ingestion.button.envelope import polled_delivery, webhook_delivery
from ingestion.inbox import Delivery
from ingestion.models import InboundEvent
from ingestion.processing import MOST_ATTEMPTS, Understood, understand
from rewards.models import Report
from rewards.reports import PurchaseReport

_NAMES = tuple(field.name for field in fields(PurchaseReport))
_Outcome = InboundEvent.Outcome
_BRINGING = (_Outcome.SETTLED, _Outcome.REVIEW)
"""Outcomes of events that brought a report."""


@dataclass(slots=True)
class Stored:
    """A report that stands, how and when it came, and whether an event tells it."""

    id: int
    came: tuple[str, datetime]
    report: PurchaseReport
    told: bool = False

    @property
    def is_genuine(self) -> bool:
        """Whether it says what its digest names, which is keyed."""
        return replace(self.report).digest == self.report.digest


class Otherwise(NamedTuple):
    """An event that says something else than stands, and what it brought then."""

    event: InboundEvent
    said: str
    brought: list[Stored]

    @classmethod
    def than(cls, stands: Stored, event: InboundEvent, read: PurchaseReport) -> Self:
        said = ", ".join(
            f"{name} is {getattr(stands.report, name)}, not {getattr(read, name)}"
            for name in _differing(stands.report, read)
        )
        return cls(event, f"report {stands.id}: {said}", [stands])

    @property
    def is_our_reading(self) -> bool:
        """Whether nothing was altered, by keyed digests, but how we read it.

        So it is after an upgrade which understands more, or under another setting.
        """
        if not self.brought and self.event.outcome in _BRINGING:
            return False
        came = _delivery(self.event).digest == bytes(self.event.digest)
        return came and all(one.is_genuine for one in self.brought)


def compare(event: InboundEvent, reports: Sequence[Stored]) -> Otherwise | None:
    """In which respect an event says something else than stands; None if in none."""
    understood = understand(event)
    if event.purchase_id is None:
        return _compare_outcome(event, understood)
    if understood.arrival is None:
        return Otherwise(event, _now(event, understood), brought(event, reports))
    return _compare_report(event, understood.arrival.report, reports)


def _compare_outcome(event: InboundEvent, understood: Understood) -> Otherwise | None:
    """Of an event without purchase; one that was given up had been understood."""
    if understood.outcome and understood.outcome.kind == event.outcome:
        return None
    if event.outcome == _Outcome.QUARANTINED and event.attempts >= MOST_ATTEMPTS:
        return None
    return Otherwise(event, _now(event, understood), [])


def _now(event: InboundEvent, understood: Understood) -> str:
    if outcome := understood.outcome:
        return f"is {event.outcome}, not {outcome.kind}: {outcome.reason}"
    assert understood.arrival is not None  # it is the one or the other
    return f"is {event.outcome}, not a report: {understood.arrival.report}"


def _compare_report(
    event: InboundEvent, read: PurchaseReport, reports: Sequence[Stored]
) -> Otherwise | None:
    """A confirming read where nobody was in doubt is a report like any other."""
    for said in (read, replace(read, confirmed=0)) if read.confirmed else (read,):
        for one in reports:
            if one.report.digest == said.digest:
                one.told |= one.came == _came(event)
                differs = one.report != said
                return Otherwise.than(one, event, said) if differs else None
    known = (one.report.covers(read) for one in reports)
    if event.outcome == _Outcome.UNCHANGED and any(known):
        return None
    own = [one for one in brought(event, reports) if not one.told]
    if not own:
        return Otherwise(event, f"no report says so: {read}", [])
    nearest = min(own, key=lambda one: len(_differing(one.report, read)))
    return Otherwise.than(nearest, event, read)


def brought(event: InboundEvent, reports: Iterable[Stored]) -> list[Stored]:
    """The reports that came when this event did; of a page there may be several."""
    return [one for one in reports if one.came == _came(event)]


def take_as_told(reports: Iterable[Stored]) -> None:
    for one in reports:
        one.told = True


def _came(event: InboundEvent) -> tuple[str, datetime]:
    return event.source, event.received_at


def _differing(one: PurchaseReport, other: PurchaseReport) -> list[str]:
    return [n for n in _NAMES if getattr(one, n) != getattr(other, n)]


def _delivery(event: InboundEvent) -> Delivery:
    """What would be stored, if the same came in today."""
    body = bytes(event.body)
    if event.source == Report.Source.POLL:
        return polled_delivery(body, account=event.account, confirmed=event.confirmed)
    return webhook_delivery(body)
