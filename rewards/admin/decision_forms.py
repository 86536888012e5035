"""What staff fill in to decide something: always with a reason."""

from typing import Any

from django import forms
from django.contrib.auth.models import AbstractBaseUser
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import (
    UnfoldAdminRadioSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from rewards.admin.wording import report_amounts, when
from rewards.models import Member, Purchase, Report


class ReasonForm(forms.Form):
    """Why: it stays with what was decided."""

    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=2000,
        widget=UnfoldAdminTextareaWidget({"rows": 3}),
        help_text=gettext_lazy("Colleagues will read it. It can't be changed later."),
    )


class AssignForm(ReasonForm):
    """Whose purchase it is."""

    customer_id = forms.CharField(
        label=gettext_lazy("Customer id"),
        required=False,
        max_length=255,
        widget=UnfoldAdminTextInputWidget,
        help_text=gettext_lazy(
            "The member's id in the host application. Left empty, the purchase goes"
            " back to whoever its reports name."
        ),
    )
    field_order = ("customer_id", "reason")

    def __init__(self, *args: Any, by: AbstractBaseUser, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.by = by

    def clean_customer_id(self) -> str:
        customer_id = self.cleaned_data["customer_id"]
        self.member = Member.objects.filter(customer_id=customer_id).first()
        if customer_id and not self.member:
            raise forms.ValidationError(_("No member has this customer id."))
        if self.member and self.member.user_id == self.by.pk:
            raise forms.ValidationError(_("That is you: somebody else must decide."))
        return customer_id

    def clean(self) -> dict[str, Any]:
        return {**self.cleaned_data, "member": getattr(self, "member", None)}


class ReportField(forms.ModelChoiceField):
    def label_from_instance(self, report: Report) -> str:
        total, commission = report_amounts(report)
        return _(
            "%(status)s: order %(total)s, commission %(commission)s,"
            " changed %(changed)s, by %(source)s"
        ) % {
            "status": report.get_status_display(),
            "total": total,
            "commission": commission,
            "changed": when(report.modified_at),
            "source": report.get_source_display(),
        }


class ResolveForm(ReasonForm):
    """Which report of a purchase in review is the one that holds."""

    report = ReportField(
        label=gettext_lazy("The report that holds"),
        queryset=Report.objects.none(),
        empty_label=None,
        widget=UnfoldAdminRadioSelectWidget,
    )
    field_order = ("report", "reason")

    def __init__(self, *args: Any, purchase: Purchase, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        reports: Any = self.fields["report"]
        reports.queryset = purchase.reports.defer("digest")
