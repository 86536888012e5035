"""A backtest's result in tables, and as a file: stores, rules, budgets, examples."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from merchants.admin.tables import Table
from merchants.models import Merchant
from rewards.admin.mixins import link
from rewards.admin.spreadsheets import major
from rewards.admin.wording import NOTHING, text_of, when
from rewards.backtests.wording import amount, money_change, unit_change
from rewards.models import Purchase
from rewards.money import currency_amount

MOST_STORES = 20
SIDES = ("baseline", "draft")


def tables(result: dict[str, Any]) -> Iterator[Table]:
    """Everything that has names: what changes most comes first."""
    orders = _orders(result)
    yield _merchant_table(result["merchants"])
    yield _rule_table(result)
    if result["budgets"]:
        yield _budget_table(result)
    for row in result["units"]:
        name = row["unit"]["name_plural"]
        for title, kind in ((_("Gainers, %s"), "gainers"), (_("Losers, %s"), "losers")):
            if row[kind]:
                yield _example_table(title % name, row[kind], row["unit"], orders)
    for side, failed in result["failed"].items():
        yield _failed_table(side, failed, orders)


def store_rows(rows: Sequence[dict[str, Any]]) -> Iterator[list[str | int | Decimal]]:
    """Every store for a spreadsheet: a head, then amounts in major units."""
    stores = _stores(rows)
    yield [
        *(_("Store"), _("Id"), _("Currency"), _("Purchases"), _("Commission")),
        *(_("Cost, live"), _("Cost, draft"), _("Change")),
        *(_("Margin, live"), _("Margin, draft")),
    ]
    for row in rows:
        amounts = (
            *(row[name] for name in ("commission", *SIDES, "difference")),
            *(row["margins"][side] for side in SIDES),
        )
        yield [
            str(stores[row["merchant"]]),
            stores[row["merchant"]].external_id,
            row["currency"],
            row["purchases"],
            *(major(minor, row["currency"]) for minor in amounts),
        ]


def _stores(rows: Iterable[Mapping[str, Any]]) -> dict[int | None, Merchant]:
    """The stores of these rows; an order may have none."""
    found = Merchant.objects.in_bulk({row["merchant"] for row in rows} - {None})
    return {None: Merchant(name=_("no store")), **found}


def _merchant_table(rows: Sequence[dict[str, Any]]) -> Table:
    shown = rows[:MOST_STORES]
    stores = _stores(shown)
    headers = [
        *(_("Store"), _("Purchases"), _("Commission")),
        *(_("Cost, live"), _("Cost, draft"), _("Change"), _("Margin, draft")),
    ]
    note = ""
    if len(rows) > MOST_STORES:
        note = _("The %(shown)d of %(all)d that change most; the file has all of them.")
        note %= {"shown": MOST_STORES, "all": len(rows)}
    cells = [
        [
            str(stores[row["merchant"]]),
            str(row["purchases"]),
            *(
                currency_amount(row[name], currency=row["currency"])
                for name in ("commission", *SIDES)
            ),
            money_change(row["difference"], row["currency"]),
            currency_amount(row["margins"]["draft"], currency=row["currency"]),
        ]
        for row in shown
    ]
    return Table(_("Stores"), headers, cells, note=note)


def _rule_table(result: dict[str, Any]) -> Table:
    units = {row["unit"]["code"]: row["unit"] for row in result["units"]}
    headers = [
        *(_("Rule"), _("Purchases paid, live"), _("Purchases paid, draft")),
        *(_("Granted, live"), _("Granted, draft"), _("Wanted by the draft")),
    ]
    cells = [
        [
            f"{text_of(row['label'])} ({row['rule']})",
            str(row["baseline"]["paid"]),
            str(row["draft"]["paid"]),
            *(amount(row[side]["granted"], units[row["unit"]]) for side in SIDES),
            amount(row["draft"]["wanted"], units[row["unit"]]),
        ]
        for row in result["rules"]
    ]
    return Table(_("Rules"), headers, cells)


def _budget_table(result: dict[str, Any]) -> Table:
    units = {row["unit"]["code"]: row["unit"] for row in result["units"]}
    headers = [_("Rule"), _("Program"), _("Budget"), _("Used"), _("Used up")]
    cells = [
        [
            row["rule"],
            _side(row["side"]),
            amount(row["cap"], units[row["unit"]]),
            amount(row["used"], units[row["unit"]]),
            _end(row),
        ]
        for row in result["budgets"]
    ]
    return Table(_("Budgets"), headers, cells)


def _end(row: Mapping[str, Any]) -> str:
    if row["ends_at"] is None:
        return _("not in sight")
    at = when(datetime.fromisoformat(row["ends_at"]))
    return at if row["burned"] else _("at this pace on %s") % at


def _example_table(
    title: str,
    examples: Sequence[Sequence[Any]],
    unit: dict[str, Any],
    orders: Mapping[int, Purchase],
) -> Table:
    headers = [
        _("Member"),
        _("Purchase"),
        _("Live"),
        _("Draft"),
        _("Change"),
        _("Rules"),
    ]
    cells = [
        [
            *_named(orders.get(id)),
            *(amount(had, unit), amount(has, unit), unit_change(has - had, unit)),
            "; ".join(
                f"{rule}: {amount(before, unit)} → {amount(after, unit)}"
                for rule, before, after in rules
            ),
        ]
        for _change, id, had, has, rules in examples
    ]
    return Table(title, headers, cells, note=_("The purchases that change most."))


def _failed_table(
    side: str, failed: Mapping[str, Any], orders: Mapping[int, Purchase]
) -> Table:
    title = ngettext(
        "%(side)s: expressions failed on %(count)d purchase, which earns nothing here",
        "%(side)s: expressions failed on %(count)d purchases, which earn nothing here",
        failed["count"],
    )
    cells = [[*_named(orders.get(id)), said] for id, said in failed["examples"]]
    return Table(
        title % {"side": _side(side), "count": failed["count"]},
        [_("Member"), _("Purchase"), _("What failed")],
        cells,
    )


def _side(side: str) -> str:
    return _("the draft") if side == "draft" else _("live")


def _named(purchase: Purchase | None) -> list[Any]:
    if purchase is None:
        return [NOTHING, NOTHING]
    return [link(purchase.member), link(purchase)]


def _orders(result: dict[str, Any]) -> dict[int, Purchase]:
    """Every purchase that the result names."""
    ids = {
        example[1]
        for row in result["units"]
        for example in (*row["gainers"], *row["losers"])
    }
    for failed in result["failed"].values():
        ids |= {id for id, _said in failed["examples"]}
    return Purchase.objects.select_related("member").in_bulk(ids)
