"""Payout files: those to make as a download, and what the payer says of them."""

from datetime import UTC, datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import action

from rewards.admin import redemption_page
from rewards.admin.mixins import DecidingAdmin, Question, by_now
from rewards.admin.redemption_forms import ExportForm, ResultsForm
from rewards.admin.spreadsheets import csv_response
from rewards.redemptions import payout_files, staff
from rewards.refusals import Refused


class PayoutFilesAdmin(DecidingAdmin):
    """The list of redemptions, with files for whoever pays members."""

    actions_list = ("export_payouts", "payout_results")

    def has_export_permission(
        self, request: HttpRequest, object_id: str | None = None
    ) -> bool:
        return request.user.has_perm(staff.PAYING)

    @action(
        description=gettext_lazy("Payout file"),
        permissions=["export"],
        url_path="payouts",
        icon="download",
    )
    def export_payouts(self, request: HttpRequest) -> HttpResponse:
        made: list[HttpResponse] = []

        def act(said: dict[str, Any]) -> str:
            rows = payout_files.export(again=said["again"], **by_now(request))
            if not rows:
                raise Refused(_("There is nothing to pay."))
            name = f"payouts-{datetime.now(UTC):%Y-%m-%d-%H%M%S}.csv"
            made.append(csv_response(name, [payout_files.HEADER, *rows]))
            return ""

        question = Question(
            title=_("Download the payouts to make"),
            explanation=_(
                "A CSV file with where to pay in the clear: keep it safe, and delete it"
                " once it is paid. That you made it stays in the history of each."
            ),
            submit=_("Download"),
            form=ExportForm,
            act=act,
            refusals=(Refused,),
        )
        response = self.ask(request, None, question)
        return made[0] if made else response

    @action(
        description=gettext_lazy("Payout results"),
        permissions=["export"],
        url_path="results",
        icon="upload",
    )
    def payout_results(self, request: HttpRequest) -> HttpResponse:
        found: list[payout_files.Applied] = []

        def act(said: dict[str, Any]) -> str:
            found.append(payout_files.apply(said["results"], **by_now(request)))
            return ""

        question = Question(
            title=_("Say what became of payouts"),
            explanation=_(
                "Those that were paid are done for good, those that failed are given"
                " back. The same file again does nothing."
            ),
            submit=_("Apply"),
            form=ResultsForm,
            act=act,
            refusals=(Refused,),
        )
        response = self.ask(request, None, question)
        return self._told(request, found[0]) if found else response

    def _told(
        self, request: HttpRequest, applied: payout_files.Applied
    ) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("What became of payouts"),
            "tables": redemption_page.results(applied),
            "back": self.page_after(None),
        }
        template = "admin/rewards/redemption/results.html"
        return TemplateResponse(request, template, context)
