"""Deciding about several rows of a list: asked first, each for itself, all told."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from django import forms
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import BadRequest, PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _

from merchants.admin.tables import Table
from rewards.admin.mixins import DecidingAdmin, link
from rewards.admin.wording import badge
from rewards.refusals import Refused

MOST = 100
"""Rows at a time, whatever a request claims."""
LONGEST_ID = 18

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Planned:
    """What would be done about one row, in words.

    ``rests_on`` is what that depends on: where it is another when staff have said yes,
    nothing is done. ``idle``: nothing can be done, and ``said`` tells why.
    """

    obj: Any
    said: str
    rests_on: str = ""
    idle: bool = False

    @property
    def token(self) -> str:
        return f"{self.obj.pk}:{self.rests_on}"


@dataclass(frozen=True)
class Together:
    """What staff are asked about several rows, and what a yes then does to each.

    ``plan`` says what would be done. ``act`` does it to one of them, with the form's
    cleaned data, in a transaction of its own, and returns what became of it. It raises
    Refused where it can't, also where somebody else was first.
    """

    title: Any
    explanation: Any
    submit: Any
    plan: Callable[[Sequence[Any]], Sequence[Planned]]
    act: Callable[[Planned, dict[str, Any]], str]
    form: type[forms.Form] = forms.Form


class TogetherAdmin(DecidingAdmin):
    """A list whose rows staff tick, to decide about all of them in one go."""

    def may_decide_together(self, request: HttpRequest) -> bool:
        return self.has_decide_permission(request)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if request.method == "POST":
            if not self.may_decide_together(request):
                raise PermissionDenied
            if not all(map(_is_id, request.POST.getlist(ACTION_CHECKBOX_NAME))):
                raise BadRequest
        return super().changelist_view(request, extra_context)

    def ask_together(self, request: HttpRequest, asked: Together) -> HttpResponse:
        """Say what would happen to what is ticked; once confirmed, do it, and tell.

        What is ticked is looked up whatever the list's filters leave: a row that
        somebody else has decided about since is told of, too.
        """
        planned = asked.plan(self._ticked(request))
        confirmed = "confirmed" in request.POST
        form = asked.form(request.POST if confirmed else None)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": asked.title,
            "question": asked,
            "back": request.get_full_path(),
        }
        if confirmed and form.is_valid():
            seen = set(request.POST.getlist("planned"))
            told = list(_act(asked, planned, seen=seen, said=form.cleaned_data))
            context["tables"] = [_results(told)]
            return TemplateResponse(request, "admin/together_done.html", context)
        context |= {
            "form": form,
            "planned": [one for one in planned if not one.idle],
            "idle": [one for one in planned if one.idle],
            "action": request.POST.get("action", ""),
            "checkbox": ACTION_CHECKBOX_NAME,
        }
        return TemplateResponse(request, "admin/together.html", context)

    def _ticked(self, request: HttpRequest) -> Sequence[Any]:
        ids = request.POST.getlist(ACTION_CHECKBOX_NAME)
        found = self.get_queryset(request).filter(pk__in=ids[:MOST])
        related = self.get_list_select_related(request)
        if isinstance(related, (list, tuple)):
            found = found.select_related(*related)
        return list(found.order_by("pk"))


def _is_id(text: str) -> bool:
    """Whether a database could have given it out."""
    return text.isdecimal() and text.isascii() and len(text) <= LONGEST_ID


@dataclass(frozen=True)
class _Told:
    """What became of one row."""

    planned: Planned
    said: str
    done: bool = False


def _act(
    asked: Together,
    planned: Sequence[Planned],
    *,
    seen: set[str],
    said: dict[str, Any],
) -> Iterator[_Told]:
    """Do it to one after the other; none stops the next."""
    for one in planned:
        if one.idle:
            yield _Told(one, one.said)
        elif one.token not in seen:
            yield _Told(one, _("It has changed since you looked: %s") % one.said)
        else:
            yield _try(asked, one, said)


def _try(asked: Together, one: Planned, said: dict[str, Any]) -> _Told:
    try:
        return _Told(one, asked.act(one, said), done=True)
    except Refused as why:
        return _Told(one, str(why))
    except Exception:
        log.exception("deciding_together_failed", about=str(one.obj))
        return _Told(one, _("It failed, and nothing was done; the log says why."))


def _results(told: Sequence[_Told]) -> Table:
    rows = [
        [
            link(one.planned.obj),
            badge(_("done"), "success") if one.done else badge(_("not done"), "danger"),
            one.said,
        ]
        for one in sorted(told, key=lambda one: one.done)
    ]
    done = sum(one.done for one in told)
    note = _("%(done)d of %(all)d done.") % {"done": done, "all": len(told)}
    return Table(_("What became of each"), [_("Row"), _("Done"), _("Said")], rows, note)
