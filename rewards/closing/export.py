"""Closed days as rows for a ledger system, each with an id that never changes.

A transfer debits the account that it is from and credits the one that it is to: what
members hold is owed to them, so it stands in credit.
"""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from rewards.closing import days, transfers
from rewards.closing.days import Cut
from rewards.models import Account, Close

Row = list[str | Decimal]
_COLUMNS = (
    *("id", "from_account__kind", "to_account__kind", "from_account__unit__code"),
    *("from_account__unit__decimals", "amount", "source", "reference"),
)


def rows(first: date, last: date) -> Iterator[Row]:
    """A head, then every transfer of the closed days from ``first`` to ``last``.

    Amounts are whole units with their decimals.
    """
    yield [
        *(_("Date"), _("Id"), _("Debit"), _("Credit")),
        *(_("Unit"), _("Amount"), _("Reference")),
    ]
    for close in Close.objects.filter(day__range=(first, last)).order_by("day"):
        before = days.before(close)
        found = transfers.transfers(Cut.of(close), Cut.of(before) if before else None)
        for columns in found.values_list(*_COLUMNS).iterator():
            yield _row(close.day, *columns)


def _row(day: date, id: int, taken_from: str, given_to: str, *rest: Any) -> Row:
    unit, decimals, amount, source, reference = rest
    return [
        *(day.isoformat(), f"transfer-{id}"),
        *(_account(taken_from), _account(given_to)),
        *(unit, Decimal(amount).scaleb(-decimals), f"{source}:{reference}"),
    ]


def _account(kind: str) -> str:
    """Members' accounts of one kind are one account of the ledger."""
    owner = "members" if kind in Account.MEMBER_KINDS else "program"
    return f"{owner}:{kind}"
