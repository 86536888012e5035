"""API keys: made, shown once, revoked. Never changed, never deleted."""

from datetime import UTC, datetime
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import action, display

from merchants.admin.tables import ReadOnlyAdmin
from rewards import apikeys
from rewards.admin.mixins import (
    DecidingAdmin,
    Question,
    change_url,
)
from rewards.admin.wording import badge
from rewards.models import ApiKey


@admin.register(ApiKey)
class ApiKeyAdmin(ReadOnlyAdmin, DecidingAdmin):
    empty_says = gettext_lazy("There are no keys. Make one for your host application.")
    list_display = ("name", "said_prefix", "state", "created_at", "last_used_at")
    fields = ("name", "said_prefix", "created_at", "last_used_at", "revoked_at")
    actions_detail = ("revoke",)

    @display(description=gettext_lazy("begins with"))
    def said_prefix(self, key: ApiKey) -> str:
        return f"{key.prefix}…"

    @display(description=gettext_lazy("state"))
    def state(self, key: ApiKey) -> SafeString:
        if key.revoked_at:
            return badge(_("revoked"), "danger")
        return badge(_("works"), "success")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("rewards.add_apikey")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return self.fields if obj else ("name",)

    def lookup_allowed(
        self, lookup: str, value: str, request: HttpRequest | None = None
    ) -> bool:
        """A digest must not be guessed byte by byte through the address bar."""
        return not lookup.startswith("digest") and super().lookup_allowed(
            lookup, value, request
        )

    def save_model(
        self, request: HttpRequest, obj: ApiKey, form: forms.Form, change: bool
    ) -> None:
        secret = apikeys.create(obj.name)
        made = ApiKey.objects.get(prefix=secret[: apikeys.PREFIX_LENGTH])
        obj.pk, obj.prefix = made.pk, made.prefix
        said = _("The key is %s. Copy it now: it is shown this once and not stored.")
        messages.warning(request, said % secret)

    def response_add(
        self, request: HttpRequest, obj: ApiKey, post_url_continue: str | None = None
    ) -> HttpResponse:
        return redirect(change_url(obj))

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        key = self.get_object(request, object_id)
        if key is None or key.revoked_at:
            return []
        return super().get_actions_detail(request, object_id)

    @action(
        description=gettext_lazy("Revoke"),
        permissions=["decide"],
        url_path="revoke",
        icon="block",
    )
    def revoke(self, request: HttpRequest, object_id: str) -> HttpResponse:
        key = self.find(request, object_id)

        def act(said: dict[str, Any]) -> str:
            works = ApiKey.objects.filter(pk=key.pk, revoked_at=None)
            if not works.update(revoked_at=datetime.now(UTC)):
                return _("The key was revoked before.")
            self.log_change(request, key, "Revoked")
            return _("The key is revoked; calls with it are refused from now on.")

        question = Question(
            title=_("Revoke this key?"),
            explanation=_("Whoever uses it is refused at once. There is no way back."),
            submit=_("Revoke"),
            act=act,
        )
        return self.ask(request, key, question)
