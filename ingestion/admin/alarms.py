"""Alarms as staff see them: what is wrong, since when, and that they have seen it."""

from datetime import UTC, datetime
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import ChoicesDropdownFilter, DropdownFilter
from unfold.decorators import action, display

from ingestion.alarms import WATCHED, mark_seen
from ingestion.health.standing import open_alarms
from ingestion.models import Alarm
from merchants.admin.tables import ReadOnlyAdmin
from rewards.admin.mixins import (
    DecidingAdmin,
    GrowingAdmin,
    Question,
    staff,
)
from rewards.admin.wording import badge

OPEN, ENDED = "open", "ended"


class OpenFilter(DropdownFilter):
    title = gettext_lazy("state")
    parameter_name = "state"

    def lookups(
        self, request: HttpRequest, model_admin: ModelAdmin
    ) -> list[tuple[str, Any]]:
        return [(OPEN, gettext_lazy("open")), (ENDED, gettext_lazy("ended"))]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[Alarm]
    ) -> QuerySet[Alarm]:
        if self.value() not in {OPEN, ENDED}:
            return queryset
        return queryset.filter(ended_at__isnull=self.value() == OPEN)


@admin.register(Alarm)
class AlarmAdmin(ReadOnlyAdmin, GrowingAdmin, DecidingAdmin):
    empty_says = gettext_lazy(
        "Nothing has rung yet. Alarms come by themselves and most end with their cause."
    )
    list_display = ("title", "state", "subject", "said", "raised_at", "ended_at")
    list_filter = (OpenFilter, ("kind", ChoicesDropdownFilter))
    fields = (
        ("title", "state"),
        "subject",
        "text",
        ("raised_at", "seen_at"),
        ("ended_at", "ended_by"),
    )
    actions = ("mark_selected_seen",)
    actions_detail = ("mark_this_seen",)

    @display(description=gettext_lazy("alarm"))
    def title(self, alarm: Alarm) -> str:
        return alarm.get_kind_display()

    @display(description=gettext_lazy("state"))
    def state(self, alarm: Alarm) -> SafeString:
        return badge(_("ended")) if alarm.ended_at else badge(_("open"), "danger")

    @display(description=gettext_lazy("what is wrong"))
    def said(self, alarm: Alarm) -> str:
        return Truncator(alarm.text).chars(100)

    def page_after(self, obj: Any) -> str:
        return reverse("health")

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        alarm = self.get_object(request, object_id)
        if alarm is None or not can_be_seen(alarm):
            return []
        return super().get_actions_detail(request, object_id)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if request.method == "POST" and not self.has_decide_permission(request):
            raise PermissionDenied
        return super().changelist_view(request, extra_context)

    @action(description=gettext_lazy("Seen"), permissions=["decide"])
    def mark_selected_seen(
        self, request: HttpRequest, queryset: QuerySet[Alarm]
    ) -> None:
        ticked = request.POST.getlist(ACTION_CHECKBOX_NAME)
        self._mark_seen(request, queryset.filter(pk__in=ticked))

    @action(
        description=gettext_lazy("Seen"),
        permissions=["decide"],
        url_path="seen",
        icon="done",
    )
    def mark_this_seen(self, request: HttpRequest, object_id: str) -> HttpResponse:
        alarm = self.find(request, object_id)
        question = Question(
            title=_("Have you seen to this?"),
            explanation=alarm.text,
            submit=_("Seen"),
            act=lambda _said: self._mark_seen(
                request, Alarm.objects.filter(pk=alarm.pk)
            ),
        )
        return self.ask(request, alarm, question)

    def _mark_seen(self, request: HttpRequest, alarms: QuerySet[Alarm]) -> str:
        """End these; tells what became of them, and leaves nothing to add."""
        asked = alarms.count()
        seen = mark_seen(alarms, by=staff(request), at=datetime.now(UTC))
        for alarm in seen:
            self.log_change(request, alarm, f"Seen: {alarm.text}")
        if seen:
            said = ngettext("%d alarm was ended.", "%d alarms were ended.", len(seen))
            messages.success(request, said % len(seen))
        if left := asked - len(seen):
            said = ngettext(
                "%d alarm ends with its cause, or has ended: nothing was done.",
                "%d alarms end with their cause, or have ended: nothing was done.",
                left,
            )
            messages.warning(request, said % left)
        return ""


def can_be_seen(alarm: Alarm) -> bool:
    """Whether it is for staff to end this one."""
    return alarm.ended_at is None and alarm.kind not in WATCHED


def open_count(request: HttpRequest) -> str:
    """What the menu says beside Health: nothing while nothing is wrong."""
    n = open_alarms().count()
    return ngettext("%d alarm", "%d alarms", n) % n if n else ""
