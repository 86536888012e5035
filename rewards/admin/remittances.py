"""Remittances: what the network has paid us, entered by hand from its statement."""

from datetime import UTC, datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from merchants.admin.tables import ReadOnlyAdmin
from merchants.currencies import EXPONENTS
from rewards.admin.backtests import DayInput
from rewards.admin.mixins import GrowingAdmin, staff
from rewards.models import Remittance
from rewards.money import currency_amount

MOST = 10**12


class RemittanceForm(forms.ModelForm):
    """An amount as the statement shows it; below zero it is taken back again."""

    paid = forms.DecimalField(
        label=gettext_lazy("Amount"),
        widget=UnfoldAdminDecimalFieldWidget,
        help_text=gettext_lazy("As it stands on the statement, such as 1250.00."),
    )
    currency = forms.ChoiceField(
        label=gettext_lazy("Currency"),
        choices=[("", "-"), *((code, code) for code in sorted(EXPONENTS))],
        widget=UnfoldAdminSelectWidget,
    )

    class Meta:
        model = Remittance
        fields = ("account", "received_on", "reference")
        widgets = {"received_on": DayInput, "reference": UnfoldAdminTextInputWidget}
        help_texts = {
            "reference": gettext_lazy("Its number on the statement, entered once.")
        }

    def clean(self) -> dict[str, Any]:
        said = super().clean() or {}
        paid, currency = said.get("paid"), said.get("currency")
        if paid is None or not currency:
            return said
        minor = paid.scaleb(EXPONENTS[currency])
        if minor != minor.to_integral_value():
            text = _("%(currency)s has %(decimals)d decimals.")
            self.add_error(
                "paid", text % {"currency": currency, "decimals": EXPONENTS[currency]}
            )
        elif not 0 < abs(minor) <= MOST:
            self.add_error("paid", _("That is no amount that can be paid."))
        else:
            self.instance.amount, self.instance.currency = int(minor), currency
        return said


@admin.register(Remittance)
class RemittanceAdmin(ReadOnlyAdmin, GrowingAdmin):
    """Entered, and never changed: a mistake is taken back by its negative."""

    empty_says = gettext_lazy("No money from the network is entered yet.")
    form = RemittanceForm
    list_display = ("reference", "account", "said_amount", "received_on")
    list_select_related = ("account",)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("rewards.add_remittance")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        if obj is None:
            return "account", "paid", "currency", "received_on", "reference"
        return (
            *("account", "said_amount", "received_on", "reference"),
            *("entered_by", "entered_at"),
        )

    @display(description=gettext_lazy("amount"))
    def said_amount(self, remittance: Remittance) -> str:
        return currency_amount(remittance.amount, currency=remittance.currency)

    def save_model(
        self,
        request: HttpRequest,
        obj: Remittance,
        form: forms.Form,
        change: bool,
    ) -> None:
        obj.entered_by, obj.entered_at = staff(request), datetime.now(UTC)
        super().save_model(request, obj, form, change)
