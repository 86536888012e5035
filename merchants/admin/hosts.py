"""Tracking hosts: where else than to its store a link may lead."""

from typing import ClassVar

from django import forms
from django.contrib import admin
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from merchants import hosts
from merchants.admin.audit import AuditedAdmin
from merchants.models import TrackingHost


class TrackingHostForm(forms.ModelForm):
    class Meta:
        help_texts: ClassVar = {
            "host": gettext_lazy(
                "Links may lead to this host and to those below it, from every store."
                " Never name one below which anybody can have a host, such as co.uk."
            )
        }

    def clean_host(self) -> str:
        try:
            return hosts.normalised(self.cleaned_data["host"])
        except ValueError:
            raise forms.ValidationError(
                _("Write a host name alone, such as click.network.example.")
            ) from None


@admin.register(TrackingHost)
class TrackingHostAdmin(AuditedAdmin):
    empty_says = gettext_lazy(
        "No host is tracked. Hosts come with the catalogue; add one that it lacks."
    )
    form = TrackingHostForm
    list_display = ("host", "note")
    search_fields = ("host", "note")
    search_help_text = gettext_lazy("Host or note")
    fields = ("host", "note")
