"""Editions: what was published, what each changed, withdrawing what is scheduled."""

import json
from datetime import UTC, datetime
from typing import Any

from django.contrib import admin
from django.db.models import Exists, OuterRef, QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import action, display

from merchants.admin.tables import ReadOnlyAdmin
from rewards.admin.local_times import by_its_clocks
from rewards.admin.mixins import Question, link
from rewards.admin.program import GROUP_COLOURS
from rewards.admin.publishing import PublishingAdmin
from rewards.admin.wording import NOTHING, badge, text_of
from rewards.models import Edition
from rewards.program import editions, vocabulary, wording
from rewards.program.vocabulary import ProgramError
from rewards.publishing import changes, edition_before, store_names

STATE_COLOURS = {
    "holds": "success",
    "scheduled": "info",
    "retired": "danger",
    "withdrawn": "danger",
}


@admin.register(Edition)
class EditionAdmin(ReadOnlyAdmin, PublishingAdmin):
    empty_says = gettext_lazy(
        "No rules are published yet. Publish the draft to pay for orders."
    )
    list_display = ("title", "state", "begins", "published_at", "published_by", "note")
    list_select_related = ("published_by",)
    fields = (
        ("number", "state"),
        ("begins", "withdrawn_at"),
        ("published_at", "published_by"),
        ("tried", "approved"),
        *("note", "program_file"),
    )
    actions_list = ("publish", "retire")
    actions_detail = ("withdraw",)
    change_form_outer_after_template = "admin/rewards/edition/below.html"

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
        return by_its_clocks(edition.effective_from, edition)

    @display(description=gettext_lazy("backtest"))
    def tried(self, edition: Edition) -> SafeString | str:
        return link(edition.backtest)

    @display(description=gettext_lazy("approved by"))
    def approved(self, edition: Edition) -> str:
        return str(edition.approval.approved_by) if edition.approval else NOTHING

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

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        context |= _told(kwargs["obj"])
        return super().render_change_form(request, context, *args, **kwargs)

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        edition = self.get_object(request, object_id)
        if edition is None or _state(edition)[0] != "scheduled":
            return []
        return super().get_actions_detail(request, object_id)

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
    if edition.superseded:  # type: ignore[attr-defined]  # annotated
        return "past", _("past")
    return ("retired", _("retired")) if edition.retires else ("holds", _("holds"))


def _told(edition: Edition) -> dict[str, Any]:
    """What its page says below the fields: what it changed, and each rule in words."""
    program = vocabulary.parse(edition.content)
    before = edition_before(edition)
    names = store_names(id for rule in program.rules for id in rule.when.merchants)
    rules = [
        {
            "key": rule.key,
            "label": text_of(rule.label),
            "group": badge(rule.group, GROUP_COLOURS[rule.group]),
            "words": wording.sentence(rule, program=program, names=names),
        }
        for rule in program.rules
    ]
    changed = changes(program, since=before) if before else []
    return {"before": before, "changes": changed, "rules": rules}
