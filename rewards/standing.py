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


@dataclass(frozen=True, slots=True)
class Standing:
    """The state so far.

    ``told_by`` is the greatest report that names a customer, ``clicked_by`` likewise
    a click: neither needs to be the report whose state holds. ``accepted`` is the
    report that staff resolved on.
    """

    report: PurchaseReport
    told_by: PurchaseReport | None = None
    clicked_by: PurchaseReport | None = None
    assigned_to: int | None = None
    accepted: PurchaseReport | None = None
    contradiction: str = ""
    tied: bool = False

    @property
    def customer_id(self) -> str:
        return self.told_by.customer_id if self.told_by else ""

    @property
    def click_reference(self) -> str:
        return self.clicked_by.click_reference if self.clicked_by else ""

    def differs_from(self, before: "Standing | None") -> bool:
        """Whether this says more than ``before`` did, not only knows more reports."""
        return (
            before is None
            or self.report is not before.report
            or self.customer_id != before.customer_id
            or self.click_reference != before.click_reference
            or self.contradiction != before.contradiction
        )


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
    return replace(standing, report=fact.report, accepted=fact.report, contradiction="")


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


def _reported(standing: Standing | None, new: PurchaseReport) -> Standing:
    if standing is None:
        standing = Standing(new)
    elif standing.report.terminal:
        standing = _after_the_end(standing, new)
    else:
        tied = standing.tied or _ties(standing.report, new)
        greatest = max(standing.report, new, key=lambda report: report.rank)
        standing = replace(standing, report=greatest, tied=tied)
    return replace(
        standing,
        told_by=_greater(standing.told_by, new if new.customer_id else None),
        clicked_by=_greater(standing.clicked_by, new if new.click_reference else None),
    )


def _after_the_end(standing: Standing, new: PurchaseReport) -> Standing:
    """A terminal state never changes: a different second one asks staff instead."""
    final = standing.report
    if not new.terminal or not final.differs_materially(new):
        return standing
    said = f"{final.status} before, and now {new.status}"
    if new.status == final.status:
        said = f"{final.status} twice, with different content"
    return replace(standing, contradiction=f"The network reported it {said}.")


def _ties(one: PurchaseReport, other: PurchaseReport) -> bool:
    """Same status and second, different content: only the network knows which holds."""
    same = one.rank[:3] == other.rank[:3]
    return same and one.differs_materially(other)


def _greater(
    one: PurchaseReport | None, other: PurchaseReport | None
) -> PurchaseReport | None:
    if one is None or other is None:
        return one or other
    return max(one, other, key=lambda report: report.rank)
