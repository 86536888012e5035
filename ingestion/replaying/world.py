"""What settling looks up, as it was at each time: copied from the real database."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import datetime
from itertools import islice
from typing import Any

from django.db.models import Model, QuerySet

from ingestion.replaying.scratch import SOURCE
from merchants.clicks import is_ours
from merchants.models import Click, Merchant
from rewards.models import (
    Account,
    Decision,
    Edition,
    Freeze,
    Member,
    NetworkAccount,
    Rerun,
    Settlement,
    Terms,
    Unit,
)
from rewards.settling.usage import open_budgets

_CHUNK = 1_000
_ALL = 2**62
_ACCOUNT_KINDS = (Decision.Kind.CONFIRM_ACCOUNT, Decision.Kind.EXCLUDE_ACCOUNT)


class World:
    """The scratch database's surroundings, which advance with the history."""

    def __init__(self) -> None:
        copy(Unit.objects.using(SOURCE))
        copy(Merchant.objects.using(SOURCE))
        copy(NetworkAccount.objects.using(SOURCE), rewarding=None)
        copy(Account.objects.using(SOURCE).filter(member=None))
        copy(Account.objects.using(SOURCE).exclude(member=None), balance=0)
        self._coming = sorted(self._changes(), key=lambda change: change[0])
        self._members = _Members()
        self._decided: dict[int, Decision] = {}
        self._accounts = _account_decisions()
        self._forgives = False

    def advance(self, at: datetime, *, number: int = 0) -> None:
        """Let everything happen that had happened by then, up to a settling number."""
        self._members.join(at)
        while self._coming and self._coming[0][0] <= at:
            self._coming.pop(0)[1]()
        while self._accounts and self._accounts[0][:2] < (at, number):
            self._decide(self._accounts.pop(0)[2])

    def decision(self, id: int | None) -> Decision | None:
        """What staff decided, with its effect on what settling looks up."""
        if id is None:
            return None
        if id not in self._decided:
            found = Decision.objects.using(SOURCE).select_related("rerun")
            self._decide(found.get(pk=id))
        return self._decided[id]

    def forgive(self, does: bool) -> None:
        """Forgive whatever debt is left, or none: as it was at the time."""
        if does != self._forgives:
            Terms.objects.all().delete()
            if does:
                units = Unit.objects.all()
                Terms.objects.bulk_create(
                    Terms(unit=unit, forgive_below=_ALL) for unit in units
                )
            self._forgives = does

    def clicks(self, references: Collection[str]) -> None:
        """Bring the clicks of ours that these name."""
        ours = {reference for reference in references if is_ours(reference)}
        if ours:
            found = Click.objects.using(SOURCE).filter(reference__among=ours)
            copy(found, ignore_conflicts=True)

    def _changes(self) -> Iterator[tuple[datetime, Callable[[], None]]]:
        for edition in Edition.objects.using(SOURCE).order_by("number"):
            yield edition.published_at, lambda e=edition: _publish(e)  # type: ignore[misc]
            if gone := edition.withdrawn_at:
                found = Edition.objects.filter(pk=edition.pk)
                yield gone, lambda f=found, at=gone: f.update(withdrawn_at=at)  # type: ignore[misc]
        for freeze in Freeze.objects.using(SOURCE):
            yield freeze.frozen_at, lambda f=freeze: _insert(f, lifted_at=None)  # type: ignore[misc]
            if gone := freeze.lifted_at:
                held = Freeze.objects.filter(pk=freeze.pk)
                yield gone, lambda h=held, at=gone: h.update(lifted_at=at)  # type: ignore[misc]

    def _decide(self, decision: Decision) -> None:
        if decision.pk in self._decided:
            return
        self._decided[decision.pk] = _insert(decision)
        if decision.kind in _ACCOUNT_KINDS:
            rewards = decision.kind == Decision.Kind.CONFIRM_ACCOUNT
            account = NetworkAccount.objects.filter(pk=decision.account_id or 0)
            account.update(rewarding=rewards)
        if decision.rerun:
            _rerun(decision)


class _Members:
    """Members in the order in which they joined."""

    def __init__(self) -> None:
        rows = Member.objects.using(SOURCE).order_by("joined_at", "pk")
        self._rows = rows.iterator(_CHUNK)
        self._next = next(self._rows, None)

    def join(self, at: datetime) -> None:
        joining = []
        while self._next and self._next.joined_at <= at:
            # Settling keeps out who was erased; what is replayed came before.
            self._next.status = Member.Status.ACTIVE
            joining.append(self._next)
            self._next = next(self._rows, None)
        _write(Member, joining)


def copy(
    rows: QuerySet[Any], *, ignore_conflicts: bool = False, **changes: Any
) -> None:
    """Copy these rows to the scratch database, with changes."""
    found = rows.iterator(_CHUNK)
    while chunk := list(islice(found, _CHUNK)):
        for row in chunk:
            for name, value in changes.items():
                setattr(row, name, value)
        _write(rows.model, chunk, ignore_conflicts=ignore_conflicts)


def _write(
    model: type[Model], rows: Iterable[Model], *, ignore_conflicts: bool = False
) -> None:
    manager = model._default_manager.using("default")
    manager.bulk_create(rows, ignore_conflicts=ignore_conflicts)


def _insert(row: Any, **changes: Any) -> Any:
    """Insert this row; the one in the scratch database."""
    for name, value in changes.items():
        setattr(row, name, value)
    _write(type(row), [row])
    return type(row)._default_manager.get(pk=row.pk)


def _publish(edition: Edition) -> None:
    """As publishing does: budgets are counted from the first edition that has them."""
    _insert(edition, withdrawn_at=None)
    open_budgets(edition.content)


def _rerun(decision: Decision) -> None:
    """A re-run as it stood then: applied, or being undone."""
    rerun = decision.rerun
    assert rerun is not None  # so it was asked
    undone = Decision.objects.filter(kind=Decision.Kind.UNDO_RERUN)
    ended = undone.exclude(rerun=rerun).values("rerun")
    Rerun.objects.filter(pk__in=ended).update(state=Rerun.State.UNDONE)
    if not Rerun.objects.filter(pk=rerun.pk).exists():
        rerun.state = Rerun.State.APPLIED
        _write(Rerun, [rerun])


def _account_decisions() -> list[tuple[datetime, int, Decision]]:
    """Decisions about accounts, each with the first settling that followed from it."""
    firsts: dict[int, int] = defaultdict(int)
    settled = Settlement.objects.using(SOURCE).filter(decision__kind__in=_ACCOUNT_KINDS)
    for decision_id, number in settled.order_by("-pk").values_list("decision_id", "pk"):
        firsts[decision_id] = number
    found = Decision.objects.using(SOURCE).filter(kind__in=_ACCOUNT_KINDS)
    return sorted(
        ((d.decided_at, firsts[d.pk], d) for d in found.select_related("rerun")),
        key=lambda row: (row[0], row[2].pk),
    )
