"""The first page of the admin: what waits for a person, and how the program does."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from django.contrib.auth.models import User
from django.http import HttpRequest
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ingestion.admin.health import figures as health_figures
from loyalty_site.desk import figures
from loyalty_site.desk.waiting import Waiting, waiting
from rewards.admin.charts import Chart, bars
from rewards.admin.mixins import staff
from rewards.models import Purchase
from rewards.money import currency_amount, unit_amount

HEALTH = "ingestion.view_alarm"
MONEY = "rewards.view_close"
ORDERS = "rewards.view_purchase"


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """What this person may see of it."""
    by, now = staff(request), datetime.now(UTC)
    queues = waiting(by=by)
    return {
        **context,
        "title": _("Home"),
        "queues": sorted((one for one in queues if one.count), key=_urgency),
        "empty": [one.queue.title for one in queues if not one.count],
        "figures": list(_figures(by, now)),
        "charts": list(_charts(by, now)),
        "health": list(health_figures(now)) if by.has_perm(HEALTH) else [],
        "nothing_yet": by.has_perm(ORDERS) and _is_new(now),
    }


def _is_new(at: datetime) -> bool:
    recent = any(day.purchases for day in figures.days(at))
    return not recent and not Purchase.objects.exists()


def _urgency(one: Waiting) -> bool:
    return not one.queue.urgent


def _figures(by: User, at: datetime) -> Iterator[dict[str, str]]:
    if by.has_perm(ORDERS):
        yield from _orders(at)
    if by.has_perm(MONEY):
        yield from _holdings(at)


def _orders(at: datetime) -> Iterator[dict[str, str]]:
    *before, today = figures.days(at)
    usual = sum(day.purchases for day in before) // len(before)
    yield {
        "title": _("Orders today"),
        "value": str(today.purchases),
        "note": _("%s on a usual day") % usual,
    }
    rate = figures.validation(at)
    open = ngettext("%d still pending", "%d still pending", rate.pending) % rate.pending
    yield {
        "title": _("Orders that stood"),
        "value": "-" if rate.percent is None else f"{rate.percent} %",
        "note": _("of those made 60 to 90 days ago; %s") % open,
    }


def _holdings(at: datetime) -> Iterator[dict[str, str]]:
    for one in figures.held(at):
        pending = unit_amount(one.pending, unit=one.unit)
        yield {
            "title": _("Available to members"),
            "value": unit_amount(one.available, unit=one.unit),
            "note": _("and %s pending") % pending,
        }


def _charts(by: User, at: datetime) -> Iterator[Chart]:
    if by.has_perm(ORDERS):
        rows = [
            (date_format(one.day, "MONTH_DAY_FORMAT"), str(one.purchases), one[1], "")
            for one in figures.days(at)
        ]
        yield Chart(_("Orders by day (UTC)"), bars(rows))
    if by.has_perm(MONEY):
        yield from _costs(at)


def _costs(at: datetime) -> Iterator[Chart]:
    title = _("Commission and rewards of the last %d days, in %s")
    for cost in figures.costs(at):
        amounts = (
            (_("Commission"), cost.commission, ""),
            (_("Members get"), cost.rewards, "down"),
        )
        rows = [
            (name, currency_amount(amount, currency=cost.currency), amount, tone)
            for name, amount, tone in amounts
        ]
        share = 100 * cost.rewards // cost.commission if cost.commission else 0
        note = _("Members get %d %% of it. Declined orders are left out.") % share
        yield Chart(title % (figures.DAYS, cost.currency), bars(rows), note)
