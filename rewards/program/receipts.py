"""The receipt: why a purchase earned what it did, and what each other rule lacked.

Derived, not stored: evaluation is pure, so the stored report, facts and edition give
the same explanation for ever. Where they don't give the stored awards, it says so.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Prefetch
from django.utils.translation import gettext as _

from rewards.models import Edition, Purchase, Settlement
from rewards.program.editions import compiled
from rewards.program.facts import Facts
from rewards.program.reproduction import (
    awards_in_full,
    lines_again,
    stored_lines,
    why_nothing,
)
from rewards.program.trials import NOT_TRIED, Rounding, Trial, Tried, try_rules
from rewards.settling.evaluations import facts_of, uses_of


@dataclass(frozen=True, slots=True)
class Receipt:
    """Everything that went into the awards that are current.

    ``note`` says why nothing was evaluated, where nothing was. ``reproduced`` is
    whether evaluating again gives the awards that are stored. ``held_until`` is until
    when an award stays pending although the order is final, by the rule's key.
    """

    settlement: Settlement | None = None
    facts: Facts | None = None
    trial: Trial = NOT_TRIED
    note: str = ""
    reproduced: bool = True

    @property
    def edition(self) -> Edition | None:
        return self.settlement.edition if self.settlement else None

    @property
    def settled_at(self) -> datetime | None:
        return self.settlement.settled_at if self.settlement else None

    @property
    def pinned(self) -> bool:
        """Whether a re-run chose the edition, and not the time of the order."""
        return bool(self.settlement and self.settlement.pinned)

    @property
    def rules(self) -> Sequence[Tried]:
        return self.trial.rules

    @property
    def units(self) -> Sequence[Rounding]:
        return self.trial.units

    @property
    def held_until(self) -> dict[str, datetime]:
        awards = self.settlement.awards.all() if self.settlement else ()
        return {a.rule: a.held_until for a in awards if a.held_until}


def receipt(purchase: Purchase) -> Receipt:
    """The receipt of what a purchase holds now."""
    settlement = (
        Settlement.objects.select_related("report", "edition", "member")
        .defer("edition__content")
        .prefetch_related(Prefetch("awards", awards_in_full()))
        .filter(pk=purchase.settlement_id or 0)
        .first()
    )
    if settlement is None or settlement.report is None:
        return Receipt(note=purchase.review or _("It has not been settled yet."))
    facts, rewarding = facts_of(settlement), purchase.account.rewarding
    note = why_nothing(settlement, facts, account_rewards=rewarding)
    if settlement.edition_id is None or note:
        return Receipt(settlement, facts, note=note)
    return Receipt(
        settlement,
        facts,
        try_rules(compiled(settlement.edition_id), facts, uses=uses_of(settlement)),
        reproduced=stored_lines(settlement)
        == lines_again(settlement, account_rewards=rewarding),
    )
