"""Re-runs as staff see them: asked for, previewed, approved, applied, undone."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.decorators import action, display
from unfold.enums import ActionVariant

from merchants.admin.tables import ReadOnlyAdmin
from rewards import backtests, reruns
from rewards.admin import rerun_page
from rewards.admin.decision_forms import ReasonForm
from rewards.admin.local_times import by_its_clocks
from rewards.admin.mixins import (
    DecidingAdmin,
    GrowingAdmin,
    Question,
    by_now,
    change_url,
    link,
    staff,
)
from rewards.admin.rerun_form import RerunForm
from rewards.admin.wording import badge
from rewards.models import Rerun
from rewards.refusals import Refused
from rewards.reruns import UNDER_WAY

COLOURS = {
    Rerun.State.APPLYING: "info",
    Rerun.State.APPLIED: "success",
    Rerun.State.UNDOING: "info",
    Rerun.State.UNDONE: "warning",
}
OFFERED = {
    Rerun.State.DRAFT: ("preview", "approve", "apply", "drop"),
    Rerun.State.APPLIED: ("undo",),
}


@admin.register(Rerun)
class RerunAdmin(ReadOnlyAdmin, GrowingAdmin, DecidingAdmin):
    empty_says = gettext_lazy("No past purchases were put under another edition.")
    list_display = ("title", "edition", "stretch", "stores", "state_said", "asked_at")
    list_select_related = ("edition",)
    fields = (
        ("of_edition", "state_said"),
        ("stretch", "stores"),
        ("asked_by", "asked_at"),
        ("approved_by", "approved_at"),
        "reason",
    )
    actions_list = ("new",)
    actions_detail = ("preview", "approve", "apply", "undo", "drop")
    change_form_outer_after_template = "admin/rewards/rerun/below.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Rerun]:
        return super().get_queryset(request).prefetch_related("merchants")

    def has_ask_permission(
        self, request: HttpRequest, object_id: str | None = None
    ) -> bool:
        return request.user.has_perm("rewards.add_rerun")

    @display(description=gettext_lazy("re-run"))
    def title(self, rerun: Rerun) -> str:
        return str(rerun)

    @display(description=gettext_lazy("under edition"))
    def of_edition(self, rerun: Rerun) -> SafeString | str:
        return link(rerun.edition)

    @display(description=gettext_lazy("ordered"))
    def stretch(self, rerun: Rerun) -> str:
        return _("%(start)s to %(end)s") % {
            "start": by_its_clocks(rerun.start, rerun.edition),
            "end": by_its_clocks(rerun.end, rerun.edition),
        }

    @display(description=gettext_lazy("stores"))
    def stores(self, rerun: Rerun) -> str:
        return ", ".join(map(str, rerun.merchants.all())) or _("every store")

    @display(description=gettext_lazy("state"))
    def state_said(self, rerun: Rerun) -> SafeString:
        state = Rerun.State(rerun.state)
        if not rerun.failed:
            return badge(state.label, COLOURS.get(state, ""))
        failed = ngettext("%d purchase failed", "%d purchases failed", rerun.failed)
        return badge(f"{state.label}, {failed % rerun.failed}", "danger")

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Only what the state and the person allow; the functions refuse all else."""
        rerun = self.get_object(request, object_id)
        offered = OFFERED.get(Rerun.State(rerun.state), ()) if rerun else ()
        if rerun and (rerun.approved_at or rerun.asked_by_id == staff(request).pk):
            offered = tuple(name for name in offered if name != "approve")
        actions = super().get_actions_detail(request, object_id)
        return [found for found in actions if found.path in offered]

    def get_urls(self) -> list[URLPattern]:
        progress = path(
            "<int:id>/progress/",
            self.admin_site.admin_view(self.progress),
            name="rewards_rerun_progress",
        )
        return [progress, *super().get_urls()]

    def progress(self, request: HttpRequest, id: int) -> HttpResponse:
        """The bar alone, for a page that waits; at the end it asks for a new page."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        rerun = self.find(request, str(id))
        if rerun.state not in UNDER_WAY:
            return HttpResponse(headers={"HX-Refresh": "true"})
        template = "admin/rewards/backtest/progress.html"
        return TemplateResponse(request, template, rerun_page.progress(rerun))

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        context |= rerun_page.told(kwargs["obj"])
        return super().render_change_form(request, context, *args, **kwargs)

    @action(
        description=gettext_lazy("New re-run"),
        permissions=["ask"],
        url_path="new",
        icon="history",
        variant=ActionVariant.PRIMARY,
    )
    def new(self, request: HttpRequest) -> HttpResponse:
        asked: list[Rerun] = []

        def act(said: dict[str, Any]) -> str:
            said.pop("zone")
            with transaction.atomic():
                asked.append(reruns.ask(**said, **by_now(request)))
                _preview(asked[0], request)
            self.log_addition(request, asked[0], "Asked for")
            return _("Nothing has moved. Workers preview what it would change.")

        question = Question(
            title=_("Put past purchases under another edition"),
            explanation=_(
                "Publishing never moves what was earned; this does. It is previewed"
                " first, and nothing moves until it is applied."
            ),
            submit=_("Preview"),
            form=RerunForm,
            act=act,
            refusals=(Refused,),
        )
        response = self.ask(request, None, question)
        return redirect(change_url(asked[0])) if asked else response

    @action(
        description=gettext_lazy("Preview again"),
        permissions=["ask"],
        url_path="preview",
        icon="science",
    )
    def preview(self, request: HttpRequest, object_id: str) -> HttpResponse:
        rerun = self.find(request, object_id)

        def act(_said: dict[str, Any]) -> str:
            _preview(rerun, request)
            return _("Workers preview what it would change.")

        question = _question(
            _("Preview %s again?") % rerun,
            _("Preview"),
            act,
            explanation=_("The new preview takes the place of the one before."),
        )
        return self.ask(request, rerun, question)

    @action(
        description=gettext_lazy("Approve"),
        permissions=["decide"],
        url_path="approve",
        icon="how_to_reg",
    )
    def approve(self, request: HttpRequest, object_id: str) -> HttpResponse:
        rerun = self.find(request, object_id)

        def act(_said: dict[str, Any]) -> str:
            reruns.approve(rerun, **by_now(request))
            self.log_change(request, rerun, "Approved")
            return _("%s is approved. Nothing has moved yet.") % rerun

        question = _question(
            _("Approve %s?") % rerun,
            _("Approve"),
            act,
            explanation=rerun.reason,
        )
        return self.ask(request, rerun, question)

    @action(
        description=gettext_lazy("Apply"),
        permissions=["decide"],
        url_path="apply",
        icon="play_arrow",
        variant=ActionVariant.PRIMARY,
    )
    def apply(self, request: HttpRequest, object_id: str) -> HttpResponse:
        rerun = self.find(request, object_id)

        def act(_said: dict[str, Any]) -> str:
            reruns.apply(rerun, **by_now(request))
            self.log_change(request, rerun, "Applied")
            return _("Workers apply it; this page follows them.")

        question = _question(
            _("Apply %s?") % rerun,
            _("Apply"),
            act,
            explanation=rerun_page.said_apply(rerun),
        )
        return self.ask(request, rerun, question)

    @action(
        description=gettext_lazy("Undo"),
        permissions=["decide"],
        url_path="undo",
        icon="undo",
    )
    def undo(self, request: HttpRequest, object_id: str) -> HttpResponse:
        rerun = self.find(request, object_id)

        def act(said: dict[str, Any]) -> str:
            reruns.undo(rerun, reason=said["reason"], **by_now(request))
            self.log_change(request, rerun, f"Undone: {said['reason']}")
            return _("Workers undo it; this page follows them.")

        question = _question(
            _("Undo %s?") % rerun,
            _("Undo"),
            act,
            explanation=rerun_page.said_undo(rerun),
            form=ReasonForm,
        )
        return self.ask(request, rerun, question)

    @action(
        description=gettext_lazy("Drop"),
        permissions=["decide"],
        url_path="drop",
        icon="delete",
    )
    def drop(self, request: HttpRequest, object_id: str) -> HttpResponse:
        rerun = self.find(request, object_id)

        def act(_said: dict[str, Any]) -> str:
            reruns.drop(rerun, by=staff(request))
            self.log_change(request, rerun, "Dropped")
            return _("%s is dropped; nothing was moved.") % rerun

        question = _question(
            _("Drop %s?") % rerun,
            _("Drop"),
            act,
            explanation=_("It was never applied, and never will be."),
        )
        return self.ask(request, rerun, question)


def _question(
    title: str, submit: str, act: Callable[[dict[str, Any]], str], **more: Any
) -> Question:
    return Question(title=title, submit=submit, act=act, refusals=(Refused,), **more)


def _preview(rerun: Rerun, request: HttpRequest) -> None:
    """Ask workers what it would change. Raises Refused once it is applied."""
    if rerun.state != Rerun.State.DRAFT:
        raise Refused(_("It is %s.") % rerun.get_state_display())
    backtests.ask(
        rerun.edition.content,
        start=rerun.start,
        end=rerun.end,
        rerun=rerun,
        **by_now(request),
    )
