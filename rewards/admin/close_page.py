"""What the page of a close shows: buckets with their sum, differences, what is left."""

from collections.abc import Iterator, Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from merchants.admin.tables import Table
from rewards.admin.charts import Chart, bars, loss
from rewards.admin.wording import NOTHING
from rewards.closing.figures import BUCKETS, MOST_ROUNDED, ROUNDING, faults
from rewards.closing.positions import MEMBERS
from rewards.closing.signing import obstacles
from rewards.models import Close, Unit
from rewards.money import currency_amount, unit_number

MOST_ORDERS = 100


def told(close: Close) -> dict[str, Any]:
    """Everything below the form."""
    rows = close.figures["rows"]
    return {
        "remarks": list(_remarks(close)),
        "obstacles": [] if close.signed_at else list(obstacles(close)),
        "charts": [_chart(row) for row in rows],
        "tables": [*_difference_tables(close), *_unit_tables(close)],
    }


def bucket_names() -> dict[str, str]:
    return {
        "pending": _("Members, pending"),
        "available": _("Members, available"),
        "reserved": _("Members, reserved"),
        "redeemed": _("Redeemed"),
        "expired": _("Expired"),
        "adjusted": _("Taken by adjustments"),
        "written_off": _("Written off"),
        "owed": _("Paid debts, less what is owed"),
        "margin": _("Our margin"),
        "unattributed": _("Nobody's orders"),
        "in_review": _("In review"),
        ROUNDING: _("Rounding"),
    }


def _remarks(close: Close) -> Iterator[str]:
    if close.figures["network"]:
        yield close.figures["network"]
    elif not close.differences:
        yield _("The day's orders are the same at the network, to the cent.")
    count = close.transfers
    yield ngettext("%d transfer was made.", "%d transfers were made.", count) % count
    if not faults(close.figures["rows"]):
        yield _("Every minor unit of commission is in one bucket.")


def _chart(row: Mapping[str, Any]) -> Chart:
    names, currency = bucket_names(), row["currency"]
    shown = [
        (names[bucket], _said(amount, currency), amount, loss(amount))
        for bucket in (*BUCKETS, ROUNDING)
        if (amount := row["buckets"][bucket]) or bucket in ("margin", ROUNDING)
    ]
    total = sum(row["buckets"].values())
    note = _(
        "Together %(total)s; the commission of %(count)d orders is %(commission)s."
        " Rounding is at most %(most)d minor units."
    ) % {
        "total": _said(total, currency),
        "count": row["purchases"],
        "commission": _said(row["commission"], currency),
        "most": MOST_ROUNDED,
    }
    return Chart(_where(row), bars(shown), note)


def _difference_tables(close: Close) -> Iterator[Table]:
    for row in close.differences:
        said = [
            [order, _said(amount, row["currency"]), why]
            for order, amount, why in row["orders"][:MOST_ORDERS]
        ]
        if row["unexplained"]:
            left = _said(row["unexplained"], row["currency"])
            said.append([NOTHING, left, _("no order explains it")])
        title = _("%(where)s: the network has %(theirs)s, we have %(ours)s") % {
            "where": _where(row),
            "theirs": _said(row["theirs"], row["currency"]),
            "ours": _said(row["ours"], row["currency"]),
        }
        headers = [_("Order"), _("Theirs less ours"), _("Why")]
        note = ""
        if len(row["orders"]) > MOST_ORDERS:
            note = _("The first %d; the journal has all of them.") % MOST_ORDERS
        yield Table(title, headers, said, note=note)


def _unit_tables(close: Close) -> Iterator[Table]:
    """What the buckets hold in units, by account and currency."""
    units = {unit.code: unit for unit in Unit.objects.all()}
    names = bucket_names()
    for row in close.figures["rows"]:
        rows = []
        for found in row["units"]:
            unit = units[found["unit"]]
            amounts = [*(found["held"][bucket] for bucket in MEMBERS), found["awarded"]]
            apart = _("in money") if found["worth"] else _("counted apart")
            said = [unit_number(amount, unit=unit) for amount in amounts]
            rows.append([unit.name_plural, *said, apart])
        if rows:
            headers = [_("Unit"), *(names[b] for b in MEMBERS), _("Awarded"), ""]
            yield Table(_("%s, in units") % _where(row), headers, rows)


def _where(row: Mapping[str, Any]) -> str:
    return f"{row['account'] or row['network']}, {row['currency']}"


def _said(amount: int, currency: str) -> str:
    return currency_amount(amount, currency=currency)
