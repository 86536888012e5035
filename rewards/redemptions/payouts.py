"""Where members are paid: sealed, and kept with each payout as it was then."""

from datetime import datetime

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.utils.translation import gettext as _

from rewards import freezes, restrictions, vault
from rewards.models import Member, PayoutDetails, Redemption
from rewards.redemptions import staff, steps
from rewards.redemptions.refusals import NotRedeemable


def put_details(
    member: Member, *, method: str, details: str, at: datetime
) -> PayoutDetails:
    """Set where a member is paid; ``method`` names how (``bank``, ``paypal`` …).

    Payouts wait for a while afterwards, also after the first time: whoever has taken
    an account over would fill in their own. What is the same already changes nothing.
    Raises Refused.
    """
    with transaction.atomic():
        member = Member.objects.select_for_update(no_key=True).get(pk=member.pk)
        freezes.refuse_closed(member)
        restrictions.refuse_blocked(member)
        known = PayoutDetails.objects.filter(member=member).first()
        if known and known.method == method and _opened(known) == details:
            return known
        values = {
            "method": method,
            "sealed": vault.seal(details),
            "hint": vault.masked(details),
            "changed_at": at,
        }
        return PayoutDetails.objects.update_or_create(member=member, defaults=values)[0]


def attach(redemption: Redemption, details: PayoutDetails) -> None:
    """Keep with a redemption where it is to be paid. The caller saves."""
    redemption.payout = details.sealed
    redemption.payout_hint = f"{details.method} {details.hint}"


def show(redemption: Redemption, *, by: AbstractBaseUser, at: datetime) -> str:
    """Where to pay, for staff who do; noted in the history. Raises Refused."""
    staff.refuse_unpaying(by)
    staff.refuse_own(by, redemption.member)
    if redemption.payout is None:
        raise NotRedeemable("no_payout_details", _("It is no payout."))
    with transaction.atomic():
        reason = _("The payout details were shown to staff.")
        steps.note(redemption, reason=reason, by=by, at=at)
        return vault.unseal(redemption.payout)


def _opened(known: PayoutDetails) -> str | None:
    try:
        return vault.unseal(known.sealed)
    except vault.CannotOpen:
        return None  # its key is gone, so what it was can't matter any more
