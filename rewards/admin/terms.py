"""How balances in a unit are handled: what is forgiven, who decides, when to warn."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextInputWidget

from merchants.admin.audit import AuditedAdmin
from rewards.models import Terms
from rewards.models.adjustments import ALONE
from rewards.money import plain, typed, unit_amount

AMOUNTS = ("forgive_below", "alone_up_to")


class TermsForm(forms.ModelForm):
    """Amounts as people write them, with all decimals of the unit."""

    forgive_below = forms.CharField(
        label=_("Forgive debts up to"),
        max_length=32,
        initial="0",
        widget=UnfoldAdminTextInputWidget,
        help_text=_("A debt this small is written off at once. 0 forgives none."),
    )
    alone_up_to = forms.CharField(
        label=_("One person adjusts up to"),
        max_length=32,
        widget=UnfoldAdminTextInputWidget,
        help_text=_(
            "What one person may give or take of a member within a day; above it, a"
            " second person approves."
        ),
    )

    class Meta:
        model = Terms
        fields = ("unit", *AMOUNTS, "warn_days")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        terms = kwargs.get("instance")
        if terms:
            known = {
                name: plain(getattr(terms, name), unit=terms.unit) for name in AMOUNTS
            }
            kwargs["initial"] = {**known, **(kwargs.get("initial") or {})}
        super().__init__(*args, **kwargs)

    def clean(self) -> dict[str, Any]:
        super().clean()
        said = self.cleaned_data
        unit = said.get("unit") or (self.instance.pk and self.instance.unit)
        for name in AMOUNTS:
            if unit and name in said:
                self._read(name, unit)
        return said

    def _read(self, name: str, unit: Any) -> None:
        """An amount in smallest steps; a bare 0 is the same in every unit."""
        text = self.cleaned_data[name]
        try:
            amount = 0 if text == "0" else typed(text, unit=unit)
        except ValueError as wrong:
            self.add_error(name, str(wrong))
            return
        if amount < 0:
            self.add_error(name, _("It can't be below zero."))
        self.cleaned_data[name] = amount


@admin.register(Terms)
class TermsAdmin(AuditedAdmin):
    """A unit without terms of its own has the defaults."""

    empty_says = _(
        "Every unit is handled by the usual terms. Add some to change them for a unit."
    )
    form = TermsForm
    list_display = ("unit", "said_forgive_below", "said_alone_up_to", "warn_days")
    list_select_related = ("unit",)
    fields = ("unit", *AMOUNTS, "warn_days")

    @display(description=_("forgive debts up to"))
    def said_forgive_below(self, terms: Terms) -> str:
        return unit_amount(terms.forgive_below, unit=terms.unit)

    @display(description=_("one person adjusts up to"))
    def said_alone_up_to(self, terms: Terms) -> str:
        return unit_amount(terms.alone_up_to, unit=terms.unit)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        if self.has_change_permission(request, obj) or obj is None:
            return self.fields
        return ("unit", "said_forgive_below", "said_alone_up_to", "warn_days")

    def get_readonly_fields(
        self, request: HttpRequest, obj: Any = None
    ) -> tuple[str, ...]:
        own = ("said_forgive_below", "said_alone_up_to")
        return ("unit", *own) if obj else own

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"alone_up_to": str(ALONE)}
