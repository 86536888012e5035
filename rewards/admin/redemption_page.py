"""How the pages of redemptions word them, and what stands below the form."""

from collections.abc import Iterable

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from merchants.admin.tables import Table
from rewards.admin.ledger import with_accounts
from rewards.admin.mixins import link
from rewards.admin.outbox import message_table
from rewards.admin.wording import NOTHING, transfer_table, when
from rewards.models import Draw, Message, Redemption, Reward, Transfer
from rewards.money import unit_amount
from rewards.redemptions.payout_files import Applied


def tables(redemption: Redemption) -> list[Table]:
    transfers = with_accounts(Transfer.objects.filter(redemption=redemption))
    messages = redemption.messages.order_by("-id").select_related("endpoint")
    return [
        _steps(redemption),
        transfer_table(transfers.order_by("id"), _("Transfers")),
        _lots(redemption),
        message_table(messages, _("Messages")),
    ]


def results(applied: Applied) -> list[Table]:
    """What came of the payer's file."""
    counts = [
        [_("paid"), str(applied.paid)],
        [_("failed, given back"), str(applied.failed)],
        [_("known already"), str(applied.known)],
        [_("lines that fit no payout"), str(len(applied.unmatched))],
        [_("payouts that the file does not tell of"), str(len(applied.missing))],
    ]
    unmatched = [
        [str(result.line), result.number, result.amount, why]
        for result, why in applied.unmatched
    ]
    headers = [_("Line"), _("Number"), _("Amount"), _("Why nothing was done")]
    return [
        Table(_("What came of it"), [_("Payouts"), _("How many")], counts),
        Table(_("Lines that fit no payout"), headers, unmatched),
        _missing(applied.missing),
    ]


def _steps(redemption: Redemption) -> Table:
    headers = [_("When"), _("Status"), _("Why"), _("By")]
    rows = [
        [
            when(step.taken_at),
            step.get_status_display(),
            step.reason or NOTHING,
            str(step.taken_by or NOTHING),
        ]
        for step in redemption.steps.select_related("taken_by")
    ]
    return Table(_("What happened"), headers, rows)


def _lots(redemption: Redemption) -> Table:
    """What was drawn from which credits; the transfer says whether out or back."""
    draws = Draw.objects.filter(transfer__redemption=redemption)
    draws = draws.select_related("lot__purchase", "lot__adjustment")
    unit = redemption.reward.unit
    headers = [_("Transfer"), _("Lot"), _("From"), _("Amount"), _("Expires")]
    rows = [
        [
            f"#{draw.transfer_id}",
            str(draw.lot),
            link(draw.lot.purchase)
            if draw.lot.purchase
            else str(draw.lot.adjustment or NOTHING),
            unit_amount(draw.amount, unit=unit),
            when(draw.lot.expires_at),
        ]
        for draw in draws
    ]
    return Table(_("Lots used"), headers, rows)


def _missing(payouts: Iterable[Redemption]) -> Table:
    headers = [_("Number"), _("Amount"), _("In a payout file")]
    rows = [
        [
            link(payout),
            unit_amount(payout.amount, unit=payout.reward.unit),
            when(payout.exported_at),
        ]
        for payout in payouts
    ]
    return Table(_("Payouts that the file does not tell of"), headers, rows)


def offered(redemption: Redemption) -> set[str]:
    """The actions that fit how far it has come."""
    kind, fitting = redemption.reward.kind, set()
    if redemption.status in Redemption.OPEN:
        waits = redemption.needs_approval and not redemption.approved_at
        fitting |= {"cancel", "approve" if waits else "fulfil"}
        in_review = redemption.status == Redemption.Status.REVIEW
        if kind == Reward.Kind.CALL and in_review and not waits:
            fitting.add("ask_again")
    elif hasattr(redemption, "code"):
        fitting.add("show_code")
    if redemption.payout:
        fitting.add("show_details")
    return fitting


NEXT = {
    Reward.Kind.MANUAL: gettext_lazy("It then waits for being handed over."),
    Reward.Kind.GIFT_CODE: gettext_lazy("The member then sees the code at once."),
    Reward.Kind.PAYOUT: gettext_lazy("It is then in the next payout file."),
    Reward.Kind.CALL: gettext_lazy("The host application is then called at once."),
}


def said_whole(redemption: Redemption) -> str:
    return _("%(reward)s for %(amount)s") % {
        "reward": redemption.reward,
        "amount": unit_amount(redemption.amount, unit=redemption.reward.unit),
    }


def said_cancel(redemption: Redemption) -> str:
    given_back = _(
        "The amount returns to the lots it came from, with their expiry: what has"
        " expired meanwhile is lost. There is no way back."
    )
    if redemption.messages.filter(state=Message.State.UNKNOWN).exists():
        doubt = _("Nobody knows whether the host application handed it over: look.")
        return f"{doubt}\n\n{given_back}"
    if redemption.exported_at:
        paid = _("It is in a payout file: make sure that nobody pays it.")
        return f"{paid}\n\n{given_back}"
    return given_back
