"""The audit log: who changed what, from what, into what, and why."""

from django.contrib import admin
from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import (
    ChoicesDropdownFilter,
    RangeDateFilter,
    RelatedDropdownFilter,
)
from unfold.decorators import display

from merchants.admin.audit import told
from merchants.admin.tables import ReadOnlyAdmin, Table, TabledAdmin
from rewards.admin.mixins import GrowingAdmin, linked
from rewards.admin.wording import NOTHING, badge

_COLOURS = {ADDITION: "success", CHANGE: "info", DELETION: "danger"}


@admin.register(LogEntry)
class AuditAdmin(ReadOnlyAdmin, GrowingAdmin, TabledAdmin):
    """The database itself refuses to change or delete these rows."""

    empty_says = gettext_lazy("Nothing has been changed in the admin yet.")
    list_display = ("action_time", "user", "said_kind", "of_object", "in_words", "why")
    list_select_related = ("user", "content_type")
    list_filter = (
        ("user", RelatedDropdownFilter),
        ("content_type", RelatedDropdownFilter),
        ("action_flag", ChoicesDropdownFilter),
        ("action_time", RangeDateFilter),
    )
    search_fields = ("object_id__exact",)
    search_help_text = gettext_lazy("Number of the object")
    fields = ("action_time", "user", "said_kind", "of_object", "in_words", "why")

    @display(description=gettext_lazy("what"))
    def said_kind(self, entry: LogEntry) -> SafeString:
        colour = _COLOURS.get(entry.action_flag, "")
        return badge(entry.get_action_flag_display(), colour)

    @display(description=gettext_lazy("object"))
    def of_object(self, entry: LogEntry) -> SafeString | str:
        said = f"{capfirst(str(entry.content_type))} {entry.object_repr}"
        if entry.is_deletion():
            return said
        try:
            return linked(reverse("admin:index") + (entry.get_admin_url() or ""), said)
        except NoReverseMatch:
            return said

    @display(description=gettext_lazy("in words"))
    def in_words(self, entry: LogEntry) -> str:
        return entry.get_change_message() or NOTHING

    @display(description=gettext_lazy("why"))
    def why(self, entry: LogEntry) -> str:
        return told(entry).get("why", NOTHING)

    def get_tables(self, request: HttpRequest, obj: LogEntry) -> list[Table]:
        values = told(obj)
        before, after = values.get("before", {}), values.get("after", {})
        rows = [
            [name, before.get(name) or NOTHING, after.get(name) or NOTHING]
            for name in {**before, **after}
        ]
        headers = [_("Field"), _("Before"), _("After")]
        return [Table(_("Values"), headers, rows)] if rows else []
