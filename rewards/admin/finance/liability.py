"""What members hold, on a date and from day to day."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.utils.formats import date_format
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from merchants.admin.tables import Table
from rewards.admin.charts import COLOURS, Lines, line
from rewards.admin.finance.forms import AsOfForm, chosen, end_of, today
from rewards.admin.finance.report import Report, Row
from rewards.admin.spreadsheets import major
from rewards.admin.wording import NOTHING
from rewards.finance import liability
from rewards.finance.liability import Holding
from rewards.models import Unit
from rewards.money import currency_amount, unit_amount, unit_number

DRAWN = timedelta(days=92)


def report(asked: Mapping[str, Any]) -> Report:
    form = AsOfForm(asked if "as_of" in asked else None)
    said = chosen(form)
    held = liability.on(
        as_of=end_of(said["as_of"]),
        known_on=end_of(said["known_on"]) if said["known_on"] else None,
    )
    return Report(
        _("Liability"),
        _("What members hold, and what it is worth. What they owe is taken off."),
        "liability.csv",
        _rows,
        form=form,
        lines=list(_lines()),
        tables=[_table(held)],
    )


def _kinds() -> dict[str, str]:
    return {
        "pending": _("Pending"),
        "available": _("Available"),
        "reserved": _("Reserved"),
        "debt": _("Owed by members"),
    }


def _money(holding: Holding) -> str:
    if holding.money is None:
        return NOTHING
    return currency_amount(holding.money, currency=holding.currency)


def _table(held: Iterable[Holding]) -> Table:
    headers = [_("Unit"), *_kinds().values(), _("Together"), _("Worth")]
    rows = [
        [
            one.unit.name_plural,
            *(unit_number(getattr(one.held, k), unit=one.unit) for k in _kinds()),
            unit_number(one.owed, unit=one.unit),
            _money(one),
        ]
        for one in held
    ]
    note = "" if rows else _("Nobody holds anything.")
    return Table(_("At that time"), headers, rows, note=note)


def _lines() -> Iterator[Lines]:
    """A drawing for each unit that anybody held in these weeks."""
    ends = list(liability.by_day(since=today() - DRAWN))
    units = {one.unit for _day, held in ends for one in held}
    for unit in sorted(units, key=lambda unit: unit.pk):
        yield _drawn(unit, [(day, _of(unit, held)) for day, held in ends])


def _of(unit: Unit, held: Iterable[Holding]) -> Mapping[str, int]:
    found = next((one.held for one in held if one.unit == unit), None)
    return found._asdict() if found else dict.fromkeys(_kinds(), 0)


def _drawn(unit: Unit, ends: Sequence[tuple[date, Mapping[str, int]]]) -> Lines:
    most = max(max(held.values()) for _day, held in ends)
    lines = [
        line(
            name,
            unit_amount(ends[-1][1][kind], unit=unit),
            colour,
            [held[kind] for _day, held in ends],
            most=most,
        )
        for (kind, name), colour in zip(_kinds().items(), COLOURS, strict=False)
    ]
    return Lines(
        _("%s at the end of each closed day") % capfirst(unit.name_plural),
        lines,
        first=date_format(ends[0][0]),
        last=date_format(ends[-1][0]),
        most=unit_amount(most, unit=unit),
    )


def _rows() -> Iterator[Row]:
    yield [_("Day"), _("Unit"), *_kinds().values(), _("Together"), _("Worth"), ""]
    for day, held in liability.by_day():
        for one in held:
            amounts = [*(getattr(one.held, kind) for kind in _kinds()), one.owed]
            yield [
                day.isoformat(),
                one.unit.code,
                *(Decimal(amount).scaleb(-one.unit.decimals) for amount in amounts),
                "" if one.money is None else major(one.money, one.currency),
                one.currency,
            ]
