"""Daily closes as staff see them: figures, journal, signing off, and the reports."""

from datetime import date
from pathlib import Path
from typing import Any

from django import forms
from django.contrib import admin
from django.http import FileResponse, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminTextareaWidget

from merchants.admin.tables import ReadOnlyAdmin
from rewards.admin import close_page
from rewards.admin.finance.forms import StretchForm
from rewards.admin.finance.pages import FinanceReports
from rewards.admin.mixins import (
    DecidingAdmin,
    GrowingAdmin,
    Question,
    by_now,
)
from rewards.admin.spreadsheets import csv_stream
from rewards.admin.wording import NOTHING, badge
from rewards.closing import closes, export, journal, signing, verify_seal
from rewards.closing.figures import faults
from rewards.models import Close
from rewards.refusals import Refused


class SignForm(forms.Form):
    note = forms.CharField(
        label=gettext_lazy("Note"),
        required=False,
        widget=UnfoldAdminTextareaWidget,
        help_text=gettext_lazy("With a difference: what becomes of it."),
    )


@admin.register(Close)
class CloseAdmin(ReadOnlyAdmin, GrowingAdmin, DecidingAdmin, FinanceReports):
    empty_says = gettext_lazy(
        "No day is closed yet. Each day is, on the morning after."
    )
    list_display = ("title", "adds_up", "against_network", "transfers", "signed")
    list_select_related = ("signed_by",)
    fields = (
        ("day", "until"),
        ("drawn_up_at", "transfers"),
        ("signed_by", "signed_at"),
        "note",
        "seal",
        "seal_before",
    )
    actions_list = ("rows", "verifier")
    actions_detail = ("sign", "journal", "day_rows", "take_back")
    change_form_outer_after_template = "admin/rewards/close/below.html"

    def has_sign_permission(
        self, request: HttpRequest, object_id: str | None = None
    ) -> bool:
        return request.user.has_perm(signing.PERMISSION)

    @display(description=gettext_lazy("day"))
    def title(self, close: Close) -> str:
        return close.day.isoformat()

    @display(description=gettext_lazy("commission"))
    def adds_up(self, close: Close) -> SafeString:
        if faults(close.figures["rows"]):
            return badge(_("does not add up"), "danger")
        return badge(_("adds up"), "success")

    @display(description=gettext_lazy("against the network"))
    def against_network(self, close: Close) -> SafeString:
        if close.differences:
            return badge(_("differs"), "warning")
        if close.figures["network"]:
            return badge(_("not asked"))
        return badge(_("the same"), "success")

    @display(description=gettext_lazy("seal"))
    def seal(self, close: Close) -> SafeString:
        return _unbroken(close.digest)

    @display(description=gettext_lazy("seal of the day before"))
    def seal_before(self, close: Close) -> SafeString | str:
        return _unbroken(close.previous) if close.previous else NOTHING

    @display(description=gettext_lazy("signed off"))
    def signed(self, close: Close) -> SafeString | str:
        return str(close.signed_by) if close.signed_by else badge(_("not yet"), "info")

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """A signed close is only read."""
        close = self.get_object(request, object_id)
        actions = super().get_actions_detail(request, object_id)
        if close is None or close.signed_at is None:
            return actions
        reading = ("journal", "day_rows")
        return [found for found in actions if found.action_name.endswith(reading)]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        context |= close_page.told(kwargs["obj"])
        return super().render_change_form(request, context, *args, **kwargs)

    @action(
        description=gettext_lazy("Sign off this day"),
        permissions=["sign"],
        url_path="sign",
        icon="how_to_reg",
        variant=ActionVariant.PRIMARY,
    )
    def sign(self, request: HttpRequest, object_id: str) -> HttpResponse:
        close = self.find(request, object_id)

        def act(said: dict[str, Any]) -> str:
            signing.sign(close, note=said["note"], **by_now(request))
            self.log_change(request, close, f"Signed off: {close.note}")
            return _("%s is signed off.") % close

        question = Question(
            title=_("Sign off %s?") % close,
            explanation=_(
                "You answer for the figures of this day, which was closed by itself."
                " The seal of its books is checked first. It can't be taken back."
            ),
            lines=[*signing.obstacles(close)],
            submit=_("Sign off"),
            form=SignForm,
            act=act,
            refusals=(Refused,),
        )
        return self.ask(request, close, question)

    @action(
        description=gettext_lazy("Journal"),
        permissions=["view"],
        url_path="journal",
        icon="receipt_long",
    )
    def journal(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        close = self.find(request, object_id)
        name = journal.file_name(close)
        return StreamingHttpResponse(
            journal.file(close),
            content_type="application/jsonl",
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )

    @action(
        description=gettext_lazy("Transfers as CSV"),
        permissions=["view"],
        url_path="rows",
        icon="download",
    )
    def day_rows(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        close = self.find(request, object_id)
        return _exported(close.day, close.day)

    @action(
        description=gettext_lazy("Draw up anew"),
        permissions=["sign"],
        url_path="take-back",
        icon="undo",
    )
    def take_back(self, request: HttpRequest, object_id: str) -> HttpResponse:
        close = self.find(request, object_id)

        def act(_said: dict[str, Any]) -> str:
            self.log_change(request, close, "Taken back, to be drawn up anew")
            count = closes.take_back(close)
            said = ngettext(
                "%d close is taken back. It is drawn up again soon.",
                "%d closes are taken back. They are drawn up again soon.",
                count,
            )
            return said % count

        question = Question(
            title=_("Draw up %s anew?") % close,
            explanation=_(
                "This close and those after it are taken back, and drawn up from the"
                " books as they are now. What is signed off stays as it is."
            ),
            submit=_("Draw up anew"),
            act=act,
            refusals=(Refused,),
            back=reverse("admin:rewards_close_changelist"),
        )
        return self.ask(request, close, question)

    @action(
        description=gettext_lazy("Transfers as CSV"),
        permissions=["view"],
        url_path="rows",
        icon="download",
    )
    def rows(self, request: HttpRequest) -> HttpResponseBase:
        asked: list[date] = []

        def act(said: dict[str, Any]) -> str:
            asked.extend([said["first"], said["last"]])
            return ""

        question = Question(
            title=_("Transfers of closed days"),
            explanation=_(
                "A row for each transfer, with an id that never changes: a ledger"
                " system that takes the same file twice finds every id known."
            ),
            submit=_("Download"),
            form=StretchForm,
            act=act,
        )
        response = self.ask(request, None, question)
        return _exported(*asked) if asked else response

    @action(
        description=gettext_lazy("Program that checks seals"),
        permissions=["view"],
        url_path="verifier",
        icon="verified",
    )
    def verifier(self, request: HttpRequest) -> HttpResponseBase:
        path = Path(verify_seal.__file__)
        return FileResponse(path.open("rb"), as_attachment=True, filename=path.name)


def _unbroken(digest: str) -> SafeString:
    """Without a space, and still no wider than a phone."""
    return format_html('<span style="overflow-wrap: anywhere">{}</span>', digest)


def _exported(first: date, last: date) -> StreamingHttpResponse:
    name = f"transfers-{first}-{last}.csv"
    return csv_stream(name, export.rows(first, last))
