"""Nobody's purchases: whose they may be, and giving one to who is suggested."""

from functools import partial
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import action
from unfold.widgets import UnfoldAdminRadioSelectWidget

from merchants.admin.tables import Table
from merchants.clicks import number
from rewards import decisions
from rewards.admin.decision_forms import ReasonForm
from rewards.admin.mixins import (
    DecidingAdmin,
    Question,
    by_now,
    change_url,
    link,
    linked,
)
from rewards.admin.wording import when
from rewards.models import Purchase
from rewards.refusals import Refused
from rewards.suggestions import Suggestion, suggestions


class SuggestedForm(ReasonForm):
    """Which of the suggested members it is, and why."""

    click = forms.ChoiceField(
        label=gettext_lazy("Member"), widget=UnfoldAdminRadioSelectWidget
    )
    field_order = ("click", "reason")

    def __init__(self, *args: Any, found: list[Suggestion], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.by_click = {str(one.click.pk): one for one in found}
        click: Any = self.fields["click"]
        click.choices = [(pk, _choice(one)) for pk, one in self.by_click.items()]

    def clean(self) -> dict[str, Any]:
        chosen = self.by_click.get(self.cleaned_data.get("click", ""))
        return {**self.cleaned_data, "suggestion": chosen}


class SuggestingAdmin(DecidingAdmin):
    """Purchases, some of which are nobody's."""

    @action(
        description=gettext_lazy("Assign as suggested"),
        permissions=["decide"],
        url_path="assign-suggested",
        icon="person_search",
    )
    def assign_suggested(self, request: HttpRequest, object_id: str) -> HttpResponse:
        purchase: Purchase = self.find(request, object_id)
        found = suggestions(purchase)
        if not found:
            messages.error(request, _why_none(purchase))
            return redirect(change_url(purchase))

        def act(said: dict[str, Any]) -> str:
            suggested: Suggestion = said["suggestion"]
            decisions.assign_nobodys(
                purchase,
                member=suggested.member,
                reason=said["reason"],
                **by_now(request),
            )
            told = f"Assigned by visit {number(suggested.click)}: {said['reason']}"
            self.log_change(request, purchase, told)
            return _("The purchase belongs to %s now.") % purchase.member

        chosen = request.GET.get("click") or found[0].click.pk
        question = Question(
            title=_("Assign this purchase to who is suggested"),
            explanation=_(
                "What it earns moves to that member at once. If somebody else assigns"
                " it first, nothing happens here."
            ),
            submit=_("Assign"),
            form=partial(SuggestedForm, found=found, initial={"click": chosen}),
            act=act,
            refusals=(Refused,),
        )
        return self.ask(request, purchase, question)


def suggestion_table(purchase: Purchase, *, assigns: bool) -> Table:
    """Whose it may be; with links to assign it for who may."""
    ask = reverse("admin:rewards_purchase_assign_suggested", args=[purchase.pk])
    found = suggestions(purchase)
    rows = [
        [
            link(one.member),
            link(one.click, number(one.click)),
            when(one.click.clicked_at),
            " ".join(one.reasons),
            *([linked(f"{ask}?click={one.click.pk}", _("Assign"))] if assigns else []),
        ]
        for one in found
    ]
    headers = [_("Member"), _("Visit"), _("When"), _("Why")]
    note = "" if rows else _why_none(purchase)
    return Table(
        _("Whose it may be"), [*headers, *([""] if assigns else [])], rows, note
    )


def _choice(one: Suggestion) -> str:
    return f"{one.member}: {' '.join(one.reasons)}"


def _why_none(purchase: Purchase) -> str:
    if purchase.member:
        return _("It belongs to %s already.") % purchase.member
    return _("No member visited this store in the week before the order.")
