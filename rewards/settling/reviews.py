"""Why a purchase waits for staff although nothing that is told contradicts itself."""

from collections.abc import Collection
from typing import NamedTuple

from django.conf import settings
from django.db.models import Q

from rewards.models import Freeze, NetworkAccount
from rewards.reports import VALIDATED
from rewards.settling.standing import Standing

FROZEN = "Its books are frozen until staff have looked at them."


class Frozen(NamedTuple):
    """Members and purchases for which nothing may be posted."""

    members: set[int | None]
    purchases: set[int | None]


def frozen(*, members: Collection[int], purchases: Collection[int]) -> Frozen:
    """Which of these are frozen; their purchases wait in review as FROZEN."""
    concerned = Q(member__id__among=members) | Q(purchase__id__among=purchases)
    found = Freeze.objects.filter(concerned, lifted_at=None)
    rows = list(found.values_list("member_id", "purchase_id"))
    return Frozen({member for member, _ in rows}, {purchase for _, purchase in rows})


def why_held(
    standing: Standing,
    account: NetworkAccount,
    elder: NetworkAccount | None,
    clicked_by: str,
) -> str:
    """The reason, or nothing. ``elder`` is an account that has the same order;
    ``clicked_by`` whose click it names, where that is one of ours."""
    report = standing.report
    if report is standing.accepted or not report.rewarded:
        return ""
    if report.status == VALIDATED and report.commission is None:
        return "Validated without a commission."
    if report.status == VALIDATED and report.order_total is None:
        return "Validated without an order total."
    if _somebody_elses_click(standing, clicked_by):
        return f"It names the click of another member, {clicked_by}."
    if account.rewarding is not None:
        return ""
    if not settings.REWARD_NEW_ACCOUNTS:
        return f"Nobody has confirmed the account {account}."
    return f"The account {elder} has the same order." if elder else ""


def _somebody_elses_click(standing: Standing, clicked_by: str) -> bool:
    """Whether the link was edited, or shared, and staff have not looked yet."""
    told, accepted = standing.customer_id, standing.accepted
    if not (clicked_by and told) or clicked_by == told:
        return False
    seen = accepted is not None and accepted.customer_id == told
    return not seen and standing.assigned_to is None
