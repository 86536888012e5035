"""Files of adjustments: uploaded, checked, approved by another, applied, undone."""

from collections.abc import Callable
from textwrap import wrap
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
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
from rewards.admin import bulk_page
from rewards.admin.adjustment_forms import BulkForm
from rewards.admin.decision_forms import ReasonForm
from rewards.admin.mixins import (
    DecidingAdmin,
    GrowingAdmin,
    Question,
    by_now,
    change_url,
    staff,
)
from rewards.admin.spreadsheets import csv_response
from rewards.admin.wording import badge
from rewards.bulks import checking, deciding
from rewards.bulks.working import UNDER_WAY
from rewards.models import Bulk
from rewards.refusals import Refused

COLOURS = {
    Bulk.State.REFUSED: "danger",
    Bulk.State.APPLYING: "info",
    Bulk.State.APPLIED: "success",
    Bulk.State.UNDOING: "info",
    Bulk.State.UNDONE: "warning",
}
OFFERED = {
    Bulk.State.CHECKED: ("approve", "apply", "drop"),
    Bulk.State.APPLIED: ("undo",),
}
ENDED = (("ended_by", "ended_at"), "why_ended")
MAY_DECIDE = (checking.UPLOADING, deciding.APPROVING)


@admin.register(Bulk)
class BulkAdmin(ReadOnlyAdmin, GrowingAdmin, DecidingAdmin):
    empty_says = gettext_lazy(
        "No file was given in yet. Upload one with a line for each member."
    )
    list_display = ("title", "name", "lines", "state_said", "asked_by", "asked_at")
    list_select_related = ("asked_by",)
    fields = (
        ("name", "state_said"),
        ("lines", "checksum"),
        ("reason", "note"),
        ("asked_by", "asked_at"),
        ("approved_by", "approved_at"),
    )
    actions_list = ("upload",)
    actions_detail = ("approve", "apply", "undo", "drop")
    change_form_outer_after_template = "admin/rewards/bulk/below.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Bulk]:
        """A list needs no bad lines, which may be many; a page fetches its own."""
        return super().get_queryset(request).defer("faults")

    def get_fields(self, request: HttpRequest, obj: Bulk | None = None) -> Any:
        return (*self.fields, *(ENDED if obj and obj.ended_at else ()))

    def has_upload_permission(
        self, request: HttpRequest, object_id: str | None = None
    ) -> bool:
        return request.user.has_perm(checking.UPLOADING)

    def has_approve_permission(
        self, request: HttpRequest, object_id: str | None = None
    ) -> bool:
        return request.user.has_perm(deciding.APPROVING)

    def has_decide_permission(
        self, request: HttpRequest, object_id: str | None = None
    ) -> bool:
        return any(map(request.user.has_perm, MAY_DECIDE))

    @display(description=gettext_lazy("bulk adjustment"))
    def title(self, bulk: Bulk) -> str:
        return str(bulk)

    @display(description=gettext_lazy("checksum"))
    def checksum(self, bulk: Bulk) -> str:
        """In groups, so that it can be compared, and fits a narrow page."""
        return " ".join(wrap(bulk.digest, 8))

    @display(description=gettext_lazy("state"))
    def state_said(self, bulk: Bulk) -> SafeString:
        state = Bulk.State(bulk.state)
        if not bulk.failed:
            return badge(state.label, COLOURS.get(state, ""))
        failed = ngettext("%d line failed", "%d lines failed", bulk.failed)
        return badge(f"{state.label}, {failed % bulk.failed}", "danger")

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Only what the state and the person allow; the functions refuse all else."""
        bulk = self.get_object(request, object_id)
        offered = set(OFFERED.get(Bulk.State(bulk.state), ())) if bulk else set()
        if bulk and (bulk.approved_at or bulk.asked_by_id == staff(request).pk):
            offered -= {"approve"}
        if bulk and not bulk.approved_at:
            offered -= {"apply"}
        actions = super().get_actions_detail(request, object_id)
        return [found for found in actions if found.path in offered]

    def get_urls(self) -> list[URLPattern]:
        own = [
            path(
                f"<int:id>/{name}/",
                self.admin_site.admin_view(view),
                name=f"rewards_bulk_{name}",
            )
            for name, view in (("progress", self.progress), ("faults", self.faults))
        ]
        return [*own, *super().get_urls()]

    def progress(self, request: HttpRequest, id: int) -> HttpResponse:
        """The bar alone, for a page that waits; at the end it asks for a new page."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        bulk = self.find(request, str(id))
        if bulk.state not in UNDER_WAY:
            return HttpResponse(headers={"HX-Refresh": "true"})
        template = "admin/rewards/backtest/progress.html"
        return TemplateResponse(request, template, bulk_page.progress(bulk))

    def faults(self, request: HttpRequest, id: int) -> HttpResponse:
        """Every bad line, as a file."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        bulk = self.find(request, str(id))
        rows = [(_("Line"), _("What is wrong")), *bulk.faults]
        return csv_response(f"bad-lines-{bulk.pk}.csv", rows)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        context |= bulk_page.told(kwargs["obj"])
        return super().render_change_form(request, context, *args, **kwargs)

    @action(
        description=gettext_lazy("Upload a file"),
        permissions=["upload"],
        url_path="upload",
        icon="upload_file",
        variant=ActionVariant.PRIMARY,
    )
    def upload(self, request: HttpRequest) -> HttpResponse:
        stored: list[Bulk] = []

        def act(said: dict[str, Any]) -> str:
            file = said.pop("file")
            bulk = checking.check(
                file.read(), name=file.name, **said, **by_now(request)
            )
            stored.append(bulk)
            self.log_addition(request, bulk, "Uploaded")
            return _("The file was checked. Nothing has moved.")

        question = _question(
            _("Adjust many balances by a file"),
            _("Check the file"),
            act,
            explanation=_(
                "The file is checked first and moves nothing. A second person approves"
                " it, then it is applied once; one action undoes all of it."
            ),
            form=BulkForm,
        )
        response = self.ask(request, None, question)
        return redirect(change_url(stored[0])) if stored else response

    @action(
        description=gettext_lazy("Approve"),
        permissions=["approve"],
        url_path="approve",
        icon="how_to_reg",
    )
    def approve(self, request: HttpRequest, object_id: str) -> HttpResponse:
        bulk = self.find(request, object_id)

        def act(_said: dict[str, Any]) -> str:
            deciding.approve(bulk, **by_now(request))
            self.log_change(request, bulk, "Approved")
            return _("%s is approved. Nothing has moved yet.") % bulk

        question = _question(
            _("Approve of %s?") % bulk,
            _("Approve"),
            act,
            explanation=bulk.note,
            lines=bulk_page.said_sums(bulk),
        )
        return self.ask(request, bulk, question)

    @action(
        description=gettext_lazy("Apply"),
        permissions=["decide"],
        url_path="apply",
        icon="play_arrow",
        variant=ActionVariant.PRIMARY,
    )
    def apply(self, request: HttpRequest, object_id: str) -> HttpResponse:
        bulk = self.find(request, object_id)

        def act(_said: dict[str, Any]) -> str:
            deciding.apply(bulk, **by_now(request))
            self.log_change(request, bulk, "Applied")
            return _("Workers apply it; this page follows them.")

        question = _question(
            _("Apply %s?") % bulk,
            _("Apply"),
            act,
            explanation=_(
                "Workers post every line. A line that takes more than the member then"
                " has fails and is listed; the others go on. One action undoes it."
            ),
            lines=bulk_page.said_sums(bulk),
        )
        return self.ask(request, bulk, question)

    @action(
        description=gettext_lazy("Undo"),
        permissions=["approve"],
        url_path="undo",
        icon="undo",
    )
    def undo(self, request: HttpRequest, object_id: str) -> HttpResponse:
        bulk = self.find(request, object_id)

        def act(said: dict[str, Any]) -> str:
            deciding.undo(bulk, reason=said["reason"], **by_now(request))
            self.log_change(request, bulk, f"Undone: {said['reason']}")
            return _("Workers undo it; this page follows them.")

        question = _question(
            _("Undo %s?") % bulk,
            _("Undo"),
            act,
            explanation=bulk_page.said_undo(),
            lines=bulk_page.said_sums(bulk),
            form=ReasonForm,
        )
        return self.ask(request, bulk, question)

    @action(
        description=gettext_lazy("Drop"),
        permissions=["decide"],
        url_path="drop",
        icon="delete",
    )
    def drop(self, request: HttpRequest, object_id: str) -> HttpResponse:
        bulk = self.find(request, object_id)

        def act(said: dict[str, Any]) -> str:
            deciding.drop(bulk, reason=said["reason"], **by_now(request))
            self.log_change(request, bulk, f"Dropped: {said['reason']}")
            return _("%s is dropped; nothing was moved.") % bulk

        question = _question(
            _("Drop %s?") % bulk,
            _("Drop"),
            act,
            explanation=_("It was never applied. The same file may come again."),
            form=ReasonForm,
        )
        return self.ask(request, bulk, question)


def _question(
    title: str, submit: str, act: Callable[[dict[str, Any]], str], **more: Any
) -> Question:
    return Question(title=title, submit=submit, act=act, refusals=(Refused,), **more)
