"""What one purchase holds, and what was decided, as tables for pages."""

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from merchants.admin.tables import Table
from rewards.admin.purchase_timeline import decision_said
from rewards.admin.wording import NOTHING, when
from rewards.models import Decision, Purchase
from rewards.money import unit_amount

MOST = 100


def purchase_tables(purchase: Purchase) -> list[Table]:
    return [_awards(purchase)]


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


def decision_table(decisions: QuerySet[Decision]) -> Table:
    found = decisions.select_related("decided_by", "member", "report", "account")
    rows = [
        [
            decision_said(decision),
            decision.reason,
            str(decision.decided_by or NOTHING),
            when(decision.decided_at),
        ]
        for decision in found[:MOST]
    ]
    headers = [_("Decision"), _("Reason"), _("By"), _("When")]
    return Table(_("Decisions"), headers, rows)
