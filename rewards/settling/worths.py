"""What each purchase of a batch is worth, one after another, as limits are used up."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from rewards import recorded
from rewards.models import Decision, Settlement
from rewards.program.editions import Editions, compiled
from rewards.program.facts import NOTHING_KNOWN, About, Facts
from rewards.settling import awards, circumstances, evaluations
from rewards.settling.awards import Awarded
from rewards.settling.cases import Case
from rewards.settling.usage import Claimant, Units, Usage, limits_members

_LONGEST_REVIEW = 400


@dataclass(frozen=True, slots=True)
class Worth:
    """What a state is worth now, by which edition and from which facts.

    ``pinned``: a re-run chose the edition. ``due_at`` is when time alone changes it.
    ``report_id`` is of the state, where that is an earlier one than the case's.
    """

    edition_id: int | None
    awards: Sequence[Awarded] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    pinned: bool = False
    due_at: datetime | None = None
    report_id: int | None = None


@dataclass(slots=True)
class _Trial:
    """A purchase on its way to its worth; before ``certain_at`` that can't be told."""

    case: Case
    edition_id: int | None
    certain_at: datetime | None
    about: About = NOTHING_KNOWN
    claimant: Claimant | None = None

    def match(self, about: About) -> None:
        """Find the rules that count, where the purchase may be worth anything."""
        self.about = about
        if self.case.earns and self.edition_id and not self.certain_at:
            program = compiled(self.edition_id)
            matched = program.match(Facts(self.case.report, about))
            self.case.failed = matched.failed[:_LONGEST_REVIEW]
            self.claimant = Claimant(self.case, program, matched)

    def limits_member(self) -> bool:
        claimant = self.claimant
        return bool(claimant and any(map(limits_members, claimant.matched.limited)))


def work_out(cases: Sequence[Case], *, units: Units, at: datetime) -> dict[int, Worth]:
    """The worth of every purchase that is evaluated; ``cases`` are in settling order.

    Locks members, then budgets. A purchase whose expression fails is worth what it
    was, and ``failed`` says why.
    """
    evaluated = [case for case in cases if case.evaluates]
    worths = _copies(evaluated, _kept, at=at)
    trials = _try([c for c in evaluated if c.id not in worths], batch=cases, at=at)
    worths |= _copies([c for c in evaluated if c.failed], _left_by_undoing, at=at)
    usage = Usage.open(
        evaluated,
        claimants=[t.claimant for t in trials.values() if t.claimant],
        copied=[award for worth in worths.values() for award in worth.awards],
        units=units,
    )
    for case in evaluated:
        if case.id not in worths:
            worth = _worth(trials[case.id], usage, at=at)
            if worth is None:
                continue
            worths[case.id] = worth
        usage.replace(case, worths[case.id].awards)
    usage.close()
    return worths


def _copies(
    cases: Sequence[Case],
    earlier: Callable[[Case, datetime], Settlement | None],
    *,
    at: datetime,
) -> dict[int, Worth]:
    """The worths that are not worked out anew: earlier awards hold as they are."""
    found = {case.id: kept for case in cases if (kept := earlier(case, at))}
    stored = awards.stored([settlement.pk for settlement in found.values()])
    return {
        id: Worth(
            kept.edition_id,
            stored[kept.pk],
            kept.facts,
            pinned=kept.pinned,
            due_at=awards.next_due(stored[kept.pk], at=at),
            report_id=kept.report_id,
        )
        for id, kept in found.items()
    }


def _kept(case: Case, at: datetime) -> Settlement | None:
    """The earlier evaluation whose awards hold: of this state, member and pin.

    Where only a hold has ended, or a re-run is undone. What waits for its edition, or
    has waited, is tried.
    """
    found = _before_rerun(case) if _undoes(case) else _before_hold_ended(case, at=at)
    if found is None or found.edition_id is None or case.new or case.review_before:
        return None
    same = (
        found.report_id == case.report_id
        and found.member_id == case.member_id
        and _pin(found) == case.pinned_id
    )
    return found if same else None


def _left_by_undoing(case: Case, at: datetime) -> Settlement | None:
    """What a purchase in review was worth before the re-run that is undone.

    Of an earlier state: that of today fails now as it did then.
    """
    found = _before_rerun(case) if _undoes(case) else None
    return found if found and found.member_id == case.member_id else None


def _undoes(case: Case) -> bool:
    """Whether staff take a re-run of it back."""
    decided = case.decision
    return decided is not None and decided.kind == Decision.Kind.UNDO_RERUN


def _before_hold_ended(case: Case, *, at: datetime) -> Settlement | None:
    if case.decision or not case.due_before or case.due_before > at:
        return None
    return case.evaluation_before


def _before_rerun(case: Case) -> Settlement | None:
    assert case.decision and case.decision.rerun  # reruns.undo() names one
    return case.history.before(case.decision.rerun)


def _gave(case: Case) -> bool:
    """Whether what it was worth follows from the re-run that is undone."""
    current = case.evaluation_before
    return current is not None and _pin(current) not in (None, case.pinned_id)


def _pin(evaluation: Settlement) -> int | None:
    """The edition that a re-run chose for it; None where its time did."""
    return evaluation.edition_id if evaluation.pinned else None


def _try(
    cases: Sequence[Case], *, batch: Sequence[Case], at: datetime
) -> dict[int, _Trial]:
    """Each purchase with the facts about it, and the rules that count for it.

    The members are locked of whom something is taken or limited: all at once, since
    two workers that lock them one by one would wait for each other.
    """
    editions = Editions.load()
    trials = {case.id: _trial(case, editions, at=at) for case in cases}
    anew = []
    for case in cases:
        about = circumstances.kept(case)
        if about is None and case.about_somebody:
            anew.append(case)
        else:
            trials[case.id].match(about or NOTHING_KNOWN)
    sharing = [t.case for t in trials.values() if t.limits_member()]
    buyers = circumstances.lock_members(
        {case.member_id for case in (*anew, *sharing) if case.member_id}
    )
    for id, about in circumstances.take(anew, among=batch, buyers=buyers):
        trials[id].match(about)
    return trials


def _trial(case: Case, editions: Editions, *, at: datetime) -> _Trial:
    attributed_at = case.report.attributed_at
    return _Trial(
        case,
        case.pinned_id or editions.at(attributed_at),
        certain_at=editions.settles_from(attributed_at, now=at),
    )


def _worth(trial: _Trial, usage: Usage, *, at: datetime) -> Worth | None:
    """None where an expression failed: what it was worth stays.

    An undone re-run takes back what it gave even then.
    """
    case, claimant = trial.case, trial.claimant
    if case.failed:
        return Worth(None) if _undoes(case) and _gave(case) else None
    facts = trial.about.stored()
    if case.account.rewarding is False:
        facts[evaluations.EXCLUDED] = True
    if trial.certain_at:
        return Worth(None, facts=facts, due_at=trial.certain_at)
    pinned = case.pinned_id is not None
    if claimant is None:
        return Worth(trial.edition_id, facts=facts, pinned=pinned)
    then = recorded.of(case.id)
    uses = evaluations.uses_in(then.facts) if then else usage.uses(claimant)
    if uses:
        facts[evaluations.LIMITS] = uses
    granted = claimant.program.grant(claimant.matched, evaluations.room(uses))
    units = usage.units.ids
    given = [Awarded.of(g, units=units, report=case.report) for g in granted]
    due_at = awards.next_due(given, at=at)
    return Worth(trial.edition_id, given, facts, pinned, due_at)
