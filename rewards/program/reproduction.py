"""Whether what is stored still gives the awards that are stored, bit for bit."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

from django.db.models import Prefetch, QuerySet
from django.utils.translation import gettext as _

from rewards.models import Award, Member, Purchase, Settlement
from rewards.program.editions import compiled
from rewards.program.facts import Facts
from rewards.reports import DECLINED
from rewards.settling.awards import held_until
from rewards.settling.evaluations import EXCLUDED, facts_of, room_of

SAMPLE = 1_000
"""How many purchases are looked at each night."""


class Line(NamedTuple):
    """One award in full, to be compared."""

    rule: str
    unit: str
    wanted: int
    granted: int
    why: str
    held_until: datetime | None

    def told(self) -> str:
        """On one line, for whoever looks for the difference."""
        said = f"{self.rule}: {self.granted} of {self.wanted} {self.unit} ({self.why})"
        if self.held_until is None:
            return said
        return f"{said} held until {self.held_until:%Y-%m-%dT%H:%M:%SZ}"


class Difference(NamedTuple):
    """A purchase whose current awards are not what they are when worked out again."""

    purchase: Purchase
    stored: list[Line]
    again: list[Line]


def settled_purchases() -> QuerySet[Purchase]:
    """Purchases that hold an evaluation, with everything that is compared."""
    return (
        Purchase.objects.filter(settlement__report__isnull=False)
        .select_related("account", "settlement__report", "settlement__member")
        .prefetch_related(Prefetch("settlement__awards", awards_in_full()))
    )


def awards_in_full() -> QuerySet[Award]:
    """Awards with their unit, in rule order."""
    return Award.objects.select_related("unit")


def some(number: int) -> QuerySet[Purchase]:
    """So many of them, picked at random."""
    return settled_purchases().order_by("?")[:number]


def differences(purchases: Iterable[Purchase]) -> Iterator[Difference]:
    """Those of the purchases that can't be reproduced.

    What rules asked of a customer id that was erased since, nobody can ask again.
    """
    for purchase in purchases:
        settlement = purchase.settlement
        assert settlement is not None  # so settled_purchases() asks
        stored = stored_lines(settlement)
        again = lines_again(settlement, account_rewards=purchase.account.rewarding)
        if stored != again and not _asked_for_who_left(settlement):
            yield Difference(purchase, stored, again)


def _asked_for_who_left(settlement: Settlement) -> bool:
    member = settlement.member
    if member is None or member.status != Member.Status.ERASED:
        return False
    asked = [
        rule.spec.when.expression for rule in compiled(settlement.edition_id or 0).rules
    ]
    return any(text and "customer_id" in text for text in asked)


def stored_lines(settlement: Settlement) -> list[Line]:
    return [
        Line(a.rule, a.unit.code, a.wanted, a.granted, a.why, a.held_until)
        for a in settlement.awards.all()
    ]


def lines_again(settlement: Settlement, *, account_rewards: bool | None) -> list[Line]:
    """The awards as the stored report, facts and edition give them now."""
    facts = facts_of(settlement)
    if why_nothing(settlement, facts, account_rewards=account_rewards):
        return []
    program = compiled(settlement.edition_id or 0)
    return [
        Line(
            *(a.rule, a.unit, a.wanted, a.granted, a.why),
            held_until(facts.report, days=a.hold_days),
        )
        for a in program.evaluate(facts, room_of(settlement))
    ]


def why_nothing(
    settlement: Settlement, facts: Facts, *, account_rewards: bool | None
) -> str:
    """Why no rule is asked, in a sentence for people; empty where rules are.

    ``account_rewards`` is what staff decided of the account since, or None.
    """
    if not facts.report.rewarded:
        return _("App installs are never rewarded.")
    if facts.report.status == DECLINED:
        return _("The store declined the order, so it is worth nothing.")
    if settlement.member_id is None:
        return _("Nobody is known to have made this purchase.")
    if settlement.edition_id is None:
        return _("No edition of the program holds for the time of this order.")
    excluded = account_rewards is False and not settlement.awards.all()
    if excluded or settlement.facts.get(EXCLUDED):
        return _("Staff excluded the network account that reported it.")
    return ""
