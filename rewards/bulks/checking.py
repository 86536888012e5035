"""The dry run: what a file would do, every bad line, and whether it came before."""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any, NamedTuple

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import Count, F, OuterRef, Subquery, Sum
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _

from rewards import adjustments, bulk
from rewards.bulks.reading import COLUMNS, Fault, Line, read
from rewards.models import Account, Adjustment, Bulk, Freeze, Member, Reason, Unit
from rewards.money import typed
from rewards.refusals import Refused

UPLOADING = "rewards.add_bulk"

_NUMBER = re.compile(r"[1-9][0-9]{0,4}")
_ROW = (
    *("member_id", "unit_id", "amount", "member_note", "expires_after_days", "line"),
    *("bulk_id", "reason", "note", "asked_by_id", "asked_at", "state"),
    *("needs_approval", "failure", "why_ended"),
)


@dataclass(slots=True)
class _Dry:
    """What the lines checked so far come to."""

    rows: list[tuple[Any, ...]] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    sums: dict[str, dict[str, list[int]]] = field(default_factory=dict)
    seen: dict[tuple[str, str], int] = field(default_factory=dict)

    def add(self, line: Line, row: tuple[Any, ...], amount: int) -> None:
        self.rows.append((*row, line.number))
        sums = self.sums.setdefault(line.cells["unit"], {})
        sign = sums.setdefault("gains" if amount > 0 else "losses", [0, 0])
        sign[0] += 1
        sign[1] += amount


def check(
    content: bytes, *, name: str, reason: str, note: str, by: User, at: datetime
) -> Bulk:
    """Store what a file would do, and move nothing.

    A file with a bad line is stored as refused, and says which; any other waits for
    somebody else's approval. What came before, under whatever name, is recognised.
    Raises Refused.
    """
    if not by.has_perm(UPLOADING):
        raise Refused(_("You may not upload adjustments."))
    if reason not in Reason.values:
        raise Refused(_("“%s” is none of the reasons.") % reason)
    if not note.strip() or len(note) > adjustments.LONGEST_NOTE:
        most = adjustments.LONGEST_NOTE
        raise Refused(_("Say why, in at most %d characters.") % most)
    lines, faults = read(content)
    digest = _digest(lines)
    dry = _dry_run(lines, faults, by=by)
    found = Bulk(
        name=name[-255:],
        digest=digest,
        reason=reason,
        note=note.strip(),
        state=Bulk.State.REFUSED if dry.faults else Bulk.State.CHECKED,
        lines=len(lines) + len(faults),
        sums=dry.sums,
        faults=sorted(dry.faults),
        asked_by=by,
        asked_at=at,
    )
    return _store(found, dry)


class Unavailable(NamedTuple):
    """Lines of a unit that take more than there is: how many, and how much in all."""

    unit: Unit
    lines: int
    amount: int


def unavailable(bulk: Bulk) -> list[Unavailable]:
    """What waits and would fail now: what a member hasn't got is not taken, in no part.

    By unit; amounts are negative, in its smallest step.
    """
    waiting = bulk.adjustments.filter(state=Adjustment.State.WAITING, amount__lt=0)
    available = Account.objects.filter(
        member=OuterRef("member"), unit=OuterRef("unit"), kind=Account.Kind.AVAILABLE
    )
    held = Coalesce(Subquery(available.values("balance")), 0)
    short = waiting.alias(held=held).filter(held__lt=-F("amount"))
    counted = short.order_by("unit_id").values_list("unit_id")
    units = Unit.objects.in_bulk()
    return [
        Unavailable(units[unit_id], lines, amount)
        for unit_id, lines, amount in counted.annotate(Count("pk"), Sum("amount"))
    ]


def _store(found: Bulk, dry: _Dry) -> Bulk:
    """Store the bulk and its lines. Raises Refused where the file came before."""
    try:
        with transaction.atomic():
            found.save()
            if not found.faults:
                bulk.insert(Adjustment, _ROW, [_row(row, found) for row in dry.rows])
    except IntegrityError as error:
        ended = (Bulk.State.REFUSED, Bulk.State.DROPPED)
        same = Bulk.objects.filter(digest=found.digest).exclude(state__in=ended)
        if earlier := same.first():
            raise Refused(_said_before(earlier)) from error
        raise
    return found


def _said_before(earlier: Bulk) -> str:
    return _(
        "This file came before, as %(bulk)s (%(name)s, %(state)s): a file is applied"
        " once. If members are to get the same again, say so in the file, by another"
        " note for them."
    ) % {"bulk": earlier, "name": earlier.name, "state": earlier.get_state_display()}


def _digest(lines: Iterable[Line]) -> str:
    """Of what the file says, whatever the order of its lines and columns."""
    said = sorted([line.cells[name] for name in COLUMNS] for line in lines)
    return sha256(json.dumps(said).encode()).hexdigest()


def _dry_run(lines: Sequence[Line], faults: Sequence[Fault], *, by: User) -> _Dry:
    dry = _Dry(faults=list(faults))
    units = {unit.code: unit for unit in Unit.objects.all()}
    members = _members({line.cells["customer_id"] for line in lines})
    frozen = _frozen(members.values())
    for line in lines:
        try:
            _check(line, dry, units, members, frozen, by=by)
        except (ValueError, Refused) as wrong:
            dry.faults.append((line.number, str(wrong)))
    return dry


def _members(customer_ids: set[str]) -> dict[str, Member]:
    found = Member.objects.filter(customer_id__among=sorted(customer_ids))
    columns = found.only("id", "customer_id", "status", "user_id")
    return {member.customer_id: member for member in columns}


def _frozen(members: Iterable[Member]) -> set[int]:
    ids = [member.pk for member in members]
    frozen = Freeze.objects.filter(member__id__among=ids, lifted_at=None)
    return set(frozen.values_list("member_id", flat=True))


def _check(
    line: Line,
    dry: _Dry,
    units: dict[str, Unit],
    members: dict[str, Member],
    frozen: set[int],
    *,
    by: User,
) -> None:
    """Raises ValueError or Refused, which say what is wrong with the line."""
    cells = line.cells
    member, unit = members.get(cells["customer_id"]), units.get(cells["unit"])
    if member is None or member.status == Member.Status.ERASED:
        raise ValueError(_("No member has the id “%s”.") % cells["customer_id"][:80])
    if member.pk in frozen:
        raise ValueError(_("The balance of %s is frozen.") % member)
    if member.user_id == by.pk:
        raise ValueError(_("That is your own account: somebody else must decide."))
    if unit is None:
        raise ValueError(_("There is no unit “%s”.") % cells["unit"][:40])
    amount = typed(cells["amount"], unit=unit)
    days = _days(cells["expires_after_days"])
    note = cells["member_note"].strip()
    adjustments.refuse_nonsense(amount, Reason.OTHER, "-", note, days)
    first = dry.seen.setdefault((cells["customer_id"], cells["unit"]), line.number)
    if first != line.number:
        said = _("Line %(line)d already says something about %(member)s in %(unit)s.")
        raise ValueError(said % {"line": first, "member": member, "unit": unit})
    dry.add(line, (member.pk, unit.pk, amount, note, days), amount)


def _days(text: str) -> int | None:
    if text and not _NUMBER.fullmatch(text):
        raise ValueError(_("“%s” is no number of days.") % text[:40])
    return int(text) if text else None


def _row(row: tuple[Any, ...], found: Bulk) -> tuple[Any, ...]:
    """An adjustment in the order of ``_ROW``: it waits for the whole file."""
    return (
        *row,
        *(found.pk, found.reason, found.note, found.asked_by_id, found.asked_at),
        *(Adjustment.State.WAITING.value, True, "", ""),
    )
