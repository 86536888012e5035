"""A backtest's result as its page shows it: figures and bars, then tables."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from rewards.admin import backtest_tables
from rewards.admin.charts import Chart, bars
from rewards.backtests.wording import (
    amount,
    money_change,
    percent,
    signed,
    unit_change,
    unvalued,
)
from rewards.models import Backtest
from rewards.money import currency_amount


@dataclass(frozen=True)
class Card:
    """One figure of the draft, and how it differs from what is live."""

    title: str
    value: str
    note: str


def context(backtest: Backtest) -> dict[str, Any]:
    """Everything that the page of a finished backtest shows."""
    result = backtest.result
    assert result is not None
    return {
        "remarks": list(_remarks(result)),
        "cards": cards(result),
        "charts": [*map(_money_chart, result["money"]), *_size_charts(result["units"])],
        "tables": list(backtest_tables.tables(result)),
    }


def cards(result: dict[str, Any]) -> list[Card]:
    """The figures that decide."""
    return [*map(_unit_card, result["units"]), *_money_cards(result["money"])]


def _remarks(result: dict[str, Any]) -> Iterator[str]:
    """What is in these figures, and what is not."""
    apart = result["left_out"]
    yield (
        ngettext(
            "%d purchase that may earn is in these figures, in its last known state:"
            " later adjustments are in.",
            "%d purchases that may earn are in these figures, in their last known"
            " state: later adjustments are in.",
            result["earning"],
        )
        % result["earning"]
    )
    yield (
        ngettext(
            "%d purchase was declined later, and earns nothing.",
            "%d purchases were declined later, and earn nothing.",
            result["declined"],
        )
        % result["declined"]
    )
    for row in result["units"]:
        if lost := row["declined"]["draft"]:
            yield _("By the draft, the declined ones would have had %s.") % amount(
                lost, row["unit"]
            )
    yield (
        _(
            "Not in them: %(unattributed)d that belong to nobody, %(in_review)d in"
            " review, %(excluded)d in accounts that do not reward."
        )
        % apart
    )
    if names := unvalued(result):
        yield _("Nobody has said what these are worth, so they are in no cost: %s.") % (
            ", ".join(names)
        )
    if result["estimated"]:
        yield _(
            "Limits are counted from the beginning of the stretch, as if nothing had"
            " been granted before: an estimate."
        )


def _unit_card(row: dict[str, Any]) -> Card:
    note = _("%(change)s; %(baseline)s live; members: %(up)d up, %(down)d down")
    return Card(
        row["unit"]["name_plural"],
        amount(row["draft"], row["unit"]),
        note
        % {
            "change": unit_change(row["difference"], row["unit"]),
            "baseline": amount(row["baseline"], row["unit"]),
            "up": row["members"]["up"],
            "down": row["members"]["down"],
        },
    )


def _money_cards(rows: Iterable[dict[str, Any]]) -> Iterator[Card]:
    for row in rows:
        currency, margins, shares = row["currency"], row["margins"], row["shares"]

        def said(minor: int, currency: str = currency) -> str:
            return currency_amount(minor, currency=currency)

        yield Card(
            _("Cost in %s") % currency,
            said(row["draft"]),
            _("%(change)s; %(baseline)s live")
            % {
                "change": money_change(row["difference"], currency),
                "baseline": said(row["baseline"]),
            },
        )
        yield Card(
            _("Margin in %s") % currency,
            said(margins["draft"]),
            _("%(baseline)s live; commission %(commission)s")
            % {
                "baseline": said(margins["baseline"]),
                "commission": said(row["commission"]),
            },
        )
        yield Card(
            _("Cost of commission in %s") % currency,
            percent(shares["draft"]),
            _("%s live") % percent(shares["baseline"]),
        )


def _money_chart(row: dict[str, Any]) -> Chart:
    sizes = {
        _("Commission"): row["commission"],
        _("Cost, live"): row["baseline"],
        _("Cost, draft"): row["draft"],
    }
    said = {
        name: currency_amount(n, currency=row["currency"]) for name, n in sizes.items()
    }
    title = _("Cost against commission, %s") % row["currency"]
    return Chart(title, bars([(name, said[name], n, "") for name, n in sizes.items()]))


def _size_charts(rows: Iterable[dict[str, Any]]) -> Iterator[Chart]:
    """How many purchases change by how much, where any does."""
    for row in rows:
        if row["sizes"]:
            same = row["purchases"]["same"]
            note = ngettext(
                "%d purchase stays the same.", "%d purchases stay the same.", same
            )
            yield Chart(
                _("Change of a purchase, %s") % row["unit"]["name_plural"],
                bars(
                    [
                        (
                            _size(size, row["unit"]),
                            str(n),
                            n,
                            "up" if size > 0 else "down",
                        )
                        for size, n in row["sizes"]
                    ]
                ),
                note % same,
            )


def _size(size: int, unit: dict[str, Any]) -> str:
    """A size of change, as a stretch of amounts: +100 to +999 points."""
    least, most = 10 ** (abs(size) - 1), 10 ** abs(size) - 1
    if size < 0:
        least, most = -most, -least
    return _("%(least)s to %(most)s") % {
        "least": signed(amount(least, unit), least),
        "most": signed(amount(most, unit), most),
    }
