"""What staff fill in to put past purchases under another edition."""

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminSplitDateTimeWidget

from merchants.models import Merchant
from rewards.admin.decision_forms import ReasonForm
from rewards.admin.local_times import LocalTimesForm
from rewards.admin.rule_widgets import MerchantsWidget, TagsField
from rewards.models import Edition


class RerunForm(ReasonForm, LocalTimesForm):
    """Which past purchases, and the edition that they are put under."""

    times = ("start", "end")

    edition = forms.ModelChoiceField(
        label=gettext_lazy("Under edition"),
        queryset=Edition.objects.standing(),
        widget=UnfoldAdminSelectWidget,
        help_text=gettext_lazy("It holds for these purchases as if it had then."),
    )
    start = forms.SplitDateTimeField(
        label=gettext_lazy("Ordered from"), widget=UnfoldAdminSplitDateTimeWidget
    )
    end = forms.SplitDateTimeField(
        label=gettext_lazy("Until, not included"),
        widget=UnfoldAdminSplitDateTimeWidget,
    )
    merchants = TagsField(
        label=gettext_lazy("Stores"),
        widget=MerchantsWidget,
        help_text=gettext_lazy("Search by name. Empty: every store."),
    )
    field_order = ("edition", "start", "end", "zone", "merchants", "reason")

    def clean_merchants(self) -> list[Merchant]:
        ids = self.cleaned_data["merchants"]
        found = list(Merchant.objects.filter(external_id__in=ids))
        if unknown := set(ids) - {merchant.external_id for merchant in found}:
            raise forms.ValidationError(
                _("No merchant has the id %s.") % ", ".join(sorted(unknown))
            )
        return found
