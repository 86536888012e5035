"""What was settled about purchases so far, as facts that can be folded again."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from django.db.models import Q

from rewards.models import Decision, Report, Rerun, Settlement
from rewards.reports import PurchaseReport
from rewards.settling.standing import Assigned, Fact, Resolved, Standing, stand

COLUMNS = ("customer_id", "modified_at", "confirmed", "digest")
"""What a report says and its ``content`` leaves out, and what names it."""

_MADE_FROM = ("report_id", "edition_id", "member_id", "facts", "pinned")


@dataclass(slots=True)
class History:
    """One purchase's reports by id, its facts by settling number, and its evaluations.

    ``reruns`` are the re-runs that touched it. Evaluations and re-runs are in order.
    ``erased``: its member was, so it stays as it is for ever.
    """

    reports: dict[int, PurchaseReport] = field(default_factory=dict)
    facts: list[tuple[int, int, Fact]] = field(default_factory=list)
    evaluations: list[Settlement] = field(default_factory=list)
    reruns: list[Rerun] = field(default_factory=list)
    erased: bool = False

    def standing(self) -> Standing | None:
        """Where the purchase stood after all of it."""
        ordered = sorted(self.facts, key=lambda fact: fact[:2])
        return stand(fact for _, _, fact in ordered)

    def with_facts(self) -> Settlement | None:
        """The last evaluation for which facts about a member were taken."""
        return next((s for s in reversed(self.evaluations) if s.facts), None)

    def before(self, rerun: Rerun) -> Settlement | None:
        """What held before a re-run, where nothing has been worked out since.

        A hold that ended repeated what held, and a later re-run that was undone left
        what it had found.
        """
        made: list[Settlement] = []
        for evaluation in self.evaluations:
            if _takes_back(evaluation, made):
                made.pop()
            elif evaluation.decision or not made or not _same(evaluation, made[-1]):
                made.append(evaluation)
        applied = len(made) > 1 and _is_of(rerun.pk, made[-1])
        return made[-2] if applied else None

    def pin_without(self, rerun: Rerun) -> int | None:
        """The edition that an earlier re-run, not undone since, has pinned."""
        pins = [
            earlier.edition_id
            for earlier in self.reruns
            if earlier != rerun and earlier.state != Rerun.State.UNDONE
        ]
        return pins[-1] if pins else None


def histories(purchase_ids: Sequence[int]) -> dict[int, History]:
    """The histories of these purchases."""
    if not purchase_ids:
        return {}
    found = {id: History() for id in purchase_ids}
    _load_reports(found)
    _load_settlements(found)
    return found


def decided(decision: Decision, history: History) -> Fact:
    """What a decision about one purchase says about it."""
    if decision.kind == Decision.Kind.ASSIGN:
        return Assigned(decision.member_id)
    assert decision.report_id is not None  # resolve() always names one
    return Resolved(history.reports[decision.report_id])


def _takes_back(evaluation: Settlement, made: Sequence[Settlement]) -> bool:
    """Whether it undid the re-run made last, and left what had been before that."""
    undoing = evaluation.decision
    return (
        undoing is not None
        and undoing.kind == Decision.Kind.UNDO_RERUN
        and len(made) > 1
        and _is_of(undoing.rerun_id, made[-1])
        and _same(evaluation, made[-2])
    )


def _is_of(rerun_id: int | None, evaluation: Settlement) -> bool:
    """Whether it was made by applying this re-run."""
    decision = evaluation.decision
    if decision is None or decision.kind != Decision.Kind.RERUN:
        return False
    return decision.rerun_id == rerun_id


def _same(one: Settlement, other: Settlement) -> bool:
    """Whether two evaluations were made from the same, so that their awards are."""
    return all(getattr(one, name) == getattr(other, name) for name in _MADE_FROM)


def _load_reports(found: dict[int, History]) -> None:
    rows = Report.objects.filter(purchase__id__among=found).values_list(
        "id", "purchase_id", "settlement_id", "content", *COLUMNS
    )
    for id, purchase_id, number, content, *columns in rows:
        own = dict(zip(COLUMNS, columns, strict=True))
        report = PurchaseReport.restore(content, **own)
        found[purchase_id].reports[id] = report
        found[purchase_id].facts.append((number, id, report))


def _load_settlements(found: dict[int, History]) -> None:
    telling = Q(report__isnull=False) | Q(decision__isnull=False)
    settlements = (
        Settlement.objects.filter(telling, purchase__id__among=found)
        .order_by("id")
        .select_related("decision__rerun")
    )
    for settlement in settlements:
        history = found[settlement.purchase_id]
        if settlement.report_id:
            history.evaluations.append(settlement)
        decision = settlement.decision
        if decision and decision.purchase_id:
            fact = decided(decision, history)
            history.facts.append((settlement.pk, 0, fact))
        if decision and decision.kind == Decision.Kind.RERUN:
            assert decision.rerun is not None  # reruns.apply() always names one
            history.reruns.append(decision.rerun)
        if decision and decision.kind == Decision.Kind.ERASE:
            history.erased = True
