"""Clicks: found by what a member, an order or a host application knows of them."""

import json

from django.contrib import admin
from django.contrib.admin import ShowFacets
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display
from unfold.paginator import InfinitePaginator

from merchants.admin.tables import ReadOnlyAdmin
from merchants.clicks import number, start_of_reference
from merchants.models import Click


@admin.register(Click)
class ClickAdmin(ReadOnlyAdmin):
    empty_says = _("Nobody has left for a store yet.")
    list_display = ("visit", "customer_id", "merchant", "clicked_at", "own_reference")
    list_select_related = ("merchant",)
    search_fields = ("reference", "customer_id", "own_reference")
    search_help_text = _("Visit number, customer id or reference, in full")
    ordering = ("-pk",)
    fields = (
        ("visit", "clicked_at"),
        ("customer_id", "merchant"),
        "destination",
        "promised",
        "reference",
        "own_reference",
    )
    paginator = InfinitePaginator
    show_full_result_count = False
    show_facets = ShowFacets.NEVER
    list_per_page = 50
    sortable_by = ()

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Click], search_term: str
    ) -> tuple[QuerySet[Click], bool]:
        """Whole values alone: a table that grows without end is never searched in."""
        if not (term := search_term.strip()):
            return queryset, False
        known = Q(reference=term) | Q(customer_id=term) | Q(own_reference=term)
        start = start_of_reference(term)
        if len(start) == len(start_of_reference("XXXX-XXXX")) and start.isalnum():
            known |= Q(reference__startswith=start)
        return queryset.filter(known), False

    @display(description=_("visit"))
    def visit(self, click: Click) -> str:
        return number(click)

    @display(description=_("what was promised"))
    def promised(self, click: Click) -> SafeString:
        text = json.dumps(click.shown, indent=2, ensure_ascii=False)
        return format_html(
            '<pre class="font-mono text-xs whitespace-pre-wrap">{}</pre>', text
        )
