"""What staff decide about purchases. Settled by the same path as any report."""

from collections.abc import Iterable
from datetime import datetime

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.utils.translation import gettext as _

from rewards import interlock
from rewards.models import Decision, Member, NetworkAccount, Purchase, Report
from rewards.refusals import Refused
from rewards.reports import PENDING
from rewards.settling.due import settle_all
from rewards.settling.settlement import settle


def assign(
    purchase: Purchase,
    *,
    member: Member | None,
    reason: str,
    by: AbstractBaseUser | None,
    at: datetime,
) -> Decision:
    """Give a purchase to a member; None gives it back to what the reports say.

    Raises Refused.
    """
    return _decide(
        purchase, kind=Decision.Kind.ASSIGN, member=member, reason=reason, by=by, at=at
    )


def assign_nobodys(
    purchase: Purchase,
    *,
    member: Member,
    reason: str,
    by: AbstractBaseUser,
    at: datetime,
) -> Decision:
    """Give a purchase to a member, provided that it is nobody's still.

    Of two people who do so at once, the second one is told who has it. Raises Refused.
    """
    if member.user_id == by.pk:
        raise Refused(_("That is you: somebody else must decide."))
    with transaction.atomic():
        now = _lock(purchase)
        if now.member is not None:
            raise Refused(_("It belongs to %s already.") % now.member)
        return assign(purchase, member=member, reason=reason, by=by, at=at)


def resolve(
    purchase: Purchase,
    *,
    report: Report,
    reason: str,
    by: AbstractBaseUser | None,
    at: datetime,
) -> Decision:
    """End a review: this report of the purchase is the one that holds."""
    if report.purchase_id != purchase.pk:
        raise Refused("That report is about another purchase.")
    return _decide(
        purchase, kind=Decision.Kind.RESOLVE, report=report, reason=reason, by=by, at=at
    )


def resolve_newest(
    purchase: Purchase,
    *,
    report: Report,
    reason: str,
    by: AbstractBaseUser,
    at: datetime,
) -> Decision:
    """End a review by the newest final report, provided that it is this one still.

    Of two people who do so at once, the second one is told. Raises Refused.
    """
    with transaction.atomic():
        now = _lock(purchase)
        if not now.review:
            raise Refused(_("It is not in review any more."))
        if newest_final([now]).get(now.pk) != report:
            raise Refused(_("A newer final report has come: look again."))
        return resolve(purchase, report=report, reason=reason, by=by, at=at)


def newest_final(purchases: Iterable[Purchase]) -> dict[int, Report]:
    """The final report of each that the network dated last; none without one."""
    final = Report.objects.filter(purchase__in=list(purchases)).defer("digest")
    in_order = final.exclude(status=PENDING).order_by("modified_at", "pk")
    return {report.purchase_id: report for report in in_order}


def decide_account(
    account: NetworkAccount,
    *,
    rewarding: bool,
    reason: str,
    by: AbstractBaseUser | None,
    at: datetime,
) -> int:
    """Say whether an account rewards members; how many purchases that settled.

    The same orders in other accounts are settled too: they may have waited for this.
    """
    kind = Decision.Kind.CONFIRM_ACCOUNT if rewarding else Decision.Kind.EXCLUDE_ACCOUNT
    with transaction.atomic():
        interlock.close()
        NetworkAccount.objects.filter(pk=account.pk).update(rewarding=rewarding)
        account.rewarding = rewarding
        decision = Decision.objects.create(
            kind=kind,
            account=account,
            reason=_said(reason),
            decided_by=by,  # type: ignore[misc]
            decided_at=at,
        )
    own = Purchase.objects.filter(account=account)
    same = Purchase.objects.filter(order_key__in=own.values("order_key"))
    return settle_all(own, decision=decision, at=at) + settle_all(
        same.exclude(account=account), decision=decision, at=at
    )


def _decide(
    purchase: Purchase,
    *,
    kind: Decision.Kind,
    reason: str,
    by: AbstractBaseUser | None,
    at: datetime,
    member: Member | None = None,
    report: Report | None = None,
) -> Decision:
    with transaction.atomic():
        interlock.enter()  # nobody is erased meanwhile
        _refuse_erased(purchase, member)
        decision = Decision.objects.create(
            kind=kind,
            purchase=purchase,
            member=member,
            report=report,
            reason=_said(reason),
            decided_by=by,  # type: ignore[misc]
            decided_at=at,
        )
        settle(purchases=[purchase.pk], decision=decision, at=at)
    purchase.refresh_from_db()
    return decision


def _lock(purchase: Purchase) -> Purchase:
    """The purchase as it stands, and stays until the transaction ends.

    Nothing is joined to it: having waited for the lock, PostgreSQL reads only the
    locked row anew.
    """
    interlock.enter()
    return Purchase.objects.select_for_update(no_key=True).get(pk=purchase.pk)


def _refuse_erased(purchase: Purchase, member: Member | None) -> None:
    """Refuse to decide about a purchase whose member was erased, or to give it one."""
    erased = Member.objects.filter(status=Member.Status.ERASED)
    if erased.filter(purchases=purchase).exists():
        raise Refused("Its member was erased: the purchase stays as it is.")
    if member and erased.filter(pk=member.pk).exists():
        raise Refused("That member was erased.")


def _said(reason: str) -> str:
    if not reason.strip():
        raise Refused("Say why: the reason stays with the purchase.")
    return reason.strip()
