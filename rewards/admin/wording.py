"""How the admin pages word what several of them show: amounts, times, names."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.template.loader import render_to_string
from django.utils.formats import localize
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.timezone import localtime
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from merchants.admin.tables import Table
from merchants.models import Merchant
from rewards.admin.mixins import link
from rewards.models import Account, Purchase, Report, Transfer
from rewards.money import currency_amount, unit_amount

STATUS_COLOURS = {"pending": "info", "validated": "success", "declined": "danger"}
NOTHING = "-"


def badge(text: object, colour: str = "") -> SafeString:
    """A coloured label: success, info, warning, danger, or plain."""
    label = {"text": text, "type": colour}
    return render_to_string("unfold/helpers/label.html", label)


def status_badge(purchase: Purchase) -> SafeString:
    return badge(purchase.get_status_display(), STATUS_COLOURS.get(purchase.status, ""))


def when(at: datetime | None) -> str:
    return localize(localtime(at)) if at else NOTHING


def order_total(purchase: Purchase) -> str:
    return currency_amount(purchase.order_total, currency=purchase.order_currency)


def commission(purchase: Purchase) -> str:
    return currency_amount(purchase.commission, currency=purchase.currency)


def report_amounts(report: Report) -> tuple[str, str]:
    """Order total and commission, in the currencies that the report itself names."""
    content = report.content
    return (
        currency_amount(report.order_total, currency=content["order_currency"]),
        currency_amount(report.commission, currency=content["currency"]),
    )


def text_of(label: Any) -> str:
    """A rule's label in the reader's language, else in any."""
    if not isinstance(label, dict):
        return str(label)
    own = (get_language() or "").split("-")[0]
    return str(label.get(own) or next(iter(label.values()), ""))


def account_name(account: Account) -> SafeString | str:
    """Whose account it is: a member's by name, the program's by kind."""
    kind = capfirst(account.get_kind_display())
    if account.member is None:
        return _("Program: %s") % kind.lower()
    return link(account.member, f"{account.member}: {kind.lower()}")


def transfer_table(
    transfers: Iterable[Transfer], title: Any, *, more: str = ""
) -> Table:
    headers = [_("Transfer"), _("Amount"), _("From"), _("To"), _("Recorded")]
    rows = [
        [
            link(t, f"#{t.pk}"),
            unit_amount(t.amount, unit=t.from_account.unit),
            account_name(t.from_account),
            account_name(t.to_account),
            when(t.recorded_at),
        ]
        for t in transfers
    ]
    return Table(title, headers, rows, more=more)


def merchant_names(ids: Iterable[str]) -> dict[str, str]:
    """What merchants are called, by their id at the network."""
    known = Merchant.objects.filter(external_id__in=set(ids)).exclude(name="")
    return dict(known.values_list("external_id", "name"))
