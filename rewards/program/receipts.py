"""The receipt: why a purchase earned what it did, and what each other rule lacked.

Derived, not stored: evaluation is pure, so the stored report and the edition give the
same explanation for ever. Where they don't give the stored awards, the receipt says so.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Any

from rewards.history import COLUMNS
from rewards.models import Award, Purchase, Settlement
from rewards.program.conditions import Condition
from rewards.program.editions import compiled
from rewards.program.evaluation import CompiledProgram, CompiledRule, Granted, standing
from rewards.program.rewards import Exact
from rewards.reports import PurchaseReport

APPLIED, NOT_MATCHED, STOOD_BACK, NOTHING = (
    "applied",
    "not_matched",
    "stood_back",
    "nothing",
)


@dataclass(frozen=True, slots=True)
class Failed:
    """The condition that a rule missed, and what it found instead."""

    condition: str
    wanted: str
    found: str


@dataclass(frozen=True, slots=True)
class Tried:
    """One rule and what became of it. Amounts in the unit's smallest step.

    ``outcome``: applied, not_matched (see ``failed``), stood_back (another rule of its
    group came first) or nothing (it matched, and gives nothing here).
    """

    rule: str
    label: Any
    unit: str
    outcome: str
    failed: Failed | None = None
    why: str = ""
    exact: str = ""
    wanted: int = 0
    granted: int = 0


@dataclass(frozen=True, slots=True)
class Receipt:
    """Everything that went into the awards that are current.

    ``note`` says why nothing was evaluated, where nothing was. ``reproduced`` is
    whether evaluating again gives the awards that are stored.
    """

    edition: int | None
    settled_at: datetime | None
    report: PurchaseReport | None
    rules: Sequence[Tried] = ()
    note: str = ""
    reproduced: bool = True


def receipt(purchase: Purchase) -> Receipt:
    """The receipt of what a purchase holds now."""
    settlement = (
        Settlement.objects.select_related("report", "edition")
        .filter(pk=purchase.settlement_id or 0)
        .first()
    )
    if settlement is None or settlement.report is None:
        return Receipt(None, None, None, note=purchase.review or _unsettled())
    stored = settlement.report
    own = {name: getattr(stored, name) for name in COLUMNS}
    report = PurchaseReport.restore(stored.content, **own)
    edition = settlement.edition
    note = _note(purchase, settlement, report)
    if edition is None or note:
        number = edition.number if edition else None
        return Receipt(number, settlement.settled_at, report, note=note)
    tried = try_rules(compiled(edition.pk), report)
    return Receipt(
        edition.number,
        settlement.settled_at,
        report,
        tried,
        reproduced=_matches(tried, settlement.awards.select_related("unit")),
    )


def try_rules(program: CompiledProgram, report: PurchaseReport) -> list[Tried]:
    """What became of every rule, in order."""
    matched = {
        rule.spec.key: exact
        for rule in program.rules
        if (exact := rule.matches(report)) is not None
    }
    standing_keys = _standing_keys(program, matched)
    awards = {award.rule: award for award in program.evaluate(report)}
    return [
        _tried(
            rule,
            report,
            matched.get(rule.spec.key),
            stands=rule.spec.key in standing_keys,
            award=awards.get(rule.spec.key),
        )
        for rule in program.rules
    ]


def _standing_keys(program: CompiledProgram, matched: dict[str, Exact]) -> set[str]:
    keys: set[str] = set()
    for unit in program.units:
        found = [
            (rule, matched[rule.spec.key])
            for rule in program.rules
            if rule.spec.unit == unit and rule.spec.key in matched
        ]
        keys.update(rule.spec.key for rule, _ in standing(found))
    return keys


def _tried(
    rule: CompiledRule,
    report: PurchaseReport,
    exact: Exact | None,
    *,
    stands: bool,
    award: Granted | None,
) -> Tried:
    spec = rule.spec
    if exact is None:
        failed = _first_failed(rule.conditions, report)
        outcome = NOT_MATCHED if failed else NOTHING
        return Tried(spec.key, spec.label, spec.unit, outcome, failed)
    outcome = APPLIED if stands and exact.numerator else NOTHING
    if not stands:
        outcome = STOOD_BACK
    return Tried(
        spec.key,
        spec.label,
        spec.unit,
        outcome,
        why=exact.why,
        exact=_ratio(exact),
        wanted=award.wanted if award else 0,
        granted=award.granted if award else 0,
    )


def _first_failed(
    conditions: Sequence[Condition], report: PurchaseReport
) -> Failed | None:
    for condition in conditions:
        if not condition.holds(report):
            return Failed(condition.name, condition.wanted, condition.found(report))
    return None


def _ratio(exact: Exact) -> str:
    return str(Fraction(exact.numerator, exact.denominator))


def _matches(tried: Sequence[Tried], awards: Iterable[Award]) -> bool:
    again = {(t.rule, t.unit): t.granted for t in tried if t.outcome == APPLIED}
    return again == {(a.rule, a.unit.code): a.granted for a in awards}


def _note(purchase: Purchase, settlement: Settlement, report: PurchaseReport) -> str:
    """Why nothing was evaluated, in a sentence for people; empty where it was."""
    if not report.rewarded:
        return "App installs are never rewarded."
    if report.status == Purchase.Status.DECLINED:
        return "The store declined the order, so it is worth nothing."
    if settlement.member_id is None:
        return "Nobody is known to have made this purchase."
    if settlement.edition_id is None:
        return "No edition of the program holds for the time of this order."
    if not settlement.awards.exists() and purchase.account.rewarding is False:
        return "Staff excluded the network account that reported it."
    return ""


def _unsettled() -> str:
    return "It has not been settled yet."
