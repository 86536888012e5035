"""The pages of the finance reports, beside the closes that they are made from."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.views.decorators.http import require_safe
from unfold.admin import ModelAdmin

from rewards.admin.finance import breakage, liability, margins, unpaid
from rewards.admin.finance.report import Report
from rewards.admin.spreadsheets import csv_response

REPORTS: dict[str, Callable[[Mapping[str, Any]], Report]] = {
    "liability": liability.report,
    "breakage": breakage.report,
    "margins": margins.report,
    "unpaid": unpaid.report,
}
"""By the end of their address; they get what the address asks for."""


class FinanceReports(ModelAdmin):
    """An address for each report; with ``as=csv`` it is a file."""

    def get_urls(self) -> list[URLPattern]:
        views = [
            path(
                f"{name}/",
                self.admin_site.admin_view(require_safe(partial(self.report, name))),
                name=f"rewards_close_{name}",
            )
            for name in REPORTS
        ]
        return [*views, *super().get_urls()]

    def report(self, name: str, request: HttpRequest) -> HttpResponse:
        """For whoever may see the closes."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        report = REPORTS[name](request.GET)
        if request.GET.get("as") == "csv":
            return csv_response(report.name, report.rows())
        asked = request.GET.copy()
        asked["as"] = "csv"
        context: dict[str, Any] = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": report.title,
            "report": report,
            "file": f"?{asked.urlencode()}",
        }
        return TemplateResponse(request, "admin/rewards/finance/report.html", context)
