"""A member's statement for staff: of any period, as known at any time."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import action
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminSplitDateTimeWidget

from merchants.admin.tables import Table
from rewards.admin.local_times import LocalTimesForm
from rewards.admin.mixins import DecidingAdmin, link
from rewards.admin.wording import NOTHING, when
from rewards.ledger.statements import Line, Place, Statement, statement
from rewards.models import Account, Program, Transfer, Unit
from rewards.money import unit_amount
from rewards.pages.activity import Cursor
from rewards.pages.statement import entry

MOST = 50
DAYS = 31


class StatementForm(LocalTimesForm):
    """Of what, of which period, and as it was known when."""

    times = ("start", "end", "known_on")

    unit = forms.ModelChoiceField(
        label=gettext_lazy("Of"),
        queryset=Unit.objects.order_by("pk"),
        widget=UnfoldAdminSelectWidget,
    )
    start = forms.SplitDateTimeField(
        label=gettext_lazy("From"), widget=UnfoldAdminSplitDateTimeWidget
    )
    end = forms.SplitDateTimeField(
        label=gettext_lazy("As of, and until before"),
        widget=UnfoldAdminSplitDateTimeWidget,
    )
    known_on = forms.SplitDateTimeField(
        label=gettext_lazy("As known on"),
        required=False,
        widget=UnfoldAdminSplitDateTimeWidget,
        help_text=gettext_lazy(
            "Leaves out what was recorded later, such as an order that a store told"
            " late. Empty: as it is known now."
        ),
    )
    field_order = ("unit", "start", "end", "known_on", "zone")

    def clean(self) -> dict[str, Any]:
        said = super().clean()
        if said.get("start") and said.get("end") and said["start"] > said["end"]:
            self.add_error("end", _("It is before the beginning."))
        return said


class StatedAdmin(DecidingAdmin):
    """Members whose statement staff can read who may see transfers."""

    def has_state_permission(
        self, request: HttpRequest, object_id: str | None = None
    ) -> bool:
        return request.user.has_perm("rewards.view_transfer")

    @action(
        description=gettext_lazy("Statement"),
        permissions=["state"],
        url_path="statement",
        icon="receipt_long",
    )
    def statement(self, request: HttpRequest, object_id: str) -> HttpResponse:
        member = self.find(request, object_id)
        form = StatementForm(_asked(request))
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "original": member,
            "title": _("Statement of %s") % member,
            "form": form,
        }
        if form.is_valid():
            said = {**form.cleaned_data}
            said.pop("zone")
            context |= _told(statement(member, **said), request)
        return TemplateResponse(request, "admin/rewards/member/statement.html", context)


def _asked(request: HttpRequest) -> Any:
    """What was asked for; without a question, the last weeks of the first unit."""
    if "unit" in request.GET:
        return request.GET
    unit, zone = Unit.objects.order_by("pk").first(), Program.load().time_zone
    today = datetime.now(ZoneInfo(zone)).date()
    return {
        "unit": unit.pk if unit else "",
        "start_0": (today - timedelta(days=DAYS)).isoformat(),
        "end_0": (today + timedelta(days=1)).isoformat(),
        "start_1": "00:00:00",
        "end_1": "00:00:00",
        "zone": zone,
    }


def _told(told: Statement, request: HttpRequest) -> dict[str, Any]:
    cursor = Cursor.parse(request.GET.get("before", ""))
    before = Place(cursor.at, cursor.id) if cursor else None
    lines, following = told.page(before=before, size=MOST)
    older = ""
    if following:
        query = request.GET.copy()
        query["before"] = str(Cursor(*following))
        older = f"?{query.urlencode()}"
    return {"tables": [_ends(told), _lines(told, lines)], "older": older}


def _ends(told: Statement) -> Table:
    """The balances at both ends of the period."""
    kinds = Account.MEMBER_KINDS
    rows = [
        [name, *(unit_amount(held._asdict()[k], unit=told.unit) for k in kinds)]
        for name, held in (
            (_("At the start"), told.opening),
            (_("At the end"), told.closing),
        )
    ]
    return Table(_("Balances"), ["", *(kind.label for kind in kinds)], rows)


def _lines(told: Statement, lines: Sequence[Line]) -> Table:
    rows = [
        [
            when(line.transfer.effective_at),
            link(line.transfer, f"#{line.transfer.pk}"),
            said.movement.title,
            _because(line.transfer, said.movement.about),
            said.amount,
            said.available,
            when(line.transfer.recorded_at),
        ]
        for line in lines
        for said in [entry(line, told.unit)]
    ]
    headers = [
        *(_("Happened"), _("Transfer"), _("What"), _("Because of"), _("Amount")),
        *(_("Available then"), _("Recorded")),
    ]
    note = "" if rows else _("Nothing moved in this period.")
    return Table(_("Transfers, newest first"), headers, rows, note)


def _because(transfer: Transfer, about: str) -> SafeString | str:
    return link(transfer.purchase, about) if transfer.purchase else about or NOTHING
