"""A file of adjustments in words: what it would do, what comes next, what failed."""

from collections.abc import Iterator
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from merchants.admin.tables import Table
from rewards.admin.mixins import link
from rewards.bulks import checking
from rewards.bulks.working import UNDER_WAY
from rewards.models import Adjustment, Bulk, Unit
from rewards.money import unit_amount

MOST = 50
_STATE = Bulk.State


def told(bulk: Bulk) -> dict[str, Any]:
    """What its page says below the fields."""
    told: dict[str, Any] = {
        "next": _next(bulk),
        "cards": list(_cards(bulk)),
        "lines_url": _lines_url(bulk) if bulk.state != _STATE.REFUSED else "",
    }
    if bulk.state in UNDER_WAY:
        told["under_way"] = progress(bulk)
    told["tables"] = list(filter(None, [_faults(bulk), _failed(bulk)]))
    return told


def progress(bulk: Bulk) -> dict[str, Any]:
    total = bulk.lines
    return {
        "percent": min(99, 100 * bulk.done // total) if total else 0,
        "progress_url": reverse("admin:rewards_bulk_progress", args=[bulk.pk]),
    }


def said_sums(bulk: Bulk) -> list[str]:
    """A sentence for what each unit's lines give, and one for what they take."""
    return [f"{card['title']}: {card['value']}" for card in _cards(bulk)]


def said_undo() -> str:
    return _(
        "Every line that was posted is taken back, to exactly nothing. What members"
        " have spent of it becomes their debt, which later earnings pay; what was taken"
        " goes back where it came from."
    )


def _next(bulk: Bulk) -> str:
    """What has to happen before anything moves, or what is left to do."""
    if bulk.state == _STATE.REFUSED:
        return _("Nothing was imported. Mend these lines and upload the file again.")
    if bulk.state == _STATE.APPLIED and bulk.failed:
        return ngettext(
            "%d line failed and is listed below; the others hold.",
            "%d lines failed and are listed below; the others hold.",
            bulk.failed,
        ) % (bulk.failed)
    if bulk.state != _STATE.CHECKED:
        return ""
    if not bulk.approved_at:
        return _("Somebody other than %s has to approve it next.") % bulk.asked_by
    return _("It can be applied. Nothing has moved yet.")


def _cards(bulk: Bulk) -> Iterator[dict[str, str]]:
    units = {unit.code: unit for unit in Unit.objects.all()}
    titles = {"gains": _("Given, %s"), "losses": _("Taken, %s")}
    for code, sums in sorted(bulk.sums.items()):
        for kind, (count, amount) in sorted(sums.items()):
            members = ngettext("%d member", "%d members", count) % count
            yield {
                "title": titles[kind] % code,
                "value": unit_amount(amount, unit=units[code]),
                "note": members,
            }
    yield from map(_unavailable, checking.unavailable(bulk))


def _unavailable(short: checking.Unavailable) -> dict[str, str]:
    said = ngettext(
        "%d member has less available than the file takes, and keeps it.",
        "%d members have less available than the file takes, and keep it.",
        short.lines,
    )
    return {
        "title": _("Would fail, %s") % short.unit.code,
        "value": unit_amount(short.amount, unit=short.unit),
        "note": said % short.lines,
    }


def _faults(bulk: Bulk) -> Table | None:
    if not bulk.faults:
        return None
    count = len(bulk.faults)
    title = ngettext("%d bad line", "%d bad lines", count) % count
    headers = [_("Line"), _("What is wrong")]
    rows = [[number, said] for number, said in bulk.faults[:MOST]]
    every = reverse("admin:rewards_bulk_faults", args=[bulk.pk])
    return Table(title, headers, rows, _first(count), every)


def _failed(bulk: Bulk) -> Table | None:
    """Lines that could not be posted, or that could not be taken back."""
    found = bulk.adjustments.exclude(failure="").exclude(state=Adjustment.State.UNDONE)
    lines = list(found.select_related("member").order_by("line")[:MOST])
    if not lines:
        return None
    rows = [
        [link(one, _("Line %d") % one.line), link(one.member), one.failure]
        for one in lines
    ]
    headers = [_("Adjustment"), _("Member"), _("Why")]
    return Table(_("Lines that failed"), headers, rows, _first(bulk.failed))


def _first(count: int) -> str:
    return _("The first %d are shown.") % MOST if count > MOST else ""


def _lines_url(bulk: Bulk) -> str:
    lines = reverse("admin:rewards_adjustment_changelist")
    return f"{lines}?bulk__id__exact={bulk.pk}"
