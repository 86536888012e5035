"""Which time a finance report is about: given in its address, never posted."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from rewards.admin.backtests import DayInput
from rewards.closing import days


def end_of(day: date) -> datetime:
    """When that day ends by the clocks of the program; in UTC."""
    return days.begins(day + days.DAY, at=datetime.now(UTC))


def today() -> date:
    """Today by the clocks of the program."""
    now = datetime.now(UTC)
    return days.local_day(now, at=now)


class DayField(forms.DateField):
    """A day that clocks can shift and that has a next: not the calendar's ends."""

    widget = DayInput
    default_validators = [
        MinValueValidator(date(1970, 1, 1)),
        MaxValueValidator(date(2999, 12, 31)),
    ]


class AsOfForm(forms.Form):
    """The end of a day, as it was known at the end of that day or another."""

    as_of = DayField(label=gettext_lazy("At the end of"), initial=today)
    known_on = DayField(
        label=gettext_lazy("As known at the end of"),
        required=False,
        help_text=gettext_lazy("Left empty: as we know it now."),
    )


class StretchForm(forms.Form):
    """From the beginning of one day to the end of another."""

    first = DayField(
        label=gettext_lazy("First day"),
        initial=lambda: today() - timedelta(days=90),
    )
    last = DayField(label=gettext_lazy("Last day"), initial=today)

    def clean(self) -> dict[str, Any]:
        first, last = self.cleaned_data.get("first"), self.cleaned_data.get("last")
        if first and last and last < first:
            raise forms.ValidationError(_("The last day is before the first."))
        return self.cleaned_data


def chosen(form: forms.Form) -> dict[str, Any]:
    """What was asked for; what it begins with where nothing was, or nonsense."""
    if form.is_bound and form.is_valid():
        return form.cleaned_data
    return {
        name: form.get_initial_for_field(f, name) for name, f in form.fields.items()
    }
