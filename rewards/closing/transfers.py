"""The transfers of one day, each with the lots that it made and drew from."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from django.db.models import Q, QuerySet

from rewards.closing.days import Cut
from rewards.models import Draw, Lot, Transfer

CHUNK = 2_000
COLUMNS = (
    *("id", "unit", "amount", "from", "to", "member", "source", "reference"),
    *("settlement", "purchase", "redemption", "adjustment"),
    *("effective_at", "recorded_at", "draws", "lots"),
)
"""What a line says of a transfer, in this order. ``draws`` are pairs of a lot's id and
an amount; ``lots`` id, amount, days to live and expiry of each lot that it made."""

_READ = (
    *("id", "from_account__unit__code", "amount", "from_account__kind"),
    *("to_account__kind", "to_account__member_id", "from_account__member_id"),
    *("source", "reference", "settlement_id", "purchase_id", "redemption_id"),
    *("adjustment_id", "effective_at", "recorded_at"),
)
_LOT = ("id", "amount", "days", "expires_at")


def transfers(cut: Cut, before: Cut | None) -> QuerySet[Transfer]:
    """What was recorded until this cut, and is not in an earlier close; by id.

    What came after the close before, with a clock of before its end, is of this day.
    """
    there = Q(recorded_at__lt=cut.until, id__lte=cut.transfer)
    if before:
        since = Q(recorded_at__gte=before.until)
        late = Q(id__gt=before.transfer)
        there = (there & since) | (there & late)
    return Transfer.objects.filter(there).order_by("id")


def rows(cut: Cut, before: Cut | None) -> Iterator[list[Any]]:
    """The day's transfers by COLUMNS, a few thousand in memory."""
    found = transfers(cut, before).values_list(*_READ)
    waiting = iter(found.iterator(chunk_size=CHUNK))
    while chunk := list(islice(waiting, CHUNK)):
        ids = [row[0] for row in chunk]
        draws, lots = _draws(ids), _lots(ids)
        for row in chunk:
            yield _row(row, draws.get(row[0], []), lots.get(row[0], []))


def _row(row: Sequence[Any], draws: list[Any], lots: list[Any]) -> list[Any]:
    *moved, taker, giver = row[:7]
    happened, recorded = row[-2:]
    # One side is a member's, and where both are, it is the same member.
    own = [*moved, taker or giver, *row[7:-2]]
    return [*own, instant(happened), instant(recorded), draws, lots]


def instant(at: datetime) -> str:
    """To the microsecond, in UTC, always as many characters."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _draws(ids: Sequence[int]) -> dict[int, list[list[int]]]:
    found: dict[int, list[list[int]]] = defaultdict(list)
    drawn = Draw.objects.filter(transfer__id__among=ids).order_by("id")
    for id, lot, amount in drawn.values_list("transfer_id", "lot_id", "amount"):
        found[id].append([lot, amount])
    return found


def _lots(ids: Sequence[int]) -> dict[int, list[list[Any]]]:
    found: dict[int, list[list[Any]]] = defaultdict(list)
    made = Lot.objects.filter(transfer__id__among=ids).order_by("id")
    for transfer, id, amount, days, expires_at in made.values_list(
        "transfer_id", *_LOT
    ):
        ends = expires_at and instant(expires_at)
        found[transfer].append([id, amount, days, ends])
    return found
