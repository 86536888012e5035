"""Where a purchase stands after everything reported and decided about it.

A pure fold, so that any worker, any replay and any order of arrival over a legal
history ends in the same place.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from rewards.reports import PurchaseReport


@dataclass(frozen=True, slots=True)
class Assigned:
    """Staff gave the purchase to a member; None gives it back to the reports."""

    member_id: int | None


@dataclass(frozen=True, slots=True)
class Resolved:
    """Staff looked, and this is the report that holds."""

    report: PurchaseReport


Fact = PurchaseReport | Assigned | Resolved

_TELLERS = {
    "told_by": "customer_id",
    "clicked_by": "click_reference",
    "country_by": "country",
    "channel_by": "channel",
}
"""What a report may leave out, by where its greatest teller is kept."""


@dataclass(frozen=True, slots=True)
class Standing:
    """The state so far.

    ``told_by`` is the greatest report that names a customer; ``clicked_by`` likewise
    a click, ``country_by`` a country, ``channel_by`` a channel: none needs to be the
    report whose state holds. ``accepted`` is the report that staff resolved on. A
    contradiction freezes all of it: what comes after waits in ``later`` until staff
    resolve.
    """

    report: PurchaseReport
    told_by: PurchaseReport | None = None
    clicked_by: PurchaseReport | None = None
    country_by: PurchaseReport | None = None
    channel_by: PurchaseReport | None = None
    assigned_to: int | None = None
    accepted: PurchaseReport | None = None
    contradiction: str = ""
    later: tuple[PurchaseReport, ...] = ()
    tied: bool = False

    @property
    def customer_id(self) -> str:
        return self.told_by.customer_id if self.told_by else ""

    @property
    def click_reference(self) -> str:
        return self.clicked_by.click_reference if self.clicked_by else ""

    @property
    def country(self) -> str:
        return self.country_by.country if self.country_by else ""

    @property
    def channel(self) -> str:
        return self.channel_by.channel if self.channel_by else ""

    @property
    def doubtful(self) -> bool:
        """Whether only the network can say what holds."""
        return self.tied or bool(self.contradiction)

    def differs_from(self, before: "Standing | None") -> bool:
        """Whether this says more than ``before`` did, not only knows more reports."""
        return (
            before is None
            or self.report is not before.report
            or self.customer_id != before.customer_id
            or self.click_reference != before.click_reference
            or self.places_differently(before)
            or self.contradiction != before.contradiction
        )

    def places_differently(self, before: "Standing | None") -> bool:
        """Whether another country or channel is known now: rules may ask for them."""
        if before is None:
            return True
        return (self.country, self.channel) != (before.country, before.channel)


def stand(history: Iterable[Fact]) -> Standing | None:
    """Fold everything known about one purchase, in order of settling.

    None while no report is among it.
    """
    standing: Standing | None = None
    for fact in history:
        standing = advance(standing, fact)
    return standing


def advance(standing: Standing | None, fact: Fact) -> Standing:
    """The standing after one more fact; the first one is always a report."""
    if isinstance(fact, PurchaseReport):
        return _reported(standing, fact)
    if standing is None:
        raise ValueError("a decision about a purchase that nobody reported")
    if isinstance(fact, Assigned):
        return replace(standing, assigned_to=fact.member_id)
    return _resolved(standing, fact.report)


def flags(standing: Standing) -> list[str]:
    """What staff may want to know about the state, though it changes nothing."""
    report = standing.report
    found = []
    if standing.tied:
        found.append("Two different states bear the same second.")
    if (report.order_total or 0) < 0 or (report.commission or 0) < 0:
        found.append("An amount is negative.")
    if report.lines:
        if sum(line.total for line in report.lines) != (report.order_total or 0):
            found.append("The lines do not add up to the order total.")
        if sum(line.commission for line in report.lines) != (report.commission or 0):
            found.append("The lines do not add up to the commission.")
    return found


def leaves_doubt(standing: Standing, new: PurchaseReport) -> bool:
    """Whether a new report leaves a doubt that nobody has asked about.

    What was read to settle one asks nothing again: it would be asked for ever.
    """
    if new.confirmed or not standing.doubtful:
        return False
    return bool(standing.contradiction) or new.rank[:2] == standing.report.rank[:2]


def _reported(standing: Standing | None, new: PurchaseReport) -> Standing:
    if standing is None:
        return _named(Standing(new), new)
    if standing.contradiction:
        return replace(standing, later=(*standing.later, new))
    if standing.report.terminal and new.terminal:
        return _final_again(standing, new)
    greatest = _greater(standing.report, new)
    tied = _ties(standing.report, new) or (
        standing.tied and greatest is standing.report
    )
    return _named(replace(standing, report=greatest, tied=tied), new)


def _final_again(standing: Standing, new: PurchaseReport) -> Standing:
    """A final state stays: a materially different second one asks staff instead."""
    final = standing.report
    if final.differs_materially(new) or _names_another(standing, new):
        said = f"{final.status} before, and now {new.status}"
        if new.status == final.status:
            said = f"{final.status} twice, with different content"
        return replace(standing, contradiction=f"The network reported it {said}.")
    if standing.accepted is None:
        standing = replace(standing, report=_greater(final, new))
    return _named(standing, new)


def _names_another(standing: Standing, new: PurchaseReport) -> bool:
    """Whether two final reports name two customers, or, naming none, two clicks."""
    told, clicked = standing.told_by, standing.clicked_by
    if new.customer_id and told:
        return told.terminal and told.customer_id != new.customer_id
    if new.click_reference and clicked and not told:
        return clicked.terminal and clicked.click_reference != new.click_reference
    return False


def _resolved(standing: Standing, chosen: PurchaseReport) -> Standing:
    """Staff's choice is the state and names the member; the rest is caught up on."""
    told = chosen if chosen.customer_id else standing.told_by
    clicked = chosen if chosen.click_reference else standing.clicked_by
    later = standing.later
    standing = replace(
        standing,
        report=chosen,
        accepted=chosen,
        told_by=told,
        clicked_by=clicked,
        contradiction="",
        later=(),
    )
    for report in later:
        if not report.terminal:
            standing = _named(standing, report)
    return standing


def _named(standing: Standing, new: PurchaseReport) -> Standing:
    """The standing with all that this report names and another may leave out."""
    changed = {}
    for teller, name in _TELLERS.items():
        if getattr(new, name):
            before = getattr(standing, teller)
            greatest = _greater(before, new) if before else new
            if greatest is not before:
                changed[teller] = greatest
    return replace(standing, **changed) if changed else standing  # type: ignore[arg-type]


def _ties(one: PurchaseReport, other: PurchaseReport) -> bool:
    """Same second, different content: only the network knows which holds."""
    if one.rank[:3] != other.rank[:3]:  # a confirming read ties with nothing else
        return False
    named = one.customer_id and other.customer_id
    two_customers = bool(named) and one.customer_id != other.customer_id
    return two_customers or one.differs_materially(other)


def _greater(one: PurchaseReport, other: PurchaseReport) -> PurchaseReport:
    return max(one, other, key=lambda report: report.rank)
