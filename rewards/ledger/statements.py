"""What members hold, and how it came about, as of any time and as known at any time.

``as_of`` counts what had happened before it in the world (``effective_at``),
``known_on`` what we had recorded before it; None leaves that bound out. What a store
tells late is in an earlier day's balance, but not in what was known on that day.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import Q, QuerySet, Sum
from django.db.models.functions import Coalesce

from rewards.models import Account, Member, Transfer, Unit

_KIND = Account.Kind
_RELATED = (
    *("from_account__unit", "to_account", "purchase__merchant"),
    *("redemption__reward", "adjustment"),
)


class Held(NamedTuple):
    """What is in the pots of one unit, in its smallest step.

    ``debt`` is what is owed. As of a past time, ``available`` is below zero where
    something was taken back of an order that had already been returned by then.
    """

    pending: int = 0
    available: int = 0
    reserved: int = 0
    debt: int = 0


class Place(NamedTuple):
    """Where a transfer stands in a statement."""

    effective_at: datetime
    id: int


@dataclass(frozen=True, slots=True)
class Line:
    """One transfer, what it changed of the member's pots, and what was available then.

    ``changes`` are by kind, in smallest steps; more debt is positive.
    """

    transfer: Transfer
    changes: Mapping[str, int]
    available: int

    @property
    def place(self) -> Place:
        return Place(self.transfer.effective_at, self.transfer.pk)


@dataclass(frozen=True, slots=True)
class Statement:
    """One unit of one member from ``start`` until before ``end``, as then known."""

    member: Member
    unit: Unit
    start: datetime
    end: datetime
    known_on: datetime | None
    opening: Held
    closing: Held
    accounts: Mapping[int, str]

    def transfers(self) -> QuerySet[Transfer]:
        """Those that move something of the member's within the period."""
        return Transfer.objects.filter(
            Q(from_account__in=self.accounts) | Q(to_account__in=self.accounts),
            _counted(self.end, self.known_on),
            effective_at__gte=self.start,
        ).select_related(*_RELATED)

    def page(
        self, *, before: Place | None = None, size: int
    ) -> tuple[list[Line], Place | None]:
        """So many lines, newest first, and the place that the next ones are before."""
        transfers = self.transfers()
        if before:
            transfers = transfers.filter(
                Q(effective_at__lt=before.effective_at) | Q(pk__lt=before.id),
                effective_at__lte=before.effective_at,
            )
        found = list(transfers.order_by("-effective_at", "-pk")[: size + 1])
        lines = self.lines(found[:size])
        return lines, lines[-1].place if len(found) > size else None

    def lines(self, transfers: Sequence[Transfer]) -> list[Line]:
        """These as lines; they follow one another in it, newest first."""
        lines: list[Line] = []
        available = self._available_after(transfers[0]) if transfers else 0
        for transfer in transfers:
            line = Line(transfer, self._changes(transfer), available)
            available -= line.changes.get(_KIND.AVAILABLE, 0)
            lines.append(line)
        return lines

    def _changes(self, transfer: Transfer) -> dict[str, int]:
        sides = (
            (transfer.from_account_id, -transfer.amount),
            (transfer.to_account_id, transfer.amount),
        )
        own = {self.accounts[id]: n for id, n in sides if id in self.accounts}
        return {kind: _signed(kind, change) for kind, change in own.items()}

    def _available_after(self, transfer: Transfer) -> int:
        until = Q(effective_at__lt=transfer.effective_at) | Q(
            effective_at=transfer.effective_at, pk__lte=transfer.pk
        )
        ids = [id for id, kind in self.accounts.items() if kind == _KIND.AVAILABLE]
        came, went = Q(to_account__in=ids), Q(from_account__in=ids)
        sums = Transfer.objects.filter(
            came | went, until, _counted(None, self.known_on)
        ).aggregate(
            came=Coalesce(Sum("amount", filter=came), 0),
            went=Coalesce(Sum("amount", filter=went), 0),
        )
        return sums["came"] - sums["went"]


def balances(
    member: Member, *, as_of: datetime | None = None, known_on: datetime | None = None
) -> dict[int, Held]:
    """What the member held, by unit id; units that it had nothing to do with miss."""
    return _held({"member": member}, as_of, known_on)


def liability(
    *, as_of: datetime | None = None, known_on: datetime | None = None
) -> dict[int, Held]:
    """What all members together held, by unit id."""
    return _held({"member__isnull": False}, as_of, known_on)


def statement(
    member: Member,
    *,
    unit: Unit,
    start: datetime,
    end: datetime,
    known_on: datetime | None = None,
) -> Statement:
    """The member's statement; its closing balances are the next period's opening."""
    accounts = member.accounts.filter(unit=unit).values_list("pk", "kind")
    held = _moved(
        {"member": member, "unit": unit},
        _counted(end, known_on),
        opening=Sum("amount", filter=Q(effective_at__lt=start)),
        closing=Sum("amount"),
    )
    return Statement(
        *(member, unit, start, end, known_on),
        opening=held["opening"].get(unit.pk, Held()),
        closing=held["closing"].get(unit.pk, Held()),
        accounts=dict(accounts),
    )


def _held(
    owner: Mapping[str, Any], as_of: datetime | None, known_on: datetime | None
) -> dict[int, Held]:
    """What accounts say now; what transfers say of any other time."""
    if as_of or known_on:
        return _moved(owner, _counted(as_of, known_on), held=Sum("amount"))["held"]
    accounts = Account.objects.filter(**owner).order_by().values_list("unit_id", "kind")
    pots: dict[int, dict[str, int]] = defaultdict(dict)
    for unit_id, kind, sum in accounts.annotate(sum=Sum("balance")):
        pots[unit_id][kind] = sum
    return {id: Held(**held) for id, held in pots.items()}


def _moved(
    owner: Mapping[str, Any], counted: Q, **sums: Sum
) -> dict[str, dict[int, Held]]:
    """Each of these sums over the owner's accounts, by name and unit id."""
    pots: dict[str, Any] = {
        name: defaultdict(lambda: defaultdict(int)) for name in sums
    }
    for sign, side in ((1, "to_account"), (-1, "from_account")):
        owned = {f"{side}__{name}": value for name, value in owner.items()}
        rows = Transfer.objects.filter(counted, **owned).order_by()
        kinds = rows.values_list(f"{side}__unit_id", f"{side}__kind")
        for unit_id, kind, *amounts in kinds.annotate(**sums):
            for name, amount in zip(sums, amounts, strict=True):
                pots[name][unit_id][kind] += _signed(kind, sign * (amount or 0))
    return {
        name: {id: Held(**held) for id, held in units.items()}
        for name, units in pots.items()
    }


def _counted(as_of: datetime | None, known_on: datetime | None) -> Q:
    """The transfers that had happened, and were known."""
    happened = Q(effective_at__lt=as_of) if as_of else Q()
    return happened & (Q(recorded_at__lt=known_on) if known_on else Q())


def _signed(kind: str, change: int) -> int:
    """A debt is what went out of its account and has not come back."""
    return -change if kind == _KIND.DEBT else change
