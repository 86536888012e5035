"""What speaks for the draft and against it, for who publishes or approves it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from rewards import approvals, backtests
from rewards.admin import backtest_page
from rewards.admin.mixins import change_url, link, staff
from rewards.admin.wording import badge, when
from rewards.linting import WARNING, Finding, findings
from rewards.models import Backtest, Rule
from rewards.program import draft, gates, vocabulary
from rewards.program.vocabulary import ProgramError
from rewards.publishing import changes, edition_before

TRY = "rewards.add_backtest"


@dataclass(frozen=True)
class Said:
    """One finding, with a link to its rule."""

    warns: bool
    where: Any
    message: str
    remedy: str


@dataclass(frozen=True)
class Proof:
    """A backtest or an approval: how it stands, and what can be done about it.

    ``shuts`` says whether publishing is refused for want of it.
    """

    state: Any
    text: Any
    shuts: bool = False
    cards: Sequence[backtest_page.Card] = ()
    actions: Sequence[tuple[str, str]] = ()


def told_of_draft(request: HttpRequest) -> Mapping[str, Any]:
    """Changes, findings, backtest and approval; nothing of a draft that is wrong."""
    try:
        program = draft.load()
    except ProgramError:
        return {}
    digest = vocabulary.digest(vocabulary.dump(program))
    found = _said(findings(program, at=datetime.now(UTC)))
    return {
        "changes": changes(program, since=edition_before()),
        "warnings": [one for one in found if one.warns],
        "notices": [one for one in found if not one.warns],
        "backtest": _backtest(digest, request),
        "approval": _approval(digest, request),
    }


def _said(found: Sequence[Finding]) -> list[Said]:
    keys = {one.rule for one in found}
    pages = {rule.key: rule for rule in Rule.objects.filter(key__in=keys)}
    return [
        Said(
            one.severity == WARNING,
            link(pages[one.rule]) if one.rule in pages else "",
            one.message,
            one.remedy,
        )
        for one in found
    ]


def _backtest(digest: str, request: HttpRequest) -> Proof:
    """How far trying the draft has come, and its main figures."""
    shuts = settings.REQUIRE_BACKTEST
    if done := gates.evidence(digest).backtest:
        return Proof(
            badge(_("done"), "success"),
            _("Exactly this draft was tried on past orders: %s")
            % when(done.finished_at),
            cards=backtest_page.context(done)["cards"],
            actions=[_open(done)],
        )
    newest = Backtest.objects.filter(rerun=None).order_by("-pk").first()
    start = _start(request)
    if newest is None:
        text = _("Nobody has tried this draft on past orders.")
        return Proof(badge(_("missing"), "warning"), text, shuts, actions=start)
    if newest.digest != digest:
        text = _("The newest one is older than the last edit of the draft.")
        actions = [*start, _open(newest)]
        return Proof(badge(_("outdated"), "warning"), text, shuts, actions=actions)
    if newest.error or newest.cancelled_at:
        text = _("It came to no result.")
        actions = [*start, _open(newest)]
        return Proof(badge(_("failed"), "danger"), text, shuts, actions=actions)
    text = _("%d %% of it is done.") % backtests.percent_done(newest)
    return Proof(badge(_("running"), "info"), text, shuts, actions=[_open(newest)])


def _open(backtest: Backtest) -> tuple[str, str]:
    return change_url(backtest), _("Open %s") % backtest


def _start(request: HttpRequest) -> list[tuple[str, str]]:
    if not staff(request).has_perm(TRY):
        return []
    return [(reverse("admin:rewards_backtest_try_draft"), _("Start a backtest"))]


def _approval(digest: str, request: HttpRequest) -> Proof:
    """Whether a second person has approved, and what this one may do about it."""
    required = settings.REQUIRE_APPROVAL
    asked = approvals.newest(digest)
    if asked is None:
        url = reverse("admin:rewards_edition_ask_approval")
        return Proof(
            badge(_("missing"), "warning" if required else ""),
            _("Nobody has asked for this draft to be approved."),
            required,
            actions=[(url, _("Ask for approval"))],
        )
    told = {"by": asked.asked_by, "note": asked.note or _("without a note")}
    if asked.approved_at is None:
        url = reverse("admin:rewards_edition_approve", args=[asked.pk])
        own = asked.asked_by_id == staff(request).pk
        return Proof(
            badge(_("asked for"), "info"),
            _("%(by)s asked for it: %(note)s") % told,
            required,
            actions=[] if own else [(url, _("Approve"))],
        )
    told |= {"other": asked.approved_by, "at": when(asked.approved_at)}
    return Proof(
        badge(_("approved"), "success"),
        _("%(other)s approved it on %(at)s; %(by)s had asked: %(note)s") % told,
    )
