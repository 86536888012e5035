"""What a member's page says below the form: holdings, debts, lots, what is newest."""

from django.db.models import F, Q
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from merchants.admin.tables import Table
from rewards.admin.ledger import with_accounts
from rewards.admin.mixins import link
from rewards.admin.wording import NOTHING, order_total, transfer_table, when
from rewards.ledger.debts import open_debts
from rewards.models import Account, Adjustment, Lot, Member, Purchase, Transfer, Unit
from rewards.money import unit_amount

MOST = 10
MOST_LOTS = 50


def member_tables(member: Member) -> list[Table]:
    tables = [_debts(member), _lots(member)]
    return [
        _balances(member),
        *(table for table in tables if table.rows),
        _purchases(member),
        _transfers(member),
    ]


def _debts(member: Member) -> Table:
    rows = [
        [
            unit_amount(debt.open, unit=debt.unit),
            unit_amount(debt.taken, unit=debt.unit),
            _origin(debt.purchase, debt.adjustment),
            when(debt.since),
        ]
        for debt in open_debts(member)
    ]
    headers = [_("Still open"), _("Taken back"), _("Of"), _("Since")]
    return Table(_("Debts, oldest first"), headers, rows)


def _lots(member: Member) -> Table:
    """What can be spent, by what it came from."""
    open_lots = (
        Lot.objects.filter(account__member=member, remaining__gt=0)
        .select_related("account__unit", "purchase", "adjustment")
        .order_by("account__unit_id", F("expires_at").asc(nulls_last=True), "pk")
    )
    rows = [
        [
            unit_amount(lot.remaining, unit=lot.account.unit),
            unit_amount(lot.amount, unit=lot.account.unit),
            when(lot.expires_at) if lot.expires_at else _("never"),
            _origin(lot.purchase, lot.adjustment),
            when(lot.since),
        ]
        for lot in open_lots[:MOST_LOTS]
    ]
    headers = [_("Remaining"), _("Of"), _("Expires"), _("From"), _("Available since")]
    note = _("The first %d; there are more.") % MOST_LOTS
    note = note if len(rows) == MOST_LOTS else ""
    return Table(_("Lots, in the order in which they are used"), headers, rows, note)


def _origin(
    purchase: Purchase | None, adjustment: Adjustment | None
) -> SafeString | str:
    return link(purchase or adjustment)


def _balances(member: Member) -> Table:
    """One line a unit: units are never added up."""
    units: dict[Unit, dict[str, str]] = {}
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
