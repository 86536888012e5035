"""Giving members their data, erasing them, and the certificates of who was erased."""

from functools import partial
from typing import Any

import structlog
from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminTextInputWidget

from merchants.admin.tables import ReadOnlyAdmin, Table, TabledAdmin
from rewards.admin.mixins import DecidingAdmin, GrowingAdmin, Question, by_now, link
from rewards.models import Member, Tombstone
from rewards.privacy import erasure
from rewards.privacy.exports import export
from rewards.refusals import Refused

EXPORTING = "rewards.change_member"

log = structlog.get_logger(__name__)


class ErasingAdmin(DecidingAdmin):
    """A member's page, from where their data is given out, and they are erased."""

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody changes anything about who was erased."""
        return not _is_erased(obj) and super().has_change_permission(request, obj)

    def has_export_permission(
        self, request: HttpRequest, object_id: str | None = None
    ) -> bool:
        return request.user.has_perm(EXPORTING)

    def has_erase_permission(
        self, request: HttpRequest, object_id: str | None = None
    ) -> bool:
        return request.user.has_perm(erasure.PERMISSION)

    @action(
        description=gettext_lazy("Export"),
        permissions=["export"],
        url_path="export",
        icon="download",
    )
    def export(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Everything about the member as a file; that it was made is in the log."""
        member: Member = self.find(request, object_id)
        now = by_now(request)["at"]
        log.info("member_exported", member=member.pk, by=request.user.pk)
        written = {"indent": 2, "ensure_ascii": False}
        answer = JsonResponse(export(member, at=now), json_dumps_params=written)
        name = f"member-{member.pk}-{now:%Y-%m-%d}.json"
        answer["Content-Disposition"] = f'attachment; filename="{name}"'
        answer["Cache-Control"] = "no-store"
        return answer

    @action(
        description=gettext_lazy("Erase"),
        permissions=["erase"],
        url_path="erase",
        icon="person_remove",
    )
    def erase(self, request: HttpRequest, object_id: str) -> HttpResponse:
        member: Member = self.find(request, object_id)

        def act(said: dict[str, Any]) -> str:
            erasure.erase(member, **by_now(request))
            member.refresh_from_db()
            self.log_change(request, member, "Erased.")
            return _("The member is erased. The certificate says what went.")

        question = Question(
            title=_("Erase %s for good?") % member,
            submit=_("Erase"),
            explanation=_("Nobody can undo this. An export can be made before."),
            lines=[
                _("The customer id, mail address, language, segments and sign-in go."),
                _("What is left of the balance is lost. Open redemptions are ended."),
                _("Codes and bank details go, and what was written about the member."),
                _("Raw events lose the customer id and what tells of the device."),
                _("Orders, amounts and transfers stay as nobody's: sums don't change."),
                _("Later reports about them are ignored, unless you enrol them again."),
            ],
            form=partial(EraseForm, customer_id=member.customer_id),
            act=act,
            refusals=(Refused,),
        )
        return self.ask(request, member, question)


class EraseForm(forms.Form):
    """The customer id again, so that nobody erases the wrong member by a slip."""

    customer_id = forms.CharField(
        label=gettext_lazy("Customer id, once more"),
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
    )

    def __init__(self, *args: Any, customer_id: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._customer_id = customer_id

    def clean_customer_id(self) -> str:
        if self.cleaned_data["customer_id"] != self._customer_id:
            raise forms.ValidationError(_("That is not this member's customer id."))
        return self._customer_id


@admin.register(Tombstone)
class TombstoneAdmin(ReadOnlyAdmin, GrowingAdmin, TabledAdmin):
    """Who was erased when, by whom, and what went: never who it was."""

    empty_says = gettext_lazy("Nobody was erased.")
    list_display = ("title", "erased_at", "erased_by")
    fields = ("of_member", "erased_at", "erased_by")

    @display(description=gettext_lazy("erasure"))
    def title(self, tombstone: Tombstone) -> str:
        return str(tombstone)

    @display(description=gettext_lazy("member"))
    def of_member(self, tombstone: Tombstone) -> SafeString | str:
        return link(tombstone.member)

    def get_tables(self, request: HttpRequest, obj: Tombstone) -> list[Table]:
        headers = [_("What"), _("How much")]
        titles = {"gone": _("What went"), "kept": _("What is kept, as nobody's")}
        return [
            Table(title, headers, [[what, str(n)] for what, n in said.items()])
            for name, title in titles.items()
            if (said := obj.certificate.get(name))
        ]


def _is_erased(member: Member | None) -> bool:
    return member is not None and member.status == Member.Status.ERASED
