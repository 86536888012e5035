"""What these pages share: rows that nobody edits, tables below a form, times."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.http import HttpRequest, HttpResponse
from django.utils.formats import localize
from django.utils.timezone import localtime
from unfold.admin import ModelAdmin

NOTHING = "-"


def when(at: datetime | None) -> str:
    return localize(localtime(at)) if at else NOTHING


class Table(NamedTuple):
    """A table below the form, in the shape of unfold's table component.

    Without rows, ``note`` stands in its place.
    """

    title: Any
    headers: Sequence[Any]
    rows: Sequence[Sequence[Any]]
    note: Any = ""
    more: str = ""


class ReadOnlyAdmin(ModelAdmin):
    """Rows that nobody adds, changes or deletes here; whoever may view, sees them."""

    list_filter_submit = True
    list_disable_select_all = True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class TabledAdmin(ModelAdmin):
    """An object whose page says more, in tables below the form."""

    change_form_outer_after_template = "admin/tables.html"

    def get_tables(self, request: HttpRequest, obj: Any) -> list[Table]:
        raise NotImplementedError

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Any = None,
    ) -> HttpResponse:
        if obj:
            context["tables"] = self.get_tables(request, obj)
        return super().render_change_form(request, context, add, change, form_url, obj)
