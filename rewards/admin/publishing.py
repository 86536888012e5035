"""Publishing the draft in the admin: what speaks for and against it, and approval."""

from datetime import UTC, datetime
from functools import partial
from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.decorators import action
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminSplitDateTimeWidget, UnfoldAdminTextareaWidget

from rewards import approvals
from rewards.admin.evidence import told_of_draft
from rewards.admin.local_times import LocalTimesForm, by_its_clocks
from rewards.admin.mixins import DecidingAdmin, Question, by_now, staff
from rewards.models import Approval, Edition
from rewards.program import draft, editions, vocabulary
from rewards.program.vocabulary import ProgramError
from rewards.publishing import edition_before, publish_draft
from rewards.refusals import Refused


class NoteForm(forms.Form):
    note = forms.CharField(
        label=gettext_lazy("Note"),
        required=False,
        max_length=2000,
        widget=UnfoldAdminTextareaWidget({"rows": 3}),
        help_text=gettext_lazy("What changed and why, for whoever reads it later."),
    )


class StartForm(NoteForm, LocalTimesForm):
    """From when an edition holds."""

    times = ("at",)

    at = forms.SplitDateTimeField(
        label=gettext_lazy("Takes effect"),
        required=False,
        widget=UnfoldAdminSplitDateTimeWidget,
        help_text=gettext_lazy("Left empty: as soon as may be."),
    )
    field_order = ("note", "at", "zone")


class PublishForm(StartForm):
    """With what the draft said when it was shown."""

    shown = forms.CharField(required=False, widget=forms.HiddenInput)


class PublishingAdmin(DecidingAdmin):
    """Whoever may add an edition publishes the draft, or takes part in approving it."""

    def has_publish_permission(
        self, request: HttpRequest, object_id: str | None = None
    ) -> bool:
        return request.user.has_perm(approvals.PERMISSION)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path(
                "publish/ask-approval/",
                view(self.ask_approval),
                name="rewards_edition_ask_approval",
            ),
            path(
                "publish/approve/<int:id>/",
                view(self.approve),
                name="rewards_edition_approve",
            ),
            *super().get_urls(),
        ]

    @action(
        description=gettext_lazy("Publish the draft"),
        permissions=["publish"],
        url_path="publish",
        icon="publish",
        variant=ActionVariant.PRIMARY,
    )
    def publish(self, request: HttpRequest) -> HttpResponse:
        def act(said: dict[str, Any]) -> str:
            _refuse_another_draft(said["shown"])
            edition, settled = publish_draft(
                now=datetime.now(UTC),
                at=said["at"],
                note=said["note"],
                by=staff(request),
            )
            self.log_addition(request, edition, "Published")
            return _published(edition, settled)

        question = Question(
            title=_("Publish the draft as a new edition"),
            explanation=_difference(),
            lines=_problems() if request.method == "GET" else (),
            submit=_("Publish"),
            form=partial(PublishForm, initial={"shown": _digest()}),
            act=act,
            refusals=(ProgramError,),
            template="admin/rewards/edition/publish.html",
            told=lambda: told_of_draft(request),
        )
        return self.ask(request, None, question)

    @action(
        description=gettext_lazy("End the program"),
        permissions=["publish"],
        url_path="retire",
        icon="block",
    )
    def retire(self, request: HttpRequest) -> HttpResponse:
        def act(said: dict[str, Any]) -> str:
            edition = editions.retire(
                now=datetime.now(UTC),
                at=said["at"],
                note=said["note"],
                by=staff(request),
            )
            self.log_addition(request, edition, "Ended the program")
            start = by_its_clocks(edition.effective_from, edition)
            return _("Orders from %s on earn nothing.") % start

        question = Question(
            title=_("End the program?"),
            explanation=_(
                "An edition without rules takes effect: orders made from then on earn"
                " nothing, until another edition is published. Earlier orders keep what"
                " they have and are settled as before; the draft stays as it is."
            ),
            submit=_("End the program"),
            form=StartForm,
            act=act,
            refusals=(ProgramError,),
        )
        return self.ask(request, None, question)

    def ask_approval(self, request: HttpRequest) -> HttpResponse:
        self._refuse_strangers(request)

        def act(said: dict[str, Any]) -> str:
            approvals.ask(note=said["note"], **by_now(request))
            return _("Now a second person has to approve the draft, on this page.")

        question = Question(
            title=_("Ask for the draft to be approved"),
            explanation=_(
                "Somebody else who may publish, and who did not edit the draft since it"
                " was last published, approves it. An edit makes that void."
            ),
            submit=_("Ask"),
            form=NoteForm,
            act=act,
            refusals=(Refused, ProgramError),
            back=_publish_page(),
        )
        return self.ask(request, None, question)

    def approve(self, request: HttpRequest, id: int) -> HttpResponse:
        self._refuse_strangers(request)
        approval = get_object_or_404(Approval.objects.select_related("asked_by"), pk=id)

        def act(_said: dict[str, Any]) -> str:
            approvals.approve(approval, **by_now(request))
            return _("The draft is approved as it stands.")

        question = Question(
            title=_("Approve the draft?"),
            explanation=_("%(who)s asks: %(note)s")
            % {"who": approval.asked_by, "note": approval.note or _("without a note")},
            submit=_("Approve"),
            act=act,
            refusals=(Refused, ProgramError),
            template="admin/rewards/edition/publish.html",
            told=lambda: told_of_draft(request),
            back=_publish_page(),
        )
        return self.ask(request, None, question)

    def _refuse_strangers(self, request: HttpRequest) -> None:
        if not self.has_publish_permission(request):
            raise PermissionDenied


def _digest() -> str:
    """Names what the draft says now; empty where it can't be read."""
    try:
        return vocabulary.digest(draft.export())
    except ProgramError:
        return ""


def _refuse_another_draft(shown: str) -> None:
    """What somebody edited since the page was opened was read by nobody."""
    if shown and shown != _digest():
        raise ProgramError(
            [_("The draft was edited since you opened this page: open it again.")]
        )


def _publish_page() -> str:
    return reverse("admin:rewards_edition_publish")


def _difference() -> str:
    """How the draft compares with what was published last."""
    newest = edition_before()
    if newest is None:
        return _(
            "This is the first edition. It holds for all orders, or for those from a"
            " time on that may be past; orders that waited for it are settled at once."
        )
    if not draft.unpublished():
        return _("The draft says exactly what %s says.") % newest
    if not settings.PUBLISH_MARGIN:
        return _("The draft differs from %s. Earlier orders keep what they have.") % (
            newest
        )
    return _(
        "The draft differs from %(newest)s. A new edition takes effect %(margin)s"
        " seconds from now at the earliest; earlier orders keep what they have."
    ) % {"newest": newest, "margin": settings.PUBLISH_MARGIN}


def _problems() -> list[str]:
    try:
        draft.load()
    except ProgramError as error:
        return error.lines
    return []


def _published(edition: Edition, settled: int) -> str:
    since = _("all orders")
    if edition.effective_from:
        since = _("orders from %s on") % by_its_clocks(edition.effective_from, edition)
    said = _("%(edition)s is published; it holds for %(since)s.") % {
        "edition": edition,
        "since": since,
    }
    if not settled:
        return said
    waited = ngettext(
        "%d waiting order was settled.", "%d waiting orders were settled.", settled
    )
    return f"{said} {waited % settled}"
