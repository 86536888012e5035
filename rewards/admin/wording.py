"""How the admin pages word what several of them show: amounts, times, rules."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
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
from rewards.admin.mixins import (
    link,
)
from rewards.models import Account, Purchase, Report, Transfer
from rewards.money import Counted, currency_amount, unit_amount

STATUS_COLOURS = {"pending": "info", "validated": "success", "declined": "danger"}
NOTHING = "-"
MOST_NAMED = 3


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


def said_reward(reward: dict[str, Any], unit: Counted) -> str:
    """What a rule gives, from the program file's own fields."""
    said = {
        "fixed": _("%(points)s %(unit)s an order"),
        "per_amount": _("%(points)s %(unit)s per %(per)s of %(basis)s"),
        "share": _("%(percent)s %% of %(basis)s, in %(code)s"),
    }
    if reward.get("whole"):
        said["per_amount"] = _("%(points)s %(unit)s per whole %(per)s of %(basis)s")
    basis = {"commission": _("commission"), "order_total": _("order total")}
    words = {
        "unit": unit.name if reward.get("points") == "1" else unit.name_plural,
        "code": unit.code,
        "basis": basis.get(reward.get("of", ""), ""),
    }
    template = said.get(reward.get("kind", ""), NOTHING)
    return template % defaultdict(str, reward, **words)


def merchant_names(ids: Iterable[str]) -> dict[str, str]:
    """What merchants are called, by their id at the network."""
    known = Merchant.objects.filter(external_id__in=set(ids)).exclude(name="")
    return dict(known.values_list("external_id", "name"))


def named(ids: Sequence[str], names: Mapping[str, str]) -> str:
    """The first few merchants by name, and how many more there are."""
    said = ", ".join(names.get(id, id) for id in ids[:MOST_NAMED])
    more = len(ids) - MOST_NAMED
    return (
        _("%(some)s and %(n)d more") % {"some": said, "n": more} if more > 0 else said
    )


def said_conditions(when: dict[str, Any], names: Mapping[str, str]) -> str:
    """What a rule asks, in one line; a word where it asks nothing."""
    words: dict[str, tuple[str, Callable[[Any], str]]] = {
        "merchants": (_("at %s"), lambda ids: named(ids, names)),
        "currencies": (_("in %s"), ", ".join),
        "starts_at": (_("from %s"), _minute),
        "ends_at": (_("until %s"), _minute),
        "min_order_total": (_("order of at least %s"), str),
        "max_order_total": (_("order of at most %s"), str),
    }
    parts = [
        said % put(when[key]) for key, (said, put) in words.items() if when.get(key)
    ]
    return "; ".join(parts) or _("always")


def _minute(text: str) -> str:
    """An ISO time without its seconds, in its own zone: 2026-11-01 00:00-05:00."""
    return datetime.fromisoformat(text).isoformat(" ", "minutes")
