"""The facts of a purchase, to be changed to see what would come of it."""

from dataclasses import replace
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from merchants.currencies import EXPONENTS
from rewards.admin.local_times import instant
from rewards.admin.receipt_facts import goods
from rewards.admin.rule_fields import CHANNELS
from rewards.admin.rule_trial_form import MOST_DIGITS, minor
from rewards.models import Purchase
from rewards.program.facts import AT_MERCHANT, EVER, Facts
from rewards.reports import REWARDED_CATEGORIES, LineItem

MOST_LINES = 30
UTC = ZoneInfo("UTC")
LOCAL = "%Y-%m-%dT%H:%M:%S"


def _money(label: Any) -> forms.DecimalField:
    widget = UnfoldAdminTextInputWidget({"inputmode": "decimal"})
    return forms.DecimalField(label=label, max_digits=MOST_DIGITS, widget=widget)


class WhatIfForm(forms.Form):
    """Filled with what the evaluation saw; ``facts`` is what staff made of it."""

    status = forms.ChoiceField(
        label=gettext_lazy("Status"),
        choices=Purchase.Status.choices,
        widget=UnfoldAdminSelectWidget,
    )
    category = forms.ChoiceField(
        label=gettext_lazy("Order category"),
        choices=[(name, name) for name in REWARDED_CATEGORIES],
        widget=UnfoldAdminSelectWidget,
    )
    order_total = _money(gettext_lazy("Order total"))
    commission = _money(gettext_lazy("Our commission"))
    attributed_at = forms.DateTimeField(
        label=gettext_lazy("Ordered (UTC)"),
        widget=UnfoldAdminTextInputWidget({"type": "datetime-local", "step": 1}),
    )
    country = forms.CharField(
        label=gettext_lazy("Country"),
        required=False,
        max_length=2,
        widget=UnfoldAdminTextInputWidget,
    )
    channel = forms.ChoiceField(
        label=gettext_lazy("Ordered by"),
        required=False,
        choices=[("", "-"), *CHANNELS],
        widget=UnfoldAdminSelectWidget,
    )
    segments = forms.CharField(
        label=gettext_lazy("Member's segments"),
        required=False,
        max_length=5000,
        widget=UnfoldAdminTextInputWidget,
        help_text=gettext_lazy("With commas between them."),
    )
    first = forms.MultipleChoiceField(
        label=gettext_lazy("First purchase"),
        required=False,
        choices=[
            (EVER, gettext_lazy("the member's first")),
            (AT_MERCHANT, gettext_lazy("the first at this merchant")),
        ],
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
    )

    def __init__(self, data: Any = None, *, of: Facts) -> None:
        super().__init__(data, initial=_initial(of))
        self.of = of
        for place, line in enumerate(of.report.lines[:MOST_LINES]):
            self._ask_about(place, line)

    def _ask_about(self, place: int, line: LineItem) -> None:
        currency, name = self.of.report.order_currency, goods(line)
        self.fields[f"quantity_{place}"] = forms.IntegerField(
            label=_("%s: quantity") % name,
            initial=line.quantity,
            min_value=0,
            max_value=10**6,
            widget=UnfoldAdminTextInputWidget({"inputmode": "numeric"}),
        )
        total = _money(_("%s: total") % name)
        total.initial = _major(line.total, currency)
        self.fields[f"total_{place}"] = total
        self.fields[f"category_{place}"] = forms.CharField(
            label=_("%s: category") % name,
            initial=line.categories[0] if line.categories else "",
            required=False,
            max_length=255,
            widget=UnfoldAdminTextInputWidget,
        )

    def clean(self) -> dict[str, Any]:
        """Amounts become minor units of their currency, and the time UTC."""
        said, report = self.cleaned_data, self.of.report
        for name in list(said):
            if isinstance(said[name], Decimal):
                paid = name == "commission"
                currency = report.currency if paid else report.order_currency
                said[name] = self._minor(name, currency)
        return said

    def clean_attributed_at(self) -> Any:
        at = self.cleaned_data["attributed_at"].replace(tzinfo=None)
        return instant(at, zone=UTC)

    def _minor(self, name: str, currency: str) -> int:
        try:
            return minor(self.cleaned_data[name], currency=currency)
        except forms.ValidationError as error:
            self.add_error(name, error)
            return 0

    def facts(self) -> Facts:
        """The facts as they were changed. The form is valid."""
        said, report = self.cleaned_data, self.of.report
        changed = replace(
            report,
            **{name: said[name] for name in _OF_REPORT},
            lines=tuple(map(self._line, range(len(report.lines)), report.lines)),
        )
        about = replace(
            self.of.about,
            segments=tuple(filter(None, map(str.strip, said["segments"].split(",")))),
            first=tuple(said["first"]),
        )
        return Facts(changed, about)

    def _line(self, place: int, line: LineItem) -> LineItem:
        said = self.cleaned_data
        if place >= MOST_LINES:
            return line
        category = said[f"category_{place}"]
        return replace(
            line,
            quantity=said[f"quantity_{place}"],
            total=said[f"total_{place}"],
            categories=(*filter(None, [category]), *line.categories[1:]),
        )


_OF_REPORT = (
    *("status", "category", "order_total", "commission", "attributed_at"),
    *("country", "channel"),
)


def _initial(of: Facts) -> dict[str, Any]:
    report = of.report
    return {
        "status": report.status,
        "category": report.category,
        "order_total": _major(report.order_total or 0, report.order_currency),
        "commission": _major(report.commission or 0, report.currency),
        "attributed_at": report.attributed_at.strftime(LOCAL),
        "country": of.country,
        "channel": of.channel,
        "segments": ", ".join(of.about.segments),
        "first": list(of.about.first),
    }


def _major(amount: int, currency: str) -> str:
    return f"{Decimal(amount).scaleb(-EXPONENTS.get(currency, 0)):f}"
