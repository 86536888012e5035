"""What was settled about purchases so far, as facts that can be folded again."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from rewards.models import Decision, Report, Settlement
from rewards.reports import PurchaseReport
from rewards.standing import Assigned, Fact, Resolved, Standing, stand

COLUMNS = ("customer_id", "modified_at", "confirmed")
"""What a report says and its ``content`` leaves out."""


@dataclass(slots=True)
class History:
    """One purchase's reports by id, and its facts by settling number."""

    reports: dict[int, PurchaseReport] = field(default_factory=dict)
    facts: list[tuple[int, int, Fact]] = field(default_factory=list)

    def standing(self) -> Standing | None:
        """Where the purchase stood after all of it."""
        ordered = sorted(self.facts, key=lambda fact: fact[:2])
        return stand(fact for _, _, fact in ordered)


def histories(purchase_ids: Sequence[int]) -> dict[int, History]:
    """The histories of these purchases."""
    if not purchase_ids:
        return {}
    found = {id: History() for id in purchase_ids}
    _load_reports(found)
    _load_decisions(found)
    return found


def decided(decision: Decision, history: History) -> Fact:
    """What a decision about one purchase says about it."""
    if decision.kind == Decision.Kind.ASSIGN:
        return Assigned(decision.member_id)
    assert decision.report_id is not None  # resolve() always names one
    return Resolved(history.reports[decision.report_id])


def _load_reports(found: dict[int, History]) -> None:
    rows = Report.objects.filter(purchase__id__among=found).values_list(
        "id", "purchase_id", "settlement_id", "content", *COLUMNS
    )
    for id, purchase_id, number, content, *columns in rows:
        own = dict(zip(COLUMNS, columns, strict=True))
        report = PurchaseReport.restore(content, **own)
        found[purchase_id].reports[id] = report
        found[purchase_id].facts.append((number, id, report))


def _load_decisions(found: dict[int, History]) -> None:
    settlements = Settlement.objects.filter(
        purchase__id__among=found, decision__purchase__isnull=False
    ).select_related("decision")
    for settlement in settlements:
        history = found[settlement.purchase_id]
        assert settlement.decision is not None  # so the query asks
        history.facts.append((settlement.pk, 0, decided(settlement.decision, history)))
