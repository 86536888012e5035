"""Endpoints: where the host application is told what happens, and how it is signed."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from merchants.admin.audit import AuditedAdmin
from merchants.admin.tables import Table, TabledAdmin
from rewards.admin.mixins import DecidingAdmin, Question, SealedAdmin, change_url
from rewards.admin.outbox import message_table
from rewards.admin.wording import badge
from rewards.models import Endpoint
from rewards.outbox import endpoints
from rewards.outbox.events import EVENTS
from rewards.refusals import Refused
from rewards.vault import CannotOpen

NEWEST = 20
SHOWN_ONCE = gettext_lazy("The secret is %s. Copy it now: it is shown this once.")


class EndpointForm(forms.ModelForm):
    """Checked as every address is that members' data goes to."""

    events = forms.MultipleChoiceField(
        label=gettext_lazy("Events"),
        required=False,
        choices=list(EVENTS.items()),
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text=gettext_lazy(
            "What it is told. Tick none, and it is told everything."
        ),
    )

    class Meta:
        model = Endpoint
        fields = ("name", "url", "events")
        help_texts = {"url": gettext_lazy("Begins with https://.")}

    def clean_url(self) -> str:
        url: str = self.cleaned_data["url"]
        try:
            endpoints.refuse_address(url)
        except Refused as refused:
            raise forms.ValidationError(str(refused)) from None
        return url


@admin.register(Endpoint)
class EndpointAdmin(AuditedAdmin, DecidingAdmin, SealedAdmin, TabledAdmin):
    empty_says = gettext_lazy(
        "Nobody is told anything. Add your host application's address to send it "
        "events."
    )
    sealed = "sealed"
    form = EndpointForm
    list_display = ("name", "url", "state")
    fields = ("name", "url", "events")
    actions_detail = ("test", "rotate", "switch_off", "switch_on")

    @display(description=gettext_lazy("state"))
    def state(self, endpoint: Endpoint) -> SafeString:
        if endpoint.active:
            return badge(_("on"), "success")
        return badge(_("off"), "danger")

    def get_readonly_fields(
        self, request: HttpRequest, obj: Any = None
    ) -> tuple[str, ...]:
        return ("state", "created_at", "rotated_at") if obj else ()

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return (*self.fields, *self.get_readonly_fields(request, obj))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(
        self, request: HttpRequest, obj: Endpoint, form: forms.Form, change: bool
    ) -> None:
        if change:
            super().save_model(request, obj, form, change)
            return
        made, secret = endpoints.create(
            name=obj.name, url=obj.url, events=obj.events, at=datetime.now(UTC)
        )
        obj.pk = made.pk
        messages.warning(request, SHOWN_ONCE % secret)

    def response_add(
        self, request: HttpRequest, obj: Endpoint, post_url_continue: str | None = None
    ) -> HttpResponse:
        return redirect(change_url(obj))

    def get_tables(self, request: HttpRequest, obj: Endpoint) -> list[Table]:
        newest = obj.messages.order_by("-id").select_related("endpoint")[:NEWEST]
        more = reverse("admin:rewards_message_changelist")
        more = f"{more}?endpoint__id__exact={obj.pk}"
        return [message_table(newest, _("Newest messages"), more=more)]

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        endpoint = self.get_object(request, object_id)
        useless = "switch_on" if endpoint and endpoint.active else "switch_off"
        actions = super().get_actions_detail(request, object_id)
        return [found for found in actions if found.path != useless]

    @action(
        description=gettext_lazy("Send a test"),
        permissions=["decide"],
        url_path="test",
        icon="send",
    )
    def test(self, request: HttpRequest, object_id: str) -> HttpResponse:
        endpoint = self.find(request, object_id)

        def act(_said: dict[str, Any]) -> str:
            endpoints.test(endpoint, at=datetime.now(UTC))
            return _("It is sent within seconds; what came back is shown below.")

        title = _("Send %s a test event?") % endpoint
        explanation = _("An event of the type “test”, signed like all others.")
        return self._ask(request, endpoint, title, explanation, _("Send"), act)

    @action(
        description=gettext_lazy("New secret"),
        permissions=["decide"],
        url_path="rotate",
        icon="key",
    )
    def rotate(self, request: HttpRequest, object_id: str) -> HttpResponse:
        endpoint = self.find(request, object_id)

        def act(_said: dict[str, Any]) -> str:
            secret = endpoints.rotate(endpoint, at=datetime.now(UTC))
            self.log_change(request, endpoint, "New secret")
            messages.warning(request, SHOWN_ONCE % secret)
            return ""

        title = _("Make a new secret for %s?") % endpoint
        explanation = _(
            "It is shown once. For a day the present one signs too, so that the host"
            " application can change over; an older one stops at once."
        )
        return self._ask(request, endpoint, title, explanation, _("New secret"), act)

    @action(
        description=gettext_lazy("Switch off"),
        permissions=["decide"],
        url_path="switch_off",
        icon="block",
    )
    def switch_off(self, request: HttpRequest, object_id: str) -> HttpResponse:
        endpoint = self.find(request, object_id)

        def act(_said: dict[str, Any]) -> str:
            endpoints.switch(endpoint, on=False)
            self.log_change(request, endpoint, "Switched off")
            return _("Nothing is sent there from now on.")

        title = _("Switch %s off?") % endpoint
        explanation = _(
            "What is waiting waits until you switch it on. What happens meanwhile is"
            " not told, and redemptions that it is called for wait."
        )
        return self._ask(request, endpoint, title, explanation, _("Switch off"), act)

    @action(
        description=gettext_lazy("Switch on"),
        permissions=["decide"],
        url_path="switch_on",
        icon="play_arrow",
    )
    def switch_on(self, request: HttpRequest, object_id: str) -> HttpResponse:
        endpoint = self.find(request, object_id)

        def act(_said: dict[str, Any]) -> str:
            endpoints.switch(endpoint, on=True)
            self.log_change(request, endpoint, "Switched on")
            return _("What was waiting is sent within seconds.")

        title = _("Switch %s on?") % endpoint
        explanation = _("What was waiting is sent, oldest first.")
        return self._ask(request, endpoint, title, explanation, _("Switch on"), act)

    def _ask(
        self,
        request: HttpRequest,
        endpoint: Endpoint,
        title: str,
        explanation: str,
        submit: str,
        act: Callable[[dict[str, Any]], str],
    ) -> HttpResponse:
        question = Question(
            title=title,
            explanation=explanation,
            submit=submit,
            act=act,
            refusals=(Refused, CannotOpen),
        )
        return self.ask(request, endpoint, question)
