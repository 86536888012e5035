"""What the pages of several models share: never counted, decided upon."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from django import forms
from django.contrib import messages
from django.contrib.admin import ShowFacets
from django.contrib.auth.models import User
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.paginator import InfinitePaginator


class GrowingAdmin(ModelAdmin):
    """A table that grows without end: no COUNT, and no sorting without an index."""

    paginator = InfinitePaginator
    show_full_result_count = False
    show_facets = ShowFacets.NEVER
    list_per_page = 50
    sortable_by = ()


@dataclass(frozen=True)
class Question:
    """What staff are asked before something happens, and what a yes then does.

    ``act`` gets the form's cleaned data and returns what to tell; where it raises one
    of ``refusals``, the form says why. ``template`` may be one of its own, which
    shows what ``told`` gives; ``back`` is where to go afterwards, or after a yes
    ``onward``.
    """

    title: Any
    submit: Any
    act: Callable[[dict[str, Any]], str]
    explanation: Any = ""
    form: Callable[..., forms.Form] = forms.Form
    refusals: tuple[type[Exception], ...] = ()
    lines: Sequence[str] = ()
    template: str = "admin/ask.html"
    told: Callable[[], Mapping[str, Any]] = dict
    back: str = ""
    onward: str = ""


class DecidingAdmin(ModelAdmin):
    """Objects whose form is read-only, and on which staff may decide all the same."""

    def has_decide_permission(
        self, request: HttpRequest, object_id: str | None = None
    ) -> bool:
        """Whoever could change such an object may decide about it."""
        meta = self.opts
        return request.user.has_perm(f"{meta.app_label}.change_{meta.model_name}")

    def find(self, request: HttpRequest, object_id: str) -> Any:
        """The object, whatever stands in the address. Raises Http404."""
        obj = self.get_object(request, object_id)
        if obj is None:
            raise Http404
        return obj

    def ask(self, request: HttpRequest, obj: Any, question: Question) -> HttpResponse:
        """Ask on GET; on POST do it, note it in the object's history, and say so."""
        given = (request.POST, request.FILES) if request.method == "POST" else ()
        form = question.form(*given)
        if form.is_valid():
            try:
                done = question.act(form.cleaned_data)
            except question.refusals as refused:
                form.add_error(None, getattr(refused, "lines", [str(refused)]))
            else:
                if done:
                    messages.success(request, done)
                onward = question.onward or question.back
                return redirect(onward or self.page_after(obj))
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "original": obj,
            "title": question.title,
            "question": question,
            "form": form,
            "back": question.back or self.page_after(obj),
        }
        return TemplateResponse(request, question.template, context)

    def page_after(self, obj: Any) -> str:
        if obj is not None:
            return change_url(obj)
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")


class SealedAdmin(ModelAdmin):
    """A secret column, not to be guessed byte by byte through the address bar."""

    sealed: str

    def lookup_allowed(
        self, lookup: str, value: str, request: HttpRequest | None = None
    ) -> bool:
        return lookup.partition("__")[0] != self.sealed and super().lookup_allowed(
            lookup, value, request
        )


def staff(request: HttpRequest) -> User:
    """Who is signed in: the admin site lets nobody else through."""
    return cast(User, request.user)


def by_now(request: HttpRequest) -> dict[str, Any]:
    """Who decides, and when."""
    return {"by": request.user, "at": datetime.now(UTC)}


def change_url(obj: Model) -> str:
    meta = obj._meta
    return reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[obj.pk])


def link(obj: Model | None, text: object = None) -> SafeString | str:
    """A link to an object's page; a dash for none."""
    if obj is None:
        return "-"
    return linked(change_url(obj), text or obj)


def linked(url: str, text: object) -> SafeString:
    return format_html('<a class="text-link" href="{}">{}</a>', url, text)
