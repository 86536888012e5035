"""What staff fill in about redemptions and payouts."""

from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import (
    UnfoldAdminFileFieldWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from rewards.redemptions import payout_files
from rewards.redemptions.payout_files import BadFile

LARGEST_FILE = 1024 * 1024


class FulfilForm(forms.Form):
    """By what it was handed over."""

    reference = forms.CharField(
        label=gettext_lazy("Reference"),
        required=False,
        max_length=255,
        widget=UnfoldAdminTextInputWidget,
        help_text=gettext_lazy("What whoever handed it over calls it."),
    )


class CancelForm(forms.Form):
    """Why: the member reads it, too."""

    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=255,
        widget=UnfoldAdminTextareaWidget({"rows": 3}),
        help_text=gettext_lazy("The member sees it, and it can't be changed later."),
    )


class ExportForm(forms.Form):
    """Which payouts go into a file."""

    again = forms.BooleanField(
        label=gettext_lazy("Also what an earlier file has"),
        required=False,
        widget=UnfoldBooleanSwitchWidget,
        help_text=gettext_lazy("Whoever pays both files pays those twice."),
    )


class ResultsForm(forms.Form):
    """The payer's file, checked line by line."""

    file = forms.FileField(
        label=gettext_lazy("File"),
        widget=UnfoldAdminFileFieldWidget,
        help_text=gettext_lazy(
            "CSV with the columns number, amount and result (paid or failed), and if"
            " you like reference and reason."
        ),
    )

    def clean(self) -> dict[str, Any]:
        said = self.cleaned_data
        file = said.get("file")
        if file and file.size > LARGEST_FILE:
            self.add_error("file", _("It is larger than 1 MB. Split it."))
        elif file:
            try:
                said["results"] = payout_files.read(file.read())
            except BadFile as bad:
                self.add_error("file", bad.lines)
        return said
