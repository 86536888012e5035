"""What became of what was given in each month."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from merchants.admin.tables import Table
from rewards.admin.charts import Chart, bars
from rewards.admin.finance.report import Report, Row
from rewards.finance import breakage
from rewards.money import unit_number
from rewards.program import editions

MOST_BARS = 12


def report(asked: Mapping[str, Any]) -> Report:
    now = datetime.now(UTC)
    cohorts = breakage.cohorts(zone=editions.zone(now))
    return Report(
        _("Breakage"),
        _("What became of what members were given in each month."),
        "breakage.csv",
        lambda: _rows(cohorts),
        charts=list(_charts(cohorts)),
        tables=[_table(cohorts)],
    )


def _table(cohorts: Iterable[breakage.Cohort]) -> Table:
    rows = [
        [
            date_format(one.month, "YEAR_MONTH_FORMAT"),
            one.unit.name_plural,
            *(unit_number(n, unit=one.unit) for n in _amounts(one)),
            f"{one.breakage} %",
        ]
        for one in cohorts
    ]
    note = _("Other: taken back, adjusted away, written off, or used to pay a debt.")
    return Table(_("By month"), _heads(), rows, note=note)


def _charts(cohorts: Sequence[breakage.Cohort]) -> Iterator[Chart]:
    for unit in {one.unit.pk: one.unit for one in cohorts}.values():
        own = [one for one in cohorts if one.unit == unit][:MOST_BARS]
        shown = [
            (
                date_format(one.month, "YEAR_MONTH_FORMAT"),
                f"{one.breakage} %",
                one.breakage,
                "",
            )
            for one in own
        ]
        yield Chart(
            _("Expired of what was given, %s") % unit.name_plural, bars(shown, full=100)
        )


def _rows(cohorts: Iterable[breakage.Cohort]) -> Iterator[Row]:
    yield _heads()
    for one in cohorts:
        yield [
            one.month.strftime("%Y-%m"),
            one.unit.code,
            *(Decimal(n).scaleb(-one.unit.decimals) for n in _amounts(one)),
            one.breakage,
        ]


def _heads() -> list[str]:
    return [
        *(_("Month"), _("Unit"), _("Given"), _("Redeemed"), _("Expired")),
        *(_("Reserved"), _("Still there"), _("Other"), _("Expired of it")),
    ]


def _amounts(one: breakage.Cohort) -> list[int]:
    held = (one.issued, one.redeemed, one.expired, one.reserved, one.remaining)
    return [*held, one.other]
