"""The ledger, to look at: accounts and transfers. Nothing here can change it."""

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import (
    ChoicesDropdownFilter,
    RelatedDropdownFilter,
)
from unfold.decorators import display

from merchants.admin.tables import ReadOnlyAdmin, Table, TabledAdmin
from rewards.admin.mixins import (
    GrowingAdmin,
    link,
)
from rewards.admin.wording import NOTHING, account_name, transfer_table
from rewards.models import Account, Transfer
from rewards.money import unit_amount

MOST = 50


@admin.register(Account)
class AccountAdmin(ReadOnlyAdmin, GrowingAdmin, TabledAdmin):
    empty_says = gettext_lazy(
        "Nobody holds anything yet. Accounts are made with the first transfer."
    )
    list_display = ("title", "kind", "unit", "said_balance")
    list_display_links = ("title",)
    list_filter = (("unit", RelatedDropdownFilter), ("kind", ChoicesDropdownFilter))
    list_select_related = ("member", "unit")
    search_fields = ("member__customer_id__exact",)
    search_help_text = gettext_lazy("Customer id, in full")
    fields = ("owner", "kind", "unit", "said_balance")

    @display(description=gettext_lazy("whose"))
    def title(self, account: Account) -> str:
        return str(account.member or _("the program"))

    @display(description=gettext_lazy("whose"))
    def owner(self, account: Account) -> SafeString | str:
        return link(account.member) if account.member else _("the program")

    @display(description=gettext_lazy("balance"))
    def said_balance(self, account: Account) -> str:
        if account.balance is None:
            return NOTHING
        return unit_amount(account.balance, unit=account.unit)

    def get_tables(self, request: HttpRequest, obj: Account) -> list[Table]:
        """Its newest transfers; each side by its own index, then the two merged."""
        sides = (obj.transfers_out, obj.transfers_in)
        ids = {
            id
            for side in sides
            for id in side.order_by("-id").values_list("id", flat=True)[:MOST]
        }
        newest = sorted(ids, reverse=True)[:MOST]
        transfers = with_accounts(Transfer.objects.filter(pk__in=newest))
        return [transfer_table(transfers, _("Newest transfers"))]


@admin.register(Transfer)
class TransferAdmin(ReadOnlyAdmin, GrowingAdmin):
    empty_says = gettext_lazy("Nothing has moved yet.")
    list_display = ("title", "said_amount", "origin", "target", "recorded_at")
    list_filter = (
        ("from_account__unit", RelatedDropdownFilter),
        ("from_account__kind", ChoicesDropdownFilter),
        ("to_account__kind", ChoicesDropdownFilter),
    )
    list_select_related = (
        *("from_account__unit", "from_account__member"),
        *("to_account__unit", "to_account__member"),
    )
    search_fields = ("reference",)  # get_search_results says how
    search_help_text = gettext_lazy("Customer id, in full")
    fields = (
        *("said_amount", "origin", "target", "of_purchase", "because"),
        *("source", "reference", "recorded_at"),
    )

    @display(description=gettext_lazy("transfer"))
    def title(self, transfer: Transfer) -> str:
        return f"#{transfer.pk}"

    @display(description=gettext_lazy("amount"))
    def said_amount(self, transfer: Transfer) -> str:
        return unit_amount(transfer.amount, unit=transfer.from_account.unit)

    @display(description=gettext_lazy("from"))
    def origin(self, transfer: Transfer) -> SafeString | str:
        return account_name(transfer.from_account)

    @display(description=gettext_lazy("to"))
    def target(self, transfer: Transfer) -> SafeString | str:
        return account_name(transfer.to_account)

    @display(description=gettext_lazy("purchase"))
    def of_purchase(self, transfer: Transfer) -> SafeString | str:
        return link(transfer.purchase)

    @display(description=gettext_lazy("settling number"))
    def because(self, transfer: Transfer) -> str:
        return str(transfer.settlement_id or NOTHING)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Transfer], search_term: str
    ) -> tuple[QuerySet[Transfer], bool]:
        """A member has few accounts; transfers are found by those."""
        term = search_term.strip()
        if not term:
            return queryset, False
        held = Account.objects.filter(member__customer_id=term)
        ids = list(held.values_list("id", flat=True))
        sides = Q(from_account__in=ids) | Q(to_account__in=ids)
        return queryset.filter(sides), False


def with_accounts(transfers: QuerySet[Transfer]) -> QuerySet[Transfer]:
    return transfers.select_related(
        "from_account__unit", "from_account__member", "to_account__member"
    )
