"""Members: what they hold, what they bought, and enrolling one by hand."""

from datetime import UTC, datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminTextInputWidget

from merchants.admin.tables import Table, TabledAdmin
from rewards.admin.ledger import with_accounts
from rewards.admin.mixins import (
    GrowingAdmin,
    link,
)
from rewards.admin.wording import NOTHING, order_total, transfer_table, when
from rewards.members import put_member
from rewards.models import Account, Member, Purchase, Transfer
from rewards.money import unit_amount

MOST = 10


class SegmentsField(forms.CharField):
    """A list of names, written with commas."""

    widget = UnfoldAdminTextInputWidget

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(map(str, value)) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        names = (name.strip() for name in (value or "").split(","))
        return list(dict.fromkeys(name for name in names if name))

    def has_changed(self, initial: Any, data: Any) -> bool:
        return list(initial or ()) != self.to_python(data)


class MemberForm(forms.ModelForm):
    segments = SegmentsField(
        label=gettext_lazy("Segments"),
        required=False,
        help_text=gettext_lazy(
            "Names with commas between them, for example: vip, staff"
        ),
    )


@admin.register(Member)
class MemberAdmin(GrowingAdmin, TabledAdmin):
    form = MemberForm
    list_display = ("customer_id", "email", "status", "joined_at")
    search_fields = ("customer_id__exact", "email__exact")
    search_help_text = gettext_lazy("Customer id or e-mail, in full")
    list_disable_select_all = True
    fields = ("customer_id", "email", "locale", "segments")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return (*self.fields, "status", "joined_at", "user") if obj else self.fields

    def get_readonly_fields(
        self, request: HttpRequest, obj: Any = None
    ) -> tuple[str, ...]:
        return ("customer_id", "status", "joined_at", "user") if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(
        self, request: HttpRequest, obj: Member, form: forms.Form, change: bool
    ) -> None:
        """Enrol as the API does, so that orders which waited are settled."""
        names = ("email", "locale", "segments")
        member, _created = put_member(
            obj.customer_id,
            at=datetime.now(UTC),
            **{name: form.cleaned_data[name] for name in names},
        )
        obj.pk, obj.joined_at = member.pk, member.joined_at

    def get_tables(self, request: HttpRequest, obj: Member) -> list[Table]:
        return [_balances(obj), _purchases(obj), _transfers(obj)]


def _balances(member: Member) -> Table:
    """One line a unit: units are never added up."""
    units: dict[Any, dict[str, str]] = {}
    for account in member.accounts.select_related("unit").order_by("unit_id"):
        amount = unit_amount(account.balance or 0, unit=account.unit)
        units.setdefault(account.unit, {})[account.kind] = amount
    kinds = Account.MEMBER_KINDS
    headers = [_("Unit"), *(kind.label for kind in kinds)]
    rows = [
        [unit.code, *(held.get(kind, NOTHING) for kind in kinds)]
        for unit, held in units.items()
    ]
    return Table(_("Balances"), headers, rows)


def _purchases(member: Member) -> Table:
    newest = member.purchases.select_related("merchant").order_by(
        "-attributed_at", "-id"
    )
    rows = [
        [
            link(purchase),
            str(purchase.merchant or NOTHING),
            purchase.get_status_display(),
            order_total(purchase),
            when(purchase.attributed_at),
        ]
        for purchase in newest[:MOST]
    ]
    headers = [_("Order"), _("Merchant"), _("Status"), _("Order total"), _("Ordered")]
    more = _found_by(Purchase, member) if rows else ""
    return Table(_("Newest purchases"), headers, rows, more=more)


def _transfers(member: Member) -> Table:
    held = list(member.accounts.values_list("id", flat=True))
    sides = Q(from_account__in=held) | Q(to_account__in=held)
    newest = list(with_accounts(Transfer.objects.filter(sides)).order_by("-id")[:MOST])
    more = _found_by(Transfer, member) if newest else ""
    return transfer_table(newest, _("Newest transfers"), more=more)


def _found_by(model: type[Purchase] | type[Transfer], member: Member) -> str:
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"
    return f"{reverse(name)}?{urlencode({'q': member.customer_id})}"
