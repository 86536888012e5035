"""What staff fill in to give or take, one by one or by a file."""

from typing import Any
from uuid import uuid4

from django import forms
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminFileFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from rewards.adjustments import LONGEST_NOTE, MOST_DAYS
from rewards.bulks.reading import MOST_BYTES, MOST_LINES, OPTIONAL, REQUIRED
from rewards.models import Reason, Unit
from rewards.money import typed


class WhyForm(forms.Form):
    """Why a balance is changed: a reason to count by, and a note to read."""

    reason = forms.ChoiceField(
        label=_("Reason"), choices=Reason.choices, widget=UnfoldAdminSelectWidget
    )
    note = forms.CharField(
        label=_("Note for staff"),
        max_length=LONGEST_NOTE,
        widget=UnfoldAdminTextareaWidget({"rows": 3}),
        help_text=_("Colleagues will read it. It can't be changed later."),
    )


class AdjustForm(WhyForm):
    """How much a member is given, or loses."""

    unit = forms.ModelChoiceField(
        label=_("Unit"),
        queryset=Unit.objects.all(),
        empty_label=None,
        widget=UnfoldAdminSelectWidget,
    )
    amount = forms.CharField(
        label=_("Amount"),
        max_length=32,
        widget=UnfoldAdminTextInputWidget,
        help_text=_(
            "With all decimals of the unit, such as 3.02; -3.02 takes it away."
        ),
    )
    expires_after_days = forms.IntegerField(
        label=_("Expires after days"),
        required=False,
        min_value=1,
        max_value=MOST_DAYS,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text=_("Empty: what is given never expires."),
    )
    member_note = forms.CharField(
        label=_("Note for the member"),
        required=False,
        max_length=LONGEST_NOTE,
        widget=UnfoldAdminTextareaWidget({"rows": 2}),
        help_text=_("The member reads it beside the amount."),
    )
    key = forms.UUIDField(initial=uuid4, widget=forms.HiddenInput)
    field_order = (
        *("unit", "amount", "expires_after_days"),
        *("reason", "note", "member_note"),
    )

    def clean(self) -> dict[str, Any]:
        said = self.cleaned_data
        if "unit" in said and "amount" in said:
            try:
                said["amount"] = typed(said["amount"], unit=said["unit"])
            except ValueError as wrong:
                self.add_error("amount", str(wrong))
        return said


class BulkForm(WhyForm):
    """A file of adjustments."""

    file = forms.FileField(
        label=_("CSV file"),
        widget=UnfoldAdminFileFieldWidget({"accept": ".csv,text/csv"}),
        help_text=_(
            "UTF-8, with a comma or a semicolon. The first line names the columns:"
            " %(required)s, and if you like %(optional)s. At most %(lines)d lines."
        )
        % {
            "required": ", ".join(REQUIRED),
            "optional": ", ".join(OPTIONAL),
            "lines": MOST_LINES,
        },
    )
    field_order = ("file", "reason", "note")

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        if file.size > MOST_BYTES:
            raise forms.ValidationError(
                _("The file has more than %d bytes.") % MOST_BYTES
            )
        return file
