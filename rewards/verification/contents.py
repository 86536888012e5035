"""What a row says in words: reports against their digests, awards against editions."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import F

from rewards.models import Edition, Member, Report, Unit
from rewards.program import vocabulary
from rewards.program.vocabulary import ProgramError
from rewards.reports import PurchaseReport
from rewards.verification.checking import Broken

_CHUNK = 2_000
_COLUMNS = ("transaction_id", "status", "order_total", "commission")
_OF_PURCHASE = ("category", "order_currency", "currency")

_AWARDED_BY = """
    SELECT s.edition_id, w.rule, w.unit_id, MIN(w.id), MIN(s.purchase_id)
    FROM rewards_award w JOIN rewards_settlement s ON s.id = w.settlement_id
    GROUP BY s.edition_id, w.rule, w.unit_id
"""


def altered_reports() -> Iterator[Broken]:
    """Reports that don't say any more what their digest names, or their columns tell.

    What an erased member's reports said can't be known any more; their columns can.
    """
    erased = set(
        Member.objects.filter(status=Member.Status.ERASED).values_list(
            "customer_id", flat=True
        )
    )
    rows = Report.objects.order_by("pk").values_list(
        *("pk", "purchase_id", "content", "customer_id", "modified_at", "confirmed"),
        *("digest", *_COLUMNS),
    )
    for id, purchase_id, content, *row in rows.iterator(_CHUNK):
        told, digest, columns = row[:3], row[3], row[4:]
        said = [content[name] or 0 for name in _COLUMNS]
        named = told[0] in erased or _digest(content, *told) == bytes(digest)
        if said != columns or not named:
            yield Broken(id, purchase_id=purchase_id)


def _digest(
    content: dict[str, Any], customer_id: str, modified_at: datetime, confirmed: int
) -> bytes:
    return PurchaseReport.restore(
        content, customer_id=customer_id, modified_at=modified_at, confirmed=confirmed
    ).digest


def altered_purchases() -> Iterator[Broken]:
    """Purchases whose columns are not those of the report that holds."""
    rows = (
        Report.objects.filter(purchase__report=F("pk"))
        .order_by("pk")
        .values_list(
            *("purchase_id", "content"),
            *(f"purchase__{name}" for name in _OF_PURCHASE),
            "purchase__order_key",
        )
    )
    for id, content, *columns, order_key in rows.iterator(_CHUNK):
        if [content[name] for name in _OF_PURCHASE] != columns or (
            content["order_id"] and content["order_id"] != order_key
        ):
            yield Broken(id, purchase_id=id)


def altered_editions() -> Iterator[Broken]:
    """Editions that no program file could be, or not what was approved."""
    units = {unit.code: unit for unit in Unit.objects.all()}
    before = None
    found = Edition.objects.select_related("approval").order_by("number")
    for number, edition in enumerate(found, start=1):
        follows = edition.number == number and _follows(edition, before)
        if not follows or not _sound(edition, units):
            yield Broken(edition.pk)
        if not edition.withdrawn_at:
            before = edition


def _sound(edition: Edition, units: dict[str, Unit]) -> bool:
    try:
        program = vocabulary.parse(edition.content)
    except ProgramError:
        return False
    approved = edition.approval
    return all(
        unit.code in units and units[unit.code].decimals == unit.decimals
        for unit in program.units
    ) and (approved is None or approved.digest == vocabulary.digest(edition.content))


def _follows(edition: Edition, before: Edition | None) -> bool:
    start = edition.effective_from
    if before is None:
        return True
    if start is None or start < edition.published_at:
        return False
    return before.effective_from is None or before.effective_from < start


def unknown_awards() -> Iterator[Broken]:
    """One award of each rule and unit that its edition doesn't have."""
    known = {
        edition.pk: _rules(edition.content) for edition in Edition.objects.iterator()
    }
    codes = dict(Unit.objects.values_list("pk", "code"))
    with connection.cursor() as cursor:
        cursor.execute(_AWARDED_BY)
        for edition_id, rule, unit_id, award_id, purchase_id in cursor.fetchall():
            if (rule, codes.get(unit_id)) not in known.get(edition_id, ()):
                yield Broken(award_id, purchase_id=purchase_id)


def _rules(content: dict[str, Any]) -> set[tuple[str, str]]:
    return {(rule["key"], rule["unit"]) for rule in content["rules"]}
