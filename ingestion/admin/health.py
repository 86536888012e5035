"""The health page: what is wrong, and how intake and polling fare."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from ingestion.admin.alarms import can_be_seen
from ingestion.admin.polling import account_name, state_of, window_table
from ingestion.health import lag, parity, standing
from ingestion.models import Alarm
from merchants.admin.tables import Table
from rewards.admin.mixins import (
    change_url,
    link,
)
from rewards.admin.wording import NOTHING, badge, when

MOST = 50


@never_cache
@require_safe
def page(
    request: HttpRequest,
    *,
    server: Callable[[datetime], Iterable[dict[str, str]]],
    storage: Callable[[], Iterable[Table]],
) -> HttpResponse:
    """For staff who may see alarms. What is known of the server, the site says."""
    may = request.user.has_perm
    if not (may("ingestion.view_alarm") or may("ingestion.change_alarm")):
        raise PermissionDenied
    now = datetime.now(UTC)
    context = {
        **admin.site.each_context(request),
        "title": _("Health"),
        "alarms": list(_alarms(request)),
        "figures": list(figures(now)),
        "parity": parity.by_day(at=now),
        "server": list(server(now)),
        "tables": [_polling(), *_windows(), _catalogue(now), *storage()],
        "all_alarms": reverse("admin:ingestion_alarm_changelist"),
    }
    return TemplateResponse(request, "admin/health.html", context)


def _alarms(request: HttpRequest) -> Iterator[dict[str, Any]]:
    """The open alarms, newest first, with a way to end those that staff may end."""
    may_end = request.user.has_perm("ingestion.change_alarm")
    for alarm in standing.open_alarms()[:MOST]:
        yield {
            "kind": badge(alarm.get_kind_display(), "danger"),
            "text": alarm.text,
            "raised": when(alarm.raised_at),
            "url": change_url(alarm),
            "seen": _seen_url(alarm) if may_end and can_be_seen(alarm) else "",
        }


def _seen_url(alarm: Alarm) -> str:
    return reverse("admin:ingestion_alarm_mark_this_seen", args=[alarm.pk])


def figures(at: datetime) -> Iterator[dict[str, str]]:
    """What stands at the top, in figures."""
    inbox = standing.Inbox.now()
    since = timesince(inbox.oldest, at, depth=1) if inbox.oldest else ""
    yield {
        "title": _("Events waiting"),
        "value": str(inbox.waiting),
        "note": _("the oldest for %s") % since if since else _("nothing waits"),
    }
    refused = standing.refusals_by_status(at=at)
    yield {
        "title": _("Webhooks refused, last hour"),
        "value": str(sum(refused.values())),
        "note": ", ".join(f"{n} × {status}" for status, n in refused.items())
        or _("none"),
    }
    lags = lag.of_last_day(at=at)
    yield _lag(_("Order to first event, last day"), lags.arrival)
    yield _lag(_("Event to balance, last day"), lags.settling)


def _lag(title: str, quantiles: Mapping[str, timedelta]) -> dict[str, str]:
    """The median, large; what 95 and 99 of a hundred stayed under, small."""
    if not quantiles:
        return {"title": title, "value": NOTHING, "note": _("nothing came")}
    said = {name: span(value) for name, value in quantiles.items()}
    note = _("95 %% within %(p95)s, 99 %% within %(p99)s")
    return {
        "title": title,
        "value": said["0.5"],
        "note": note % {"p95": said["0.95"], "p99": said["0.99"]},
    }


def span(value: timedelta) -> str:
    """A stretch of time in its own size: 0.42 s, 3.5 min, 2.1 h, 12.0 d."""
    seconds = value.total_seconds()
    for size, sign, below in ((1, "s", 120), (60, "min", 120), (3600, "h", 48)):
        if abs(seconds) < size * below:
            return f"{seconds / size:.{2 if sign == 's' else 1}f} {sign}"
    return f"{seconds / 86400:.1f} d"


def _polling() -> Table:
    polls = list(standing.polls())
    rows = [
        [
            link(poll, account_name(poll)),
            state_of(poll),
            when(poll.mark),
            when(poll.read_at),
            when(poll.due_at) if poll.enabled else NOTHING,
        ]
        for poll in polls
    ]
    headers = [
        *(_("Account"), _("State"), _("Read up to")),
        *(_("Last read to the end"), _("Next poll")),
    ]
    note = "" if polls else _("No account is polled yet.")
    errors = " ".join(f"{poll.account}: {poll.error}" for poll in polls if poll.error)
    return Table(_("Polling"), headers, rows, note or errors)


def _windows() -> list[Table]:
    unfinished = standing.unfinished_windows()[:MOST]
    table = window_table(unfinished, _("Being read"))
    return [table] if table.rows else []


def _catalogue(at: datetime) -> Table:
    rows = [
        [network, _("%s ago") % timesince(synced, at, depth=1)]
        for network, synced in standing.catalogue_syncs().items()
    ]
    note = "" if rows else _("It has not been synced yet.")
    return Table(_("Catalogue"), [_("Network"), _("Last good sync")], rows, note)
