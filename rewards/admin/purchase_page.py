"""Everything that is known about one purchase, as tables for its page."""

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from merchants.admin.tables import Table
from rewards.admin.wording import (
    NOTHING,
    report_amounts,
    transfer_table,
    when,
)
from rewards.models import Decision, Purchase, Report, Settlement, Transfer
from rewards.money import unit_amount

MOST = 100


def purchase_tables(purchase: Purchase) -> list[Table]:
    tables = [
        _awards(purchase),
        _reports(purchase),
        _transfers(purchase),
        _decisions(purchase),
        _settlements(purchase),
    ]
    return [table for table in tables if table.rows or table.note]


def _awards(purchase: Purchase) -> Table:
    settlement = purchase.settlement
    awards = settlement.awards.select_related("unit") if settlement else ()
    rows = [
        [
            award.rule,
            unit_amount(award.granted, unit=award.unit),
            unit_amount(award.wanted, unit=award.unit),
            award.why,
            when(award.held_until),
        ]
        for award in awards
    ]
    headers = [_("Rule"), _("Granted"), _("Wanted"), _("Why"), _("Held until")]
    note = "" if rows else _("Nothing is awarded for it now.")
    return Table(_("Current awards"), headers, rows, note)


def _reports(purchase: Purchase) -> Table:
    reports = Report.objects.filter(purchase=purchase).defer("digest")[:MOST]
    rows = [
        [
            _holds(report, purchase),
            report.transaction_id,
            *report_amounts(report),
            when(report.modified_at),
            f"{report.get_source_display()}, {when(report.received_at)}",
        ]
        for report in reports
    ]
    headers = [
        *(_("State"), _("Transaction"), _("Order total"), _("Commission")),
        *(_("Changed at the network"), _("Received")),
    ]
    return Table(_("History: every distinct report"), headers, rows)


def _holds(report: Report, purchase: Purchase) -> str:
    status = report.get_status_display()
    return _("%s (holds)") % status if report.pk == purchase.report_id else status


def _transfers(purchase: Purchase) -> Table:
    transfers = Transfer.objects.filter(purchase=purchase).select_related(
        "from_account__unit", "from_account__member", "to_account__member"
    )
    return transfer_table(transfers.order_by("id")[:MOST], _("Transfers"))


def _decisions(purchase: Purchase) -> Table:
    concerned = Q(purchase=purchase) | Q(settlements__purchase=purchase)
    return decision_table(Decision.objects.filter(concerned).distinct())


def decision_table(decisions: QuerySet[Decision]) -> Table:
    found = decisions.select_related("decided_by", "member", "report", "account")
    rows = [
        [
            _said(decision),
            decision.reason,
            str(decision.decided_by or NOTHING),
            when(decision.decided_at),
        ]
        for decision in found[:MOST]
    ]
    headers = [_("Decision"), _("Reason"), _("By"), _("When")]
    return Table(_("Decisions"), headers, rows)


def _said(decision: Decision) -> str:
    about = decision.member or decision.report or decision.account
    if decision.kind == Decision.Kind.ASSIGN and not about:
        return _("given back to what the reports say")
    kind = decision.get_kind_display()
    return f"{kind}: {about}" if about else str(kind)


def _settlements(purchase: Purchase) -> Table:
    settlements = (
        Settlement.objects.filter(purchase=purchase)
        .select_related("edition", "member", "decision")
        .order_by("id")[:MOST]
    )
    rows = [
        [
            str(settlement.pk),
            when(settlement.settled_at),
            str(settlement.edition or NOTHING),
            str(settlement.member or NOTHING),
            str(settlement.decision or _("a report, or time")),
        ]
        for settlement in settlements
    ]
    headers = [_("Number"), _("When"), _("Edition"), _("Member"), _("Caused by")]
    return Table(_("Settlements"), headers, rows)
