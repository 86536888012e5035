"""Members: what they hold, what they bought, and enrolling one by hand."""

from datetime import UTC, datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextInputWidget

from merchants.admin.audit import AuditedAdmin
from merchants.admin.tables import Table, TabledAdmin
from rewards.admin.adjustments import AdjustingAdmin
from rewards.admin.erasure import ErasingAdmin
from rewards.admin.member_head import head
from rewards.admin.member_sections import sections
from rewards.admin.mixins import GrowingAdmin
from rewards.admin.restrictions import RestrictingAdmin
from rewards.admin.statements import StatedAdmin
from rewards.admin.viewing import ViewingAdmin
from rewards.admin.wording import badge
from rewards.members import put_member
from rewards.models import Member

SHOWN = ("said_status", "joined_at", "user")
COLOURS = {
    Member.Status.ACTIVE: "success",
    Member.Status.HELD: "warning",
    Member.Status.BLOCKED: "danger",
    Member.Status.ERASED: "",
}


class SegmentsField(forms.CharField):
    """A list of names, written with commas."""

    widget = UnfoldAdminTextInputWidget

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(map(str, value)) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        names = (name.strip() for name in (value or "").split(","))
        return list(dict.fromkeys(name for name in names if name))

    def has_changed(self, initial: Any, data: Any) -> bool:
        return list(initial or ()) != self.to_python(data)


class MemberForm(forms.ModelForm):
    segments = SegmentsField(
        label=gettext_lazy("Segments"),
        required=False,
        help_text=gettext_lazy(
            "Names with commas between them, for example: vip, staff"
        ),
    )


@admin.register(Member)
class MemberAdmin(
    AuditedAdmin,
    GrowingAdmin,
    TabledAdmin,
    StatedAdmin,
    AdjustingAdmin,
    RestrictingAdmin,
    ViewingAdmin,
    ErasingAdmin,
):
    empty_says = gettext_lazy(
        "There are no members yet. The host application enrols them, or their "
        "first order or visit does."
    )
    form = MemberForm
    change_form_outer_before_template = "admin/rewards/member/head.html"
    list_display = ("customer_id", "email", "said_status", "joined_at")
    search_fields = ("customer_id__exact", "email__exact")
    search_help_text = gettext_lazy("Customer id or e-mail, in full")
    list_disable_select_all = True
    fields = ("customer_id", "email", "locale", "segments")
    actions_detail_hide_default = True  # the history is on the page
    actions_detail = (
        *("see_pages", "statement", "adjust", "hold", "block", "lift"),
        *("export", "erase"),
    )

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return (*self.fields, *SHOWN) if obj else self.fields

    def get_readonly_fields(
        self, request: HttpRequest, obj: Any = None
    ) -> tuple[str, ...]:
        return ("customer_id", *SHOWN) if obj else ()

    @display(description=gettext_lazy("status"))
    def said_status(self, member: Member) -> SafeString:
        status = Member.Status(member.status_at(datetime.now(UTC)))
        return badge(status.label, COLOURS[status])

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(
        self, request: HttpRequest, obj: Member, form: forms.Form, change: bool
    ) -> None:
        """Enrol as the API does, so that orders which waited are settled."""
        names = ("email", "locale", "segments")
        member, _created = put_member(
            obj.customer_id,
            at=datetime.now(UTC),
            **{name: form.cleaned_data[name] for name in names},
        )
        obj.pk, obj.joined_at = member.pk, member.joined_at

    def get_tables(self, request: HttpRequest, obj: Member) -> list[Table]:
        return sections(request, obj)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        if member := kwargs.get("obj"):
            context["head"] = head(request, member, at=datetime.now(UTC))
        return super().render_change_form(request, context, *args, **kwargs)
