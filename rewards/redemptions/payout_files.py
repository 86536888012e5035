"""Payouts on file: those to make for whoever pays, and what became of them."""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from io import StringIO
from typing import NamedTuple

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils.translation import gettext as _

from rewards import restrictions, vault
from rewards.models import Freeze, Redemption, RedemptionStep, Reward
from rewards.money import plain
from rewards.redemptions import fulfilment, staff
from rewards.refusals import Refused

MOST = 2000
"""Payouts of one file: what a request can do before people wonder."""

HEADER = (
    *("number", "customer_id", "method", "pay_to", "amount", "unit"),
    *("asked_at", "in_a_file_before"),
)
PAID, FAILED = "paid", "failed"
_NEEDED = ("number", "amount", "result")
_Status = Redemption.Status


class BadFile(Refused):
    """The file can't be read; ``lines`` say where and why."""

    def __init__(self, lines: Sequence[str]) -> None:
        super().__init__(" ".join(lines))
        self.lines = list(lines)


class Result(NamedTuple):
    """What one line of the payer's file says."""

    line: int
    number: str
    amount: str
    paid: bool
    reference: str
    reason: str


@dataclass
class Applied:
    """What came of the payer's file. ``unmatched`` are lines and why nothing was done
    for them; ``missing`` are payouts under way that the file does not tell of."""

    paid: int = 0
    failed: int = 0
    known: int = 0
    unmatched: list[tuple[Result, str]] = field(default_factory=list)
    missing: list[Redemption] = field(default_factory=list)


def export(*, again: bool, by: AbstractBaseUser, at: datetime) -> list[tuple[str, ...]]:
    """The oldest payouts to make, a row each under HEADER, with where to pay.

    Each is noted in its history. What an earlier file has is left out, or it would be
    paid twice, unless ``again``; and so is that of a member who is frozen, on hold or
    blocked. Raises Refused.
    """
    staff.refuse_unpaying(by)
    with transaction.atomic():
        found = _to_pay().select_for_update(no_key=True, of=("self",)).order_by("pk")
        frozen = Freeze.objects.filter(member=OuterRef("member"), lifted_at=None)
        held = restrictions.restricted(at=at).filter(pk=OuterRef("member"))
        found = found.filter(~Exists(frozen), ~Exists(held))
        if not again:
            found = found.filter(exported_at=None)
        payouts = list(found.select_related("member", "reward__unit")[:MOST])
        rows = [_row(payout) for payout in payouts]
        _note(payouts, by=by, at=at)
        return rows


def read(content: bytes) -> list[Result]:
    """The lines of the payer's file. Raises BadFile, which names every bad line."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadFile([_("It is no CSV file in UTF-8.")]) from None
    reader = csv.DictReader(StringIO(text.replace("\0", "")), strict=True)
    try:
        rows = [(reader.line_num, row) for row in reader]
    except csv.Error as error:
        raise BadFile([f"{reader.line_num}: {error}"]) from None
    if lacking := [name for name in _NEEDED if name not in (reader.fieldnames or ())]:
        raise BadFile([_("It has no column %s.") % ", ".join(lacking)])
    if len(rows) > MOST:
        raise BadFile([_("It has more than %d lines. Split it.") % MOST])
    _refuse_bad(rows)
    return [_result(line, row) for line, row in rows]


def apply(results: Iterable[Result], *, by: AbstractBaseUser, at: datetime) -> Applied:
    """Fulfil what was paid and give back what failed, each on its own.

    The same file again does nothing. Raises Refused.
    """
    staff.refuse_unpaying(by)
    applied, told = Applied(), set()
    for result in results:
        told.add(result.number)
        try:
            _apply(result, applied, by=by, at=at)
        except Refused as refused:
            applied.unmatched.append((result, str(refused)))
    sent = _to_pay().filter(exported_at__isnull=False).exclude(public_id__in=told)
    applied.missing = list(sent.select_related("reward__unit").order_by("pk")[:MOST])
    return applied


def _to_pay() -> QuerySet[Redemption]:
    return Redemption.objects.filter(
        status=_Status.RESERVED, reward__kind=Reward.Kind.PAYOUT
    )


def _apply(
    result: Result, applied: Applied, *, by: AbstractBaseUser, at: datetime
) -> None:
    """Raises Refused where the line fits no payout that is under way."""
    found = Redemption.objects.filter(
        public_id=result.number, reward__kind=Reward.Kind.PAYOUT
    )
    payout = found.select_related("reward__unit").first()
    if payout is None:
        raise Refused(_("There is no such payout."))
    if plain(payout.amount, unit=payout.reward.unit) != result.amount:
        raise Refused(_("Its amount is another."))
    wanted = _Status.FULFILLED if result.paid else _Status.CANCELLED
    if payout.status == wanted:
        applied.known += 1
    elif payout.status != _Status.RESERVED:
        raise Refused(_("It is %s.") % payout.get_status_display())
    elif result.paid:
        fulfilment.fulfil(
            payout, by=by, reference=result.reference, answered=True, at=at
        )
        applied.paid += 1
    else:
        fulfilment.cancel(payout, by=by, reason=result.reason, at=at)
        applied.failed += 1


def _row(payout: Redemption) -> tuple[str, ...]:
    try:
        details = vault.unseal(payout.payout or b"")
    except vault.CannotOpen:
        said = _("%s: no key of ENCRYPTION_KEYS opens its payout details.")
        raise Refused(said % payout) from None
    unit = payout.reward.unit
    return (
        payout.public_id,
        payout.member.customer_id,
        payout.payout_hint.partition(" ")[0],
        details,
        plain(payout.amount, unit=unit),
        unit.code,
        f"{payout.asked_at:%Y-%m-%dT%H:%M:%SZ}",
        f"{payout.exported_at:%Y-%m-%dT%H:%M:%SZ}" if payout.exported_at else "",
    )


def _note(payouts: Sequence[Redemption], *, by: AbstractBaseUser, at: datetime) -> None:
    ids = [payout.pk for payout in payouts]
    Redemption.objects.filter(pk__in=ids).update(exported_at=at)
    RedemptionStep.objects.bulk_create(
        RedemptionStep(
            redemption=payout,
            status=payout.status,
            reason=_("It is in a payout file, with where to pay."),
            taken_by=by,  # type: ignore[misc]
            taken_at=at,
        )
        for payout in payouts
    )


def _refuse_bad(rows: Iterable[tuple[int, dict[str, str]]]) -> None:
    """Raises BadFile where a line says neither paid nor failed, or one twice."""
    faults, seen = [], set()
    for line, row in rows:
        number, result = row["number"] or "", (row["result"] or "").strip().lower()
        if result not in (PAID, FAILED):
            faults.append(_("Line %d: its result is neither paid nor failed.") % line)
        if number.strip() in seen:
            faults.append(_("Line %d: its number was there before.") % line)
        seen.add(number.strip())
    if faults:
        raise BadFile(faults)


def _result(line: int, row: dict[str, str]) -> Result:
    said = {name: (row.get(name) or "").strip() for name in (*_NEEDED, "reference")}
    return Result(
        line=line,
        number=said["number"],
        amount=said["amount"],
        paid=said["result"].lower() == PAID,
        reference=said["reference"][:255],
        reason=(row.get("reason") or "").strip() or _("The payout failed."),
    )
