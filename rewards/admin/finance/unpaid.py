"""Commission that is ours and has not been paid."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from django.utils.translation import gettext as _

from merchants.admin.tables import Table
from rewards.admin.charts import Chart, bars, loss
from rewards.admin.finance.report import Report, Row
from rewards.admin.spreadsheets import major
from rewards.finance import unpaid
from rewards.money import currency_amount


def report(asked: Mapping[str, Any]) -> Report:
    found = unpaid.unpaid()
    return Report(
        _("Commission not yet paid"),
        _(
            "What stores have validated, less what we have received, at the end of the"
            " last closed day. What members can spend or have spent hangs on it."
        ),
        "unpaid.csv",
        lambda: _rows(found),
        charts=list(_charts(found)),
        tables=[_table(found)],
    )


def _table(found: Iterable[unpaid.Unpaid]) -> Table:
    rows = [
        [
            one.account or one.network,
            one.currency,
            *(currency_amount(n, currency=one.currency) for n in _amounts(one)),
        ]
        for one in found
    ]
    note = "" if rows else _("No day is closed yet.")
    return Table(_("Accounts"), _heads(), rows, note=note)


def _charts(found: Iterable[unpaid.Unpaid]) -> Iterator[Chart]:
    for one in found:
        amounts = {
            _("Validated"): one.validated,
            _("Received"): one.received,
            _("Given to members"): one.given,
        }
        shown = [
            (name, currency_amount(n, currency=one.currency), n, loss(n))
            for name, n in amounts.items()
        ]
        yield Chart(f"{one.account or one.network}, {one.currency}", bars(shown))


def _rows(found: Iterable[unpaid.Unpaid]) -> Iterator[Row]:
    yield _heads()
    for one in found:
        yield [
            *(one.account or one.network, one.currency),
            *(major(n, one.currency) for n in _amounts(one)),
        ]


def _heads() -> list[str]:
    return [
        *(_("Account"), _("Currency"), _("Validated"), _("Received"), _("Not paid")),
        *(_("Given to members"), _("Given before it was received")),
    ]


def _amounts(one: unpaid.Unpaid) -> tuple[int, ...]:
    return one.validated, one.received, one.open, one.given, one.ahead
