"""Whose a purchase may be that nobody is known to have made: visits shortly before it.

A suggestion decides nothing: staff look at it and assign, or don't.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import takewhile

from django.utils.timesince import timesince
from django.utils.translation import gettext as _

from merchants.clicks import start_of_reference
from merchants.models import Click
from rewards.models import Member, Purchase

DAYS = timedelta(days=7)
LOOKED_AT = 200
MOST = 5
START = len(start_of_reference("XXXX-XXXX"))
"""So many letters of a reference make a visit's number."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A member who left for that store before the order, and what speaks for them."""

    member: Member
    click: Click
    reasons: Sequence[str]


def suggestions(purchase: Purchase) -> list[Suggestion]:
    """Members whose visit may have led to this order, the likeliest first.

    Those whose reference or customer id it nearly names, then by the time between. One
    visit a member; empty where somebody has the purchase already.
    """
    if purchase.member_id is not None:
        return []
    clicks = sorted(_clicks(purchase), key=lambda click: _rank(click, purchase))
    nearest = {click.customer_id: click for click in reversed(clicks)}
    members = Member.objects.filter(customer_id__among=list(nearest))
    known = {m.customer_id: m for m in members.exclude(status=Member.Status.ERASED)}
    found = (click for click in clicks if nearest[click.customer_id] is click)
    return [
        Suggestion(known[click.customer_id], click, list(_reasons(click, purchase)))
        for click in found
        if click.customer_id in known
    ][:MOST]


def _clicks(purchase: Purchase) -> Iterable[Click]:
    """The newest visits to that store in the days before the order."""
    if purchase.merchant_id is None:
        return []
    ordered = purchase.attributed_at
    before = Click.objects.filter(
        merchant=purchase.merchant_id,
        clicked_at__gt=ordered - DAYS,
        clicked_at__lte=ordered,
    )
    newest = before.order_by("-clicked_at", "-pk").defer("shown", "destination")
    return newest.prefetch_related("purchases")[:LOOKED_AT]


def _rank(click: Click, purchase: Purchase) -> tuple[bool, bool, bool, float, int]:
    """Least first."""
    between = purchase.attributed_at - click.clicked_at
    return (
        not _same_start(click, purchase),
        not _same_id(click, purchase),
        bool(click.purchases.all()),
        between.total_seconds(),
        -click.pk,
    )


def _reasons(click: Click, purchase: Purchase) -> Iterator[str]:
    """What speaks for it, and against it."""
    if letters := _same_start(click, purchase):
        yield _("The order's reference begins with the same %d letters.") % letters
    if _same_id(click, purchase):
        yield _("The order names %s.") % purchase.customer_id
    between = timesince(click.clicked_at, purchase.attributed_at)
    yield _("Left for the store %s before the order.") % between
    if others := click.purchases.all():
        yield _("That visit has brought %s already.") % others[0]


def _same_start(click: Click, purchase: Purchase) -> int:
    """How many letters both references begin with; 0 for fewer than a number has."""
    told = purchase.report.content["click_reference"] if purchase.report else ""
    pairs = zip(told.strip().lower(), click.reference, strict=False)
    letters = len(list(takewhile(lambda pair: pair[0] == pair[1], pairs)))
    return letters if letters >= START else 0


def _same_id(click: Click, purchase: Purchase) -> bool:
    """Whether the order names this customer but for spaces and capitals."""
    told = purchase.customer_id.strip().casefold()
    return bool(told) and told == click.customer_id.strip().casefold()
