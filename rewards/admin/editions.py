"""Editions: what was published, publishing the draft, withdrawing what is scheduled."""

import json
from datetime import UTC, datetime
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.db.models import Exists, OuterRef, QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminSplitDateTimeWidget, UnfoldAdminTextareaWidget

from merchants.admin.tables import ReadOnlyAdmin, Table, TabledAdmin
from rewards.admin.mixins import (
    DecidingAdmin,
    Question,
    staff,
)
from rewards.admin.wording import (
    badge,
    merchant_names,
    said_conditions,
    said_reward,
    text_of,
    when,
)
from rewards.models import Edition
from rewards.program import draft, editions, vocabulary
from rewards.program.vocabulary import ProgramError
from rewards.publishing import publish_draft

STATE_COLOURS = {"holds": "success", "scheduled": "info", "withdrawn": "danger"}


class PublishForm(forms.Form):
    note = forms.CharField(
        label=gettext_lazy("Note"),
        required=False,
        max_length=2000,
        widget=UnfoldAdminTextareaWidget({"rows": 3}),
        help_text=gettext_lazy("What changed and why, for whoever reads it later."),
    )
    at = forms.SplitDateTimeField(
        label=gettext_lazy("Takes effect (UTC)"),
        required=False,
        widget=UnfoldAdminSplitDateTimeWidget,
        help_text=gettext_lazy("Left empty: as soon as may be."),
    )


@admin.register(Edition)
class EditionAdmin(ReadOnlyAdmin, DecidingAdmin, TabledAdmin):
    list_display = ("title", "state", "begins", "published_at", "published_by", "note")
    list_select_related = ("published_by",)
    fields = (
        ("number", "state"),
        ("begins", "withdrawn_at"),
        ("published_at", "published_by"),
        *("note", "program_file"),
    )
    actions_list = ("publish",)
    actions_detail = ("withdraw",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Edition]:
        later = Edition.objects.standing().filter(
            number__gt=OuterRef("number"), effective_from__lte=Now()
        )
        return super().get_queryset(request).annotate(superseded=Exists(later))

    @display(description=gettext_lazy("edition"))
    def title(self, edition: Edition) -> str:
        return str(edition)

    @display(description=gettext_lazy("state"))
    def state(self, edition: Edition) -> SafeString:
        state, said = _state(edition)
        return badge(said, STATE_COLOURS.get(state, ""))

    @display(description=gettext_lazy("takes effect"))
    def begins(self, edition: Edition) -> str:
        if edition.effective_from is None:
            return _("from the beginning of time")
        return when(edition.effective_from)

    @display(description=gettext_lazy("program file"))
    def program_file(self, edition: Edition) -> SafeString:
        text = json.dumps(edition.content, indent=2, ensure_ascii=False)
        return format_html(
            '<details><summary class="cursor-pointer">{}</summary>'
            '<pre class="font-mono mt-2 text-xs whitespace-pre-wrap">{}</pre>'
            "</details>",
            _("Show as JSON"),
            text,
        )

    def get_tables(self, request: HttpRequest, obj: Edition) -> list[Table]:
        program = vocabulary.parse(obj.content)
        units = {unit.code: unit for unit in program.units}
        names = merchant_names(id for r in program.rules for id in r.when.merchants)
        rows = [
            [
                f"{text_of(rule['label'])} ({rule['key']})",
                rule["group"],
                said_reward(rule["reward"], units[rule["unit"]]),
                said_conditions(rule.get("when", {}), names),
            ]
            for rule in obj.content["rules"]
        ]
        headers = [_("Rule"), _("Group"), _("Gives"), _("Conditions")]
        return [Table(_("Rules, in order of precedence"), headers, rows)]

    def has_publish_permission(
        self, request: HttpRequest, object_id: str | None = None
    ) -> bool:
        return request.user.has_perm("rewards.add_edition")

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        edition = self.get_object(request, object_id)
        if edition is None or _state(edition)[0] != "scheduled":
            return []
        return super().get_actions_detail(request, object_id)

    @action(
        description=gettext_lazy("Publish the draft"),
        permissions=["publish"],
        url_path="publish",
        icon="publish",
        variant=ActionVariant.PRIMARY,
    )
    def publish(self, request: HttpRequest) -> HttpResponse:
        def act(said: dict[str, Any]) -> str:
            edition, settled = publish_draft(
                now=datetime.now(UTC),
                at=said["at"],
                note=said["note"],
                by=staff(request),
            )
            self.log_addition(request, edition, "Published")
            return _published(edition, settled)

        question = Question(
            title=_("Publish the draft as a new edition"),
            explanation=_difference(),
            lines=_problems() if request.method == "GET" else (),
            submit=_("Publish"),
            form=PublishForm,
            act=act,
            refusals=(ProgramError,),
        )
        return self.ask(request, None, question)

    @action(
        description=gettext_lazy("Withdraw"),
        permissions=["decide"],
        url_path="withdraw",
        icon="undo",
    )
    def withdraw(self, request: HttpRequest, object_id: str) -> HttpResponse:
        edition = self.find(request, object_id)

        def act(said: dict[str, Any]) -> str:
            editions.withdraw(edition, now=datetime.now(UTC))
            self.log_change(request, edition, "Withdrawn")
            return _("%s is withdrawn: it will never take effect.") % edition

        question = Question(
            title=_("Withdraw %s?") % edition,
            explanation=_("It has not taken effect yet. Its number is not used again."),
            submit=_("Withdraw"),
            act=act,
            refusals=(ProgramError,),
        )
        return self.ask(request, edition, question)


def _state(edition: Edition) -> tuple[str, str]:
    if edition.withdrawn_at:
        return "withdrawn", _("withdrawn")
    if edition.effective_from and edition.effective_from > datetime.now(UTC):
        return "scheduled", _("scheduled")
    superseded = edition.superseded  # type: ignore[attr-defined]  # annotated
    return ("past", _("past")) if superseded else ("holds", _("holds"))


def _difference() -> str:
    """How the draft compares with what was published last."""
    newest = Edition.objects.standing().order_by("-number").first()
    if newest is None:
        return _(
            "This is the first edition. It holds for all orders, or for those from a"
            " time on that may be past; orders that waited for it are settled at once."
        )
    if not draft.unpublished():
        return _("The draft says exactly what %s says.") % newest
    return _(
        "The draft differs from %(newest)s. A new edition takes effect %(margin)s"
        " seconds from now at the earliest; earlier orders keep what they have."
    ) % {"newest": newest, "margin": settings.PUBLISH_MARGIN}


def _problems() -> list[str]:
    try:
        draft.load()
    except ProgramError as error:
        return error.lines
    return []


def _published(edition: Edition, settled: int) -> str:
    since = _("all orders")
    if edition.effective_from:
        since = _("orders from %s on") % when(edition.effective_from)
    said = _("%(edition)s is published; it holds for %(since)s.") % {
        "edition": edition,
        "since": since,
    }
    if not settled:
        return said
    waited = ngettext(
        "%d waiting order was settled.", "%d waiting orders were settled.", settled
    )
    return f"{said} {waited % settled}"
