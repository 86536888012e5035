"""What a row says in words: reports against their digests, awards against editions."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from django.db import connection
from django.db.models import F, Q, TextField
from django.db.models.fields.json import KT
from django.db.models.functions import Cast
from pydantic_core import from_json

from rewards.models import Budget, Edition, Member, Report, Unit
from rewards.program import vocabulary
from rewards.program.vocabulary import ProgramError
from rewards.reports import stored_digest
from rewards.verification.checking import APART, Broken

_CHUNK = 2_000
_COLUMNS = ("transaction_id", "status", "order_total", "commission")
_TOLD = ("customer_id", "modified_at", "confirmed")
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
    rows = (
        Report.objects.annotate(text=Cast("content", TextField()))
        .order_by("pk")
        .values_list("pk", "purchase_id", "text", "digest", *_TOLD, *_COLUMNS)
    )
    for id, purchase_id, text, digest, customer_id, *row in rows.iterator(_CHUNK):
        named = b"" if customer_id in erased else bytes(digest)
        if not _says(text, customer_id, *row, digest=named):
            yield Broken(id, purchase_id=purchase_id)


def _says(
    text: str,
    customer_id: str,
    modified_at: datetime,
    confirmed: int,
    *columns: Any,
    digest: bytes,
) -> bool:
    """Whether a report says what its digest names, if it has one, and its columns."""
    content = from_json(text)
    try:
        if [content[name] or 0 for name in _COLUMNS] != [*columns]:
            return False
        return not digest or digest == stored_digest(
            content,
            customer_id=customer_id,
            modified_at=modified_at,
            confirmed=confirmed,
        )
    except (KeyError, TypeError):  # it is not even a report any more
        return False


def altered_purchases() -> Iterator[Broken]:
    """Purchases whose columns are not those of the report that holds."""
    names = (*_OF_PURCHASE, "order_id")
    told = {f"told_{n}": Cast(KT(f"content__{n}"), TextField()) for n in names}
    differs = ~Q(told_order_id="") & ~Q(told_order_id=F("purchase__order_key"))
    for name in _OF_PURCHASE:
        differs |= ~Q(**{f"told_{name}": F(f"purchase__{name}")})
    rows = Report.objects.filter(purchase__report=F("pk")).annotate(**told)
    for id in rows.filter(differs).order_by("pk").values_list("purchase_id", flat=True):
        yield Broken(id, purchase_id=id)


def altered_editions() -> Iterator[Broken]:
    """Editions that no program file could be, out of turn, or not what was approved."""
    units = {unit.code: unit for unit in Unit.objects.all()}
    before, published = None, datetime.min.replace(tzinfo=UTC)
    found = Edition.objects.select_related("approval", "backtest").order_by("number")
    for number, edition in enumerate(found, start=1):
        in_turn = edition.number == number and published <= edition.published_at + APART
        if not (in_turn and _follows(edition, before) and _sound(edition, units)):
            yield Broken(edition.pk)
        published = max(published, edition.published_at)
        if not edition.withdrawn_at:
            before = edition


def _sound(edition: Edition, units: dict[str, Unit]) -> bool:
    try:
        program = vocabulary.parse(edition.content)
    except ProgramError:
        return False
    approval, backtest = edition.approval, edition.backtest
    about = {  # what is named and gone is about nothing
        approval.digest if approval else edition.approval_id,
        backtest.digest if backtest else edition.backtest_id,
    }
    return all(
        unit.code in units and units[unit.code].decimals == unit.decimals
        for unit in program.units
    ) and about <= {vocabulary.digest(edition.content), None}


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


def unknown_budgets() -> Iterator[Broken]:
    """Budgets that no edition's rule has, and rules whose budget isn't counted."""
    units = dict(Unit.objects.values_list("code", "pk"))
    limited = {
        (rule["key"], units.get(rule["unit"]))
        for edition in Edition.objects.iterator()
        for rule in edition.content["rules"]
        if rule.get("limits", {}).get("budget")
    }
    counted = {
        (rule, unit_id): id
        for id, rule, unit_id in Budget.objects.values_list("pk", "rule", "unit_id")
    }
    for key, id in counted.items():
        if key not in limited:
            yield Broken(id)
    for rule, _ in limited - counted.keys():
        yield Broken(rule)


def _rules(content: dict[str, Any]) -> set[tuple[str, str]]:
    return {(rule["key"], rule["unit"]) for rule in content["rules"]}
