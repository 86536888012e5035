"""Backtests as staff see them: asked for, watched, given up, read."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet, Sum
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminTextInputWidget

from merchants.admin.tables import ReadOnlyAdmin
from rewards import backtests
from rewards.admin import backtest_page
from rewards.admin.backtest_tables import store_rows
from rewards.admin.mixins import (
    DecidingAdmin,
    GrowingAdmin,
    Question,
    by_now,
    change_url,
)
from rewards.admin.spreadsheets import csv_response
from rewards.admin.wording import badge, when
from rewards.backtests.wording import compared_with
from rewards.models import Backtest
from rewards.program import draft
from rewards.program.vocabulary import ProgramError

DAY = timedelta(days=1)
USUAL = timedelta(days=90)


class DayInput(UnfoldAdminTextInputWidget):
    """The browser's own picker of a day."""

    input_type = "date"


class StretchForm(forms.Form):
    """From the beginning of one day in UTC to the end of another; both may be open."""

    first = forms.DateField(
        label=gettext_lazy("First day (UTC)"),
        required=False,
        widget=DayInput,
        initial=lambda: datetime.now(UTC).date() - USUAL,
        help_text=gettext_lazy(
            "Of the time of attribution. Left empty: from the first."
        ),
    )
    last = forms.DateField(
        label=gettext_lazy("Last day (UTC)"),
        required=False,
        widget=DayInput,
        help_text=gettext_lazy("Left empty: up to the newest order."),
    )

    def clean(self) -> dict[str, Any]:
        first, last = self.cleaned_data.get("first"), self.cleaned_data.get("last")
        if first and last and last < first:
            raise forms.ValidationError(_("The last day is before the first."))
        return {
            "start": _midnight(first) if first else None,
            "end": _midnight(last) + DAY if last else None,
        }


@admin.register(Backtest)
class BacktestAdmin(ReadOnlyAdmin, GrowingAdmin, DecidingAdmin):
    empty_says = gettext_lazy(
        "Nothing was tried on the history yet. Try the draft on it here."
    )
    list_display = ("title", "stretch", "against", "total", "state", "asked_at")
    list_select_related = ("baseline",)
    fields = (("stretch", "against"), ("asked_by", "asked_at"), "finished_at")
    actions_list = ("try_draft",)
    actions_detail = ("cancel", "stores_as_csv")
    change_form_outer_after_template = "admin/rewards/backtest/result.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Backtest]:
        return super().get_queryset(request).annotate(done=Sum("parts__done"))

    @display(description=gettext_lazy("backtest"))
    def title(self, backtest: Backtest) -> str:
        return str(backtest)

    @display(description=gettext_lazy("attributed"))
    def stretch(self, backtest: Backtest) -> str:
        start = when(backtest.start) if backtest.start else _("the first order")
        end = when(backtest.end) if backtest.end else _("the newest")
        return _("%(start)s to %(end)s") % {"start": start, "end": end}

    @display(description=gettext_lazy("compared with"))
    def against(self, backtest: Backtest) -> str:
        return compared_with(backtest)

    @display(description=gettext_lazy("state"))
    def state(self, backtest: Backtest) -> SafeString:
        if said := _ended(backtest):
            return said
        return render_to_string("admin/progress.html", _progress(backtest))

    def get_urls(self) -> list[URLPattern]:
        progress = path(
            "<int:id>/progress/",
            self.admin_site.admin_view(self.progress),
            name="rewards_backtest_progress",
        )
        return [progress, *super().get_urls()]

    def progress(self, request: HttpRequest, id: int) -> HttpResponse:
        """The bar alone, for a page that waits; at the end it asks for a new page."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        backtest = self.find(request, str(id))
        if _ended(backtest):
            return HttpResponse(headers={"HX-Refresh": "true"})
        template = "admin/rewards/backtest/progress.html"
        return TemplateResponse(request, template, _progress(backtest))

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        backtest: Backtest = kwargs["obj"]
        context["ended"] = _ended(backtest)
        if backtest.result:
            context |= backtest_page.context(backtest)
        else:
            context |= _progress(backtest)
        return super().render_change_form(request, context, *args, **kwargs)

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """What can be done: giving up what runs, taking along what was found."""
        backtest = self.get_object(request, object_id)
        if backtest is None or (_ended(backtest) and not backtest.result):
            return []
        fitting = "stores_as_csv" if backtest.result else "cancel"
        actions = super().get_actions_detail(request, object_id)
        return [action for action in actions if action.action_name.endswith(fitting)]

    def has_ask_permission(
        self, request: HttpRequest, object_id: str | None = None
    ) -> bool:
        return request.user.has_perm("rewards.add_backtest")

    @action(
        description=gettext_lazy("Backtest the draft"),
        permissions=["ask"],
        url_path="try",
        icon="science",
        variant=ActionVariant.PRIMARY,
    )
    def try_draft(self, request: HttpRequest) -> HttpResponse:
        asked: list[Backtest] = []

        def act(said: dict[str, Any]) -> str:
            asked.append(backtests.ask(draft.export(), **said, **by_now(request)))
            self.log_addition(request, asked[0], "Asked for")
            return _("Workers have been asked; this page follows them.")

        question = Question(
            title=_("Try the draft on the history"),
            explanation=_(
                "Every purchase of these days, as it is known now, is worked out by the"
                " draft and by what is live. Nothing is changed by it."
            ),
            submit=_("Backtest"),
            form=StretchForm,
            act=act,
            refusals=(ProgramError,),
        )
        response = self.ask(request, None, question)
        return redirect(change_url(asked[0])) if asked else response

    @action(
        description=gettext_lazy("Cancel"),
        permissions=["decide"],
        url_path="cancel",
        icon="block",
    )
    def cancel(self, request: HttpRequest, object_id: str) -> HttpResponse:
        backtest = self.find(request, object_id)

        def act(said: dict[str, Any]) -> str:
            if not backtests.cancel(backtest, at=datetime.now(UTC)):
                return _("It had come to its end before.")
            self.log_change(request, backtest, "Cancelled")
            return _("The backtest is cancelled.")

        question = Question(
            title=_("Cancel this backtest?"),
            explanation=_("What is done so far is lost. It can be asked for again."),
            submit=_("Cancel the backtest"),
            act=act,
        )
        return self.ask(request, backtest, question)

    @action(
        description=gettext_lazy("Stores as CSV"),
        permissions=["view"],
        url_path="stores",
        icon="download",
    )
    def stores_as_csv(self, request: HttpRequest, object_id: str) -> HttpResponse:
        backtest = self.find(request, object_id)
        if not backtest.result:
            raise Http404
        rows = store_rows(backtest.result["merchants"])
        return csv_response(f"backtest-{backtest.pk}-stores.csv", rows)


def _progress(backtest: Backtest) -> dict[str, Any]:
    done = getattr(backtest, "done", 0) or 0
    return {
        "percent": backtests.percent_done(backtest, done=done),
        "progress_url": reverse("admin:rewards_backtest_progress", args=[backtest.pk]),
    }


def _ended(backtest: Backtest) -> SafeString | None:
    """How it came to its end, or None where it has not yet."""
    if backtest.cancelled_at:
        return badge(_("cancelled"), "warning")
    if backtest.error:
        return badge(_("failed"), "danger")
    return badge(_("finished"), "success") if backtest.finished_at else None


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), tzinfo=UTC)
