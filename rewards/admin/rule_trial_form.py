"""What staff say of the order on which a rule is tried while it is written."""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.utils.timezone import make_naive
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import (
    UnfoldAdminSelect2Widget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from merchants.currencies import EXPONENTS
from rewards.admin.local_times import instant
from rewards.admin.rule_fields import CHANNELS
from rewards.admin.rule_widgets import WIDE, MerchantWidget

REAL, MADE_UP = "real", "made_up"


MOST_DIGITS = 12


def _amount(label: Any, initial: str) -> forms.DecimalField:
    return forms.DecimalField(
        label=label,
        required=False,
        initial=initial,
        min_value=0,
        max_digits=MOST_DIGITS,
        widget=UnfoldAdminTextInputWidget({"inputmode": "decimal"}),
    )


class TrialForm(forms.Form):
    """A real purchase by one of its names, or everything of a made-up order."""

    source = forms.ChoiceField(
        label=gettext_lazy("Try it on"),
        choices=[
            (REAL, gettext_lazy("a real purchase")),
            (MADE_UP, gettext_lazy("a made-up order")),
        ],
        widget=UnfoldAdminSelectWidget({"x-model.fill": "source"}),
    )
    order = forms.CharField(
        label=gettext_lazy("Which purchase"),
        required=False,
        max_length=255,
        widget=UnfoldAdminTextInputWidget,
        help_text=gettext_lazy(
            "Its order, tx- id or order number. Empty: the latest that the rule is for."
        ),
    )
    merchant = forms.CharField(
        label=gettext_lazy("Store"), required=False, widget=MerchantWidget
    )
    currency = forms.ChoiceField(
        label=gettext_lazy("Currency"),
        required=False,
        initial="USD",
        choices=[(code, code) for code in sorted(EXPONENTS)],
        widget=UnfoldAdminSelect2Widget({**WIDE}),
    )
    total = _amount(gettext_lazy("Order total"), "100")
    commission = _amount(gettext_lazy("Our commission"), "5")
    lines = forms.CharField(
        label=gettext_lazy("Items"),
        required=False,
        max_length=5000,
        widget=UnfoldAdminTextareaWidget({"rows": 3}),
        help_text=gettext_lazy("One a line, category and amount: LIGHTING: 45.00"),
    )
    segments = forms.CharField(
        label=gettext_lazy("Member's segments"),
        required=False,
        max_length=5000,
        widget=UnfoldAdminTextInputWidget,
        help_text=gettext_lazy("With commas between them."),
    )
    first = forms.BooleanField(
        label=gettext_lazy("The member's first order"),
        required=False,
        widget=UnfoldBooleanWidget,
    )
    channel = forms.ChoiceField(
        label=gettext_lazy("Ordered"),
        required=False,
        choices=[("", "-"), *CHANNELS],
        widget=UnfoldAdminSelectWidget,
    )
    country = forms.CharField(
        label=gettext_lazy("Country"),
        required=False,
        max_length=2,
        widget=UnfoldAdminTextInputWidget,
    )
    at = forms.DateTimeField(
        label=gettext_lazy("When (UTC)"),
        required=False,
        widget=UnfoldAdminTextInputWidget({"type": "datetime-local"}),
        help_text=gettext_lazy("Empty: now."),
    )

    def clean(self) -> dict[str, Any]:
        """Amounts become minor units of the currency; items, pairs of both."""
        super().clean()
        said = self.cleaned_data
        said["currency"] = said.get("currency") or "USD"
        for name in ("total", "commission"):
            amount = said.get(name) or Decimal()
            said[name] = self._minor(name, amount)
        said["lines"] = list(self._lines(said.get("lines", "")))
        return said

    def clean_at(self) -> datetime | None:
        at: datetime | None = self.cleaned_data["at"]
        return instant(make_naive(at), zone=ZoneInfo("UTC")) if at else None

    def _lines(self, text: str) -> Iterator[tuple[str, int]]:
        price = forms.DecimalField(max_digits=MOST_DIGITS)
        for line in filter(str.strip, text.splitlines()):
            category, _colon, amount = line.rpartition(":")
            try:
                yield category.strip(), self._minor("lines", price.clean(amount))
            except forms.ValidationError:
                said = _("Write a category, a colon, an amount: LIGHTING: 45.00")
                self.add_error("lines", said)

    def _minor(self, name: str, amount: Decimal) -> int:
        try:
            return minor(amount, currency=self.cleaned_data["currency"])
        except forms.ValidationError as error:
            self.add_error(name, error)
            return 0


def minor(amount: Decimal, *, currency: str) -> int:
    """Major units as minor ones. Raises ValidationError where a part is left over."""
    exponent = EXPONENTS.get(currency, 0)
    exact = amount.scaleb(exponent)
    if not exact.is_finite() or exact != int(exact):
        said = _("%(currency)s has %(n)d decimals at most.")
        raise forms.ValidationError(said % {"currency": currency, "n": exponent})
    return int(exact)
