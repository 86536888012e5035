"""What each store leaves."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from django.utils.translation import gettext as _

from merchants.admin.tables import Table
from merchants.models import Merchant
from rewards.admin.charts import Chart, bars, loss
from rewards.admin.finance.forms import StretchForm, chosen, end_of
from rewards.admin.finance.report import Report, Row
from rewards.admin.spreadsheets import major
from rewards.admin.wording import NOTHING
from rewards.closing import days
from rewards.finance import margins
from rewards.finance.margins import StoreMargin
from rewards.models import Unit
from rewards.money import currency_amount, unit_amount

MOST_STORES = 50
MOST_BARS = 12


def report(asked: Mapping[str, Any]) -> Report:
    form = StretchForm(asked if "first" in asked else None)
    said, now = chosen(form), datetime.now(UTC)
    start = days.begins(said["first"], at=now)
    found = margins.margins(start=start, end=end_of(said["last"]), at=now)
    stores = _stores(found)
    return Report(
        _("Margin per store"),
        _(
            "Commission of orders of these days that were not declined, less what they"
            " give members, less what returned orders left that nobody paid back."
        ),
        "margins.csv",
        lambda: _rows(found, stores),
        form=form,
        charts=list(_charts(found, stores)),
        tables=[_table(found, stores)],
    )


def _table(
    found: Sequence[StoreMargin], stores: Mapping[int | None, Merchant]
) -> Table:
    rows = [
        [
            str(stores[row.merchant_id]),
            row.currency,
            str(row.purchases),
            *(currency_amount(n, currency=row.currency) for n in _amounts(row)),
            _apart(row) or NOTHING,
        ]
        for row in found[:MOST_STORES]
    ]
    note = ""
    if len(found) > MOST_STORES:
        note = _("The first %(shown)d of %(all)d; the file has all of them.")
        note %= {"shown": MOST_STORES, "all": len(found)}
    return Table(_("Stores"), _heads(), rows, note=note)


def _charts(
    found: Sequence[StoreMargin], stores: Mapping[int | None, Merchant]
) -> Iterator[Chart]:
    for currency in sorted({row.currency for row in found}):
        own = [row for row in found if row.currency == currency][:MOST_BARS]
        shown = [
            (
                str(stores[row.merchant_id]),
                currency_amount(row.margin, currency=currency),
                row.margin,
                loss(row.margin),
            )
            for row in own
        ]
        yield Chart(_("Margin in %s") % currency, bars(shown))


def _rows(
    found: Iterable[StoreMargin], stores: Mapping[int | None, Merchant]
) -> Iterator[Row]:
    yield _heads()
    for row in found:
        yield [
            *(str(stores[row.merchant_id]), row.currency, row.purchases),
            *(major(n, row.currency) for n in _amounts(row)),
            _apart(row),
        ]


def _heads() -> list[str]:
    return [
        *(_("Store"), _("Currency"), _("Orders"), _("Commission")),
        *(_("Rewards"), _("Not paid back"), _("Margin"), _("Without a worth")),
    ]


def _amounts(row: StoreMargin) -> tuple[int, ...]:
    return row.commission, row.rewards, row.lost, row.margin


def _apart(row: StoreMargin) -> str:
    units = Unit.objects.in_bulk(row.apart)
    said = (unit_amount(n, unit=units[id]) for id, n in sorted(row.apart.items()))
    return ", ".join(said)


def _stores(rows: Iterable[StoreMargin]) -> dict[int | None, Merchant]:
    found = Merchant.objects.in_bulk({row.merchant_id for row in rows} - {None})
    return {None: Merchant(name=_("no store")), **found}
