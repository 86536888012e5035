"""A stretch of days that staff ask for."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminTextInputWidget

DAY = timedelta(days=1)
LONGEST = timedelta(days=400)
EARLIEST = date(2010, 1, 1)  # before there was anything to ask for


class DayInput(UnfoldAdminTextInputWidget):
    """The browser's own picker of a day."""

    input_type = "date"


class StretchForm(forms.Form):
    """From the beginning of one day in UTC to the end of another."""

    first = forms.DateField(label=gettext_lazy("First day"), widget=DayInput)
    last = forms.DateField(label=gettext_lazy("Last day"), widget=DayInput)

    def clean(self) -> dict[str, Any]:
        said = self.cleaned_data
        if "first" not in said or "last" not in said:
            return said
        if said["first"] < EARLIEST or said["last"] > datetime.now(UTC).date():
            raise forms.ValidationError(
                _("Days are from %d until today in UTC.") % EARLIEST.year
            )
        start, end = _midnight(said["first"]), _midnight(said["last"]) + DAY
        if end <= start:
            raise forms.ValidationError(_("The last day is before the first."))
        if end - start > LONGEST:
            raise forms.ValidationError(_("That is more than thirteen months."))
        return {"start": start, "end": end}


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), tzinfo=UTC)
