"""What a member's page says below the form: holdings, orders, visits, decisions."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import F, Model, Prefetch, Q
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html_join
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from merchants.admin.audit import told
from merchants.admin.tables import Table
from merchants.clicks import number
from merchants.models import Click
from rewards.admin import adjustments, redemptions
from rewards.admin.ledger import with_accounts
from rewards.admin.mixins import link
from rewards.admin.wording import (
    NOTHING,
    badge,
    order_total,
    status_badge,
    transfer_table,
    when,
)
from rewards.ledger.debts import open_debts
from rewards.models import (
    Adjustment,
    Award,
    Lot,
    Member,
    Purchase,
    Redemption,
    Transfer,
    Unit,
)
from rewards.money import unit_amount

MOST = 10
MOST_LOTS = 50


class Section(NamedTuple):
    """A part of the page, for those who may see what it is about."""

    permission: str
    table: Callable[[Member], Table]


def sections(request: HttpRequest, member: Member) -> list[Table]:
    """Each part of the page that this person may see."""
    allowed = (s for s in SECTIONS if request.user.has_perm(s.permission))
    tables = (section.table(member) for section in allowed)
    return [table for table in tables if table.rows or table.note]


def _purchases(member: Member) -> Table:
    awards = Prefetch("settlement__awards", Award.objects.select_related("unit"))
    newest = (
        member.purchases.select_related("merchant", "settlement")
        .prefetch_related(awards)
        .order_by("-attributed_at", "-id")
    )
    rows = [
        [
            link(purchase),
            str(purchase.merchant or NOTHING),
            badge(_("in review"), "warning")
            if purchase.review
            else status_badge(purchase),
            order_total(purchase),
            _earned(purchase.settlement.awards.all() if purchase.settlement else ()),
            when(purchase.attributed_at),
        ]
        for purchase in newest[:MOST]
    ]
    headers = [
        *(_("Order"), _("Merchant"), _("Status"), _("Order total"), _("Reward")),
        _("Ordered"),
    ]
    empty = _(
        "No order yet. One that is missing is found by its order id in the search"
        " above; its page offers to assign it."
    )
    return _table(_("Newest purchases"), headers, rows, empty, _all(Purchase, member))


def _earned(awards: Iterable[Award]) -> str:
    """What all rules together grant, a unit each."""
    granted: dict[Unit, int] = {}
    for award in awards:
        granted[award.unit] = granted.get(award.unit, 0) + award.granted
    amounts = [unit_amount(n, unit=unit) for unit, n in granted.items() if n]
    return ", ".join(amounts) or NOTHING


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
            link(lot.purchase or lot.adjustment),
            when(lot.since),
        ]
        for lot in open_lots[:MOST_LOTS]
    ]
    headers = [_("Remaining"), _("Of"), _("Expires"), _("From"), _("Available since")]
    note = _("The first %d; there are more.") % MOST_LOTS
    note = note if len(rows) == MOST_LOTS else ""
    if not rows:
        note = _(
            "Nothing can be spent. What is pending becomes available once the store has"
            " confirmed the order; Adjust gives something by hand."
        )
    return Table(_("Lots, in the order in which they are used"), headers, rows, note)


def _debts(member: Member) -> Table:
    rows = [
        [
            unit_amount(debt.open, unit=debt.unit),
            unit_amount(debt.taken, unit=debt.unit),
            link(debt.purchase or debt.adjustment),
            when(debt.since),
        ]
        for debt in open_debts(member)
    ]
    headers = [_("Still open"), _("Taken back"), _("Of"), _("Since")]
    return Table(_("Debts, oldest first"), headers, rows)


def _redemptions(member: Member) -> Table:
    newest = member.redemptions.select_related("reward__unit").order_by("-pk")
    rows = [
        [
            link(one),
            one.reward.name,
            unit_amount(one.amount, unit=one.reward.unit),
            badge(
                one.get_status_display(),
                redemptions.COLOURS[Redemption.Status(one.status)],
            ),
            when(one.asked_at),
        ]
        for one in newest[:MOST]
    ]
    headers = [_("Number"), _("Reward"), _("Amount"), _("Status"), _("Asked for")]
    empty = _("Nothing is redeemed yet. Rewards has what members can redeem for.")
    return _table(_("Redemptions"), headers, rows, empty, _all(Redemption, member))


def _adjustments(member: Member) -> Table:
    newest = member.adjustments.select_related("unit", "asked_by").order_by("-pk")
    rows = [
        [
            link(one),
            adjustments.signed(one),
            one.get_reason_display(),
            badge(
                one.get_state_display(),
                adjustments.COLOURS.get(Adjustment.State(one.state), ""),
            ),
            str(one.asked_by),
            when(one.asked_at),
        ]
        for one in newest[:MOST]
    ]
    headers = [
        *(_("Adjustment"), _("Amount"), _("Reason"), _("State")),
        *(_("Asked for by"), _("When")),
    ]
    empty = _("Nothing is given or taken by hand. Adjust, above, does.")
    return _table(_("Adjustments"), headers, rows, empty, _all(Adjustment, member))


def _visits(member: Member) -> Table:
    orders = Prefetch("purchases", Purchase.objects.order_by("pk"), to_attr="orders")
    newest: Any = (
        Click.objects.filter(customer_id=member.customer_id)
        .select_related("merchant")
        .prefetch_related(orders)
        .order_by("-clicked_at", "-pk")
    )
    rows = [
        [
            link(click, number(click)),
            str(click.merchant),
            when(click.clicked_at),
            format_html_join(", ", "{}", ((link(order),) for order in click.orders))
            or NOTHING,
        ]
        for click in newest[:MOST]
    ]
    headers = [_("Visit"), _("Merchant"), _("When"), _("What came of it")]
    empty = _(
        "No visit yet. An order made without one carries nothing of ours but the"
        " customer id, and may have been made without our link."
    )
    return _table(_("Visits to stores"), headers, rows, empty, _all(Click, member))


def _transfers(member: Member) -> Table:
    held = list(member.accounts.values_list("id", flat=True))
    sides = Q(from_account__in=held) | Q(to_account__in=held)
    newest = list(with_accounts(Transfer.objects.filter(sides)).order_by("-id")[:MOST])
    if newest:
        more = _all(Transfer, member)
        return transfer_table(newest, _("Newest transfers"), more=more)
    empty = _("Nothing has moved yet. Statement, above, tells any period.")
    return Table(_("Newest transfers"), [], [], empty)


def _decisions(member: Member) -> Table:
    """What staff did here: the same rows as in the audit log."""
    kind = ContentType.objects.get_for_model(Member)
    newest = (
        LogEntry.objects.filter(content_type=kind, object_id=str(member.pk))
        .select_related("user", "content_type")
        .order_by("-pk")
    )
    rows = [
        [
            entry.get_change_message() or NOTHING,
            told(entry).get("why", NOTHING),
            str(entry.user),
            when(entry.action_time),
        ]
        for entry in newest[:MOST]
    ]
    headers = [_("What"), _("Why"), _("By"), _("When")]
    history = reverse("admin:rewards_member_history", args=[member.pk])
    empty = _("Staff have changed nothing about this member.")
    return _table(_("What staff did"), headers, rows, empty, history)


def _table(
    title: str,
    headers: Sequence[str],
    rows: Sequence[Sequence[SafeString | str]],
    empty: str,
    more: str,
) -> Table:
    """The newest rows with the way to all of them, or what to do without any."""
    return Table(title, headers, rows, "" if rows else empty, more=more if rows else "")


def _all(model: type[Model], member: Member) -> str:
    meta = model._meta
    name = f"admin:{meta.app_label}_{meta.model_name}_changelist"
    return f"{reverse(name)}?{urlencode({'q': member.customer_id})}"


SECTIONS = (
    Section("rewards.view_purchase", _purchases),
    Section("rewards.view_redemption", _redemptions),
    Section("rewards.view_account", _debts),
    Section("rewards.view_account", _lots),
    Section("rewards.view_adjustment", _adjustments),
    Section("merchants.view_click", _visits),
    Section("rewards.view_transfer", _transfers),
    Section("rewards.view_member", _decisions),
)
