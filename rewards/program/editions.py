"""Freezing the draft into editions, and finding the one that holds at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import Max

from rewards import interlock
from rewards.models import Edition
from rewards.program import draft, gates, vocabulary
from rewards.program.evaluation import CompiledProgram
from rewards.program.gates import Evidence
from rewards.program.vocabulary import ProgramError
from rewards.settling.usage import open_budgets


def publish_margin() -> timedelta:
    """How long before it holds an edition must be published."""
    return timedelta(seconds=settings.PUBLISH_MARGIN)


@dataclass(frozen=True, slots=True)
class Editions:
    """The standing editions, oldest first, as (effective from, id)."""

    starts: Sequence[tuple[datetime | None, int]]

    @classmethod
    def load(cls) -> "Editions":
        rows = Edition.objects.standing().order_by("number")
        return cls(list(rows.values_list("effective_from", "id")))

    def at(self, attributed_at: datetime) -> int | None:
        """The id of the edition for orders attributed then; None: they earn nothing."""
        found = None
        for start, id in self.starts:
            if start is None or start <= attributed_at:
                found = id
        return found

    def settles_from(
        self, attributed_at: datetime, *, now: datetime
    ) -> datetime | None:
        """When the edition for that time is certain; None where it is already."""
        certain = attributed_at - publish_margin()
        return certain if certain > now else None


@cache
def compiled(edition_id: int) -> CompiledProgram:
    """The edition ready to evaluate; an edition never changes, so for ever."""
    return CompiledProgram(content(edition_id))


def zone(at: datetime) -> ZoneInfo:
    """The program's time zone, by the edition in force at that time; else UTC."""
    edition_id = Editions.load().at(at)
    return ZoneInfo(compiled(edition_id).time_zone if edition_id else "UTC")


def content(edition_id: int) -> dict[str, Any]:
    return Edition.objects.values_list("content", flat=True).get(pk=edition_id)


def publish(
    *,
    now: datetime,
    at: datetime | None = None,
    note: str = "",
    by: AbstractBaseUser | None = None,
) -> Edition:
    """Freeze the whole draft as the next edition.

    The first holds from the beginning of time, or from ``at``; a later one from
    ``at``, at the earliest the publishing margin from now. Raises ProgramError, also
    where a gate that is on is shut for this draft.
    """
    with transaction.atomic():
        interlock.close()
        content = draft.export()
        if not content["rules"]:
            raise ProgramError(["the draft has no rules: nothing would ever be earned"])
        evidence = gates.evidence(vocabulary.digest(content))
        if shut := gates.shut(evidence):
            raise ProgramError(shut)
        open_budgets(content)
        return _freeze(content, evidence, now=now, at=at, note=note, by=by)


def retire(
    *,
    now: datetime,
    at: datetime | None = None,
    note: str = "",
    by: AbstractBaseUser | None = None,
) -> Edition:
    """End the program: an edition without rules, under which orders earn nothing.

    What was earned stays, and publishing the draft begins the program anew. It passes
    no gate, since stopping must be possible at once. Raises ProgramError.
    """
    with transaction.atomic():
        interlock.close()
        newest = Edition.objects.standing().order_by("-number").first()
        if newest is None or newest.retires:
            raise ProgramError(["there is no program to end: no edition has rules"])
        content = {**newest.content, "rules": []}
        return _freeze(content, gates.NONE, now=now, at=at, note=note, by=by)


def _freeze(
    content: dict[str, Any],
    evidence: Evidence,
    *,
    now: datetime,
    at: datetime | None,
    note: str,
    by: AbstractBaseUser | None,
) -> Edition:
    first = not Edition.objects.standing().exists()
    number = (Edition.objects.aggregate(last=Max("number"))["last"] or 0) + 1
    return Edition.objects.create(
        number=number,
        effective_from=at if first else _later_start(at, now=now),
        published_at=now,
        published_by=by,  # type: ignore[misc]
        note=note,
        content=content,
        backtest=evidence.backtest,
        approval=evidence.approval,
    )


def _later_start(at: datetime | None, *, now: datetime) -> datetime:
    earliest = now + publish_margin()
    # Attribution is in whole seconds: an edition begins on one.
    soonest = (earliest + timedelta(microseconds=999_999)).replace(microsecond=0)
    start = at or soonest
    if start < earliest:
        raise ProgramError(
            [
                f"{start.isoformat()} is too early: an edition takes effect at the"
                f" earliest {settings.PUBLISH_MARGIN} s after it is published;"
                " only the first may begin in the past"
            ]
        )
    scheduled = Edition.objects.standing().filter(effective_from__gt=now).first()
    if scheduled:
        raise ProgramError(
            [
                f"edition {scheduled.number} is scheduled for"
                f" {scheduled.effective_from:%Y-%m-%dT%H:%M:%SZ}; withdraw it first"
            ]
        )
    return start


def withdraw(edition: Edition, *, now: datetime) -> None:
    """Take back a scheduled edition, until its margin begins. Raises ProgramError."""
    start = edition.effective_from
    if start is None or start - publish_margin() <= now:
        raise ProgramError(
            [f"edition {edition.number} already holds for orders being settled"]
        )
    changed = Edition.objects.standing().filter(pk=edition.pk).update(withdrawn_at=now)
    if not changed:
        raise ProgramError([f"edition {edition.number} was withdrawn before"])


def live(*, now: datetime | None = None) -> Edition | None:
    """The edition for orders attributed now."""
    id = Editions.load().at(now or datetime.now(UTC))
    return Edition.objects.filter(pk=id).first() if id else None


def pays_in(currency: str, *, at: datetime) -> bool:
    """Whether orders in this currency can earn now; True while there is no program."""
    edition_id = Editions.load().at(at)
    if edition_id is None:
        return True
    program = compiled(edition_id)
    return not program.rules or program.pays_in(currency)
