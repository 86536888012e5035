"""The catalogue: the stores that members see, and those met in orders alone."""

from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.decorators import display

from merchants.models import Merchant


@admin.register(Merchant)
class MerchantAdmin(ModelAdmin):
    list_display = ("title", "external_id", "network", "listed", "created_at")
    list_filter = ("listed", "network")
    list_filter_submit = True
    search_fields = ("name", "external_id", "slug")
    search_help_text = _("Name, or id at the network")
    fields = ("network", "external_id", "name", "slug", "homepage_url", "listed")
    ordering = ("name", "external_id")
    formfield_overrides = {models.URLField: {"assume_scheme": "https"}}

    @display(description=_("name"), ordering="name")
    def title(self, merchant: Merchant) -> str:
        return str(merchant)

    def get_readonly_fields(
        self, request: HttpRequest, obj: Merchant | None = None
    ) -> tuple[str, ...]:
        """What orders find a merchant by stays as it is."""
        return ("network", "external_id") if obj else ()

    def has_delete_permission(
        self, request: HttpRequest, obj: Merchant | None = None
    ) -> bool:
        """One at a time, and only where nothing points at it; else delist it."""
        allowed = super().has_delete_permission(request, obj)
        return allowed and obj is not None and not _is_used(obj)


def _is_used(merchant: Merchant) -> bool:
    return any(
        relation.related_model._default_manager.filter(
            **{relation.field.name: merchant}
        ).exists()
        for relation in Merchant._meta.related_objects
    )
