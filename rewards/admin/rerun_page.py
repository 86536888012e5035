"""A re-run in words: how far it has come, what comes next, what an action does."""

from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from rewards import backtests, reruns
from rewards.admin import backtest_page
from rewards.models import Backtest, Rerun
from rewards.reruns import UNDER_WAY


def told(rerun: Rerun) -> dict[str, Any]:
    """What its page says below the fields: progress, the preview, what comes next."""
    preview = getattr(rerun, "preview", None)
    told: dict[str, Any] = {"preview": preview, "next": _next(rerun, preview)}
    if rerun.state in UNDER_WAY:
        told["under_way"] = progress(rerun)
    if preview and preview.result:
        told["cards"] = backtest_page.context(preview)["cards"]
    elif preview and not preview.finished_at and not preview.cancelled_at:
        told["waiting"] = _preview_progress(preview)
    return told


def _next(rerun: Rerun, preview: Backtest | None) -> str:
    """What has to happen before anything moves, or what is left to do."""
    if rerun.state != Rerun.State.DRAFT:
        return ""
    if preview is None or preview.error or preview.cancelled_at:
        return _("There is no preview: preview it again before it can be applied.")
    if not preview.finished_at:
        return _("Workers preview it. Nothing moves until it is applied.")
    if settings.REQUIRE_APPROVAL and not rerun.approved_at:
        return _("Somebody other than %s has to approve it next.") % rerun.asked_by
    return _("It can be applied. Nothing has moved yet.")


def progress(rerun: Rerun) -> dict[str, Any]:
    return {
        "percent": min(99, 100 * rerun.done // rerun.total) if rerun.total else 0,
        "progress_url": reverse("admin:rewards_rerun_progress", args=[rerun.pk]),
    }


def _preview_progress(preview: Backtest) -> dict[str, Any]:
    return {
        "percent": backtests.percent_done(preview),
        "progress_url": reverse("admin:rewards_backtest_progress", args=[preview.pk]),
    }


def said_apply(rerun: Rerun) -> str:
    count = reruns.purchases(rerun).count()
    said = ngettext(
        "%(n)d purchase is worked out under %(edition)s, as it is known now, and the"
        " difference is booked.",
        "%(n)d purchases are worked out under %(edition)s, as they are known now, and"
        " the differences are booked.",
        count,
    ) % {"n": count, "edition": rerun.edition}
    rest = _(
        "Those that are declined, in review or nobody's move nothing; should that"
        " change, the edition counts for them too. One action undoes all of it."
    )
    return f"{said} {rest}"


def said_undo(rerun: Rerun) -> str:
    count = reruns.touched(rerun).count()
    return (
        ngettext(
            "%d purchase gets back exactly the awards that it had before, and the"
            " difference is booked. If it has changed since, it is worked out anew"
            " as if there had been no re-run.",
            "%d purchases get back exactly the awards that they had before, and the"
            " differences are booked. Those that have changed since are worked out anew"
            " as if there had been no re-run.",
            count,
        )
        % count
    )
