"""Stored evaluations: what one was made from, so that it can be made again.

A settlement keeps its report, its edition and its facts. Together they give its awards
again, bit for bit, whatever has happened since.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from rewards.models import Settlement
from rewards.program import limits
from rewards.program.facts import About, Facts
from rewards.program.limits import Use
from rewards.reports import PurchaseReport
from rewards.settling.history import COLUMNS

LIMITS = "limits"
"""Where stored facts keep how far each rule's limits were used up."""

EXCLUDED = "excluded"
"""Where they keep that staff had excluded the account: it may reward again later."""


def facts_of(settlement: Settlement) -> Facts:
    """What an evaluation saw. The settlement has a report."""
    stored = settlement.report
    assert stored is not None  # an evaluation always has one
    own = {name: getattr(stored, name) for name in COLUMNS}
    customer_id = settlement.member.customer_id if settlement.member else ""
    return Facts(
        PurchaseReport.restore(stored.content, **own),
        About.restore(settlement.facts, customer_id=customer_id),
    )


def uses_of(settlement: Settlement) -> dict[str, list[Use]]:
    """How far limits were used up when it was settled, by the rule's key."""
    return uses_in(settlement.facts)


def uses_in(facts: Mapping[str, Any]) -> dict[str, list[Use]]:
    """The same, from an evaluation's stored facts."""
    stored: Mapping[str, Sequence[Sequence[Any]]] = facts.get(LIMITS, {})
    return {rule: [Use(*use) for use in uses] for rule, uses in stored.items()}


def room_of(settlement: Settlement) -> dict[str, int]:
    """The most that limits left each rule."""
    return room(uses_of(settlement))


def room(uses: Mapping[str, Sequence[Use]]) -> dict[str, int]:
    """The most that limits leave each rule; those without a bound are left out."""
    rooms = {rule: limits.room(used) for rule, used in uses.items()}
    return {rule: most for rule, most in rooms.items() if most is not None}
