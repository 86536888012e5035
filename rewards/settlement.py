"""Settling: the one way in which a purchase moves points.

A report is a purchase's whole new state. So work out what that state is worth, and
post the difference to what is posted already. One report is a small batch.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import islice
from json import dumps

from django.db import IntegrityError, transaction

from rewards import bulk, interlock, ledger
from rewards.awards import Awarded
from rewards.cases import ROW, Case
from rewards.ledger import Posting, Pot
from rewards.models import Account, Award, Decision, Purchase, Report, Settlement
from rewards.opening import open_cases
from rewards.parties import Parties
from rewards.races import Raced
from rewards.reports import VALIDATED, Arrival, Outcome, PurchaseReport
from rewards.usage import Units
from rewards.worths import Worth, work_out


def settle(
    arrivals: Sequence[Arrival] = (),
    *,
    purchases: Iterable[int] = (),
    decision: Decision | None = None,
    at: datetime,
) -> list[Outcome]:
    """Settle reports, or purchases that a decision or time alone has changed.

    One transaction: all of it happens, or nothing. ``at`` is now, in UTC. Returns
    what became of each arrival, in their order. Raises Raced.
    """
    with transaction.atomic():
        interlock.enter()
        cases = open_cases(arrivals, purchases=purchases, decision=decision, at=at)
        if touched := [case for case in cases if case.touched]:
            parties = Parties.of([case.standing for case in touched], at=at)
            for case in touched:
                case.meet(parties)
            _settle(_in_order(touched), decision=decision, at=at)
        outcomes = {i: o for case in cases for i, o in case.outcomes().items()}
    return [outcomes[index] for index in range(len(arrivals))]


def _in_order(cases: list[Case]) -> list[Case]:
    """By attribution time, then reference: the order in which limits are used up."""
    return sorted(cases, key=lambda c: (c.report.attributed_at, c.order_key, c.id))


def _settle(cases: list[Case], *, decision: Decision | None, at: datetime) -> None:
    worths = work_out(cases, units=Units.load(), at=at)
    posted = ledger.posted([case.id for case in cases if not case.is_new])
    _number(cases)
    _write_purchases(cases, worths, at=at)
    _write_settlements(cases, worths, decision=decision, at=at)
    _write_reports(cases)
    _write_awards(cases, worths)
    ledger.post(
        [
            Posting(
                changes,
                "purchase",
                str(case.settlement_id),
                case.settlement_id,
                case.id,
            )
            for case in cases
            if case.id in worths
            and (
                changes := ledger.difference(
                    _target(case, worths[case.id], at=at), posted.get(case.id, {})
                )
            )
        ],
        at=at,
    )


def _target(case: Case, worth: Worth, *, at: datetime) -> dict[Pot, int]:
    """What should stand in the member's pots, by unit and bucket."""
    target: dict[Pot, int] = {}
    final = _state(case, worth).status == VALIDATED
    for award in worth.awards:
        available = final and not award.held(at=at)
        kind = Account.Kind.AVAILABLE if available else Account.Kind.PENDING
        pot = Pot(case.member_id or 0, award.unit_id, kind.value)
        target[pot] = target.get(pot, 0) + award.granted
    return target


def _state(case: Case, worth: Worth) -> PurchaseReport:
    """The state that it is the worth of."""
    earlier = worth.report_id
    return case.history.reports[earlier] if earlier else case.report


def _number(cases: list[Case]) -> None:
    """Draw settling numbers, in settling order, now that everything is locked."""
    numbers = bulk.reserve_ids(Settlement, len(cases))
    report_ids = iter(bulk.reserve_ids(Report, sum(len(case.new) for case in cases)))
    for case, number in zip(cases, numbers, strict=True):
        case.number(number, islice(report_ids, len(case.new)))


def _write_purchases(
    cases: list[Case], worths: dict[int, Worth], *, at: datetime
) -> None:
    rows = {
        case.id: (*case.row(), *_current(case, worths.get(case.id))) for case in cases
    }
    columns = (*ROW, "settlement_id", "due_at")
    new = sorted(
        (c for c in cases if c.is_new), key=lambda c: (c.order_key, c.account.pk)
    )
    try:
        bulk.insert(
            Purchase,
            (*columns, "account_id", "twin", "first_seen_at"),
            [(*rows[case.id], case.account.pk, case.twin, at) for case in new],
        )
        known = [rows[case.id] for case in cases if not case.is_new]
        bulk.update(Purchase, columns, known)
    except IntegrityError as error:
        if "order_key" in str(error):
            raise Raced from error
        raise


def _current(case: Case, worth: Worth | None) -> tuple[int | None, datetime | None]:
    """Which settlement's awards are current, and when time will change the worth."""
    due_at = worth.due_at if worth else case.due_before
    current = case.settlement_id if worth else case.settlement_before
    return current, None if case.review else due_at


def _write_settlements(
    cases: list[Case],
    worths: dict[int, Worth],
    *,
    decision: Decision | None,
    at: datetime,
) -> None:
    bulk.insert(
        Settlement,
        (
            "id",
            "purchase_id",
            "member_id",
            "decision_id",
            "settled_at",
            "report_id",
            "edition_id",
            "facts",
            "pinned",
        ),
        [
            (
                case.settlement_id,
                case.id,
                case.member_id,
                decision.pk if decision else None,
                at,
                *_evaluation(case, worths.get(case.id)),
            )
            for case in cases
        ],
    )


def _evaluation(
    case: Case, worth: Worth | None
) -> tuple[int | None, int | None, str, bool]:
    """What was evaluated, under which edition, from which facts, and who chose it."""
    if worth is None:
        return None, None, "{}", False
    report_id = worth.report_id or case.report_id
    return report_id, worth.edition_id, dumps(worth.facts), worth.pinned


def _write_reports(cases: list[Case]) -> None:
    bulk.insert(
        Report,
        (
            "id",
            "purchase_id",
            "settlement_id",
            "transaction_id",
            "status",
            "order_total",
            "commission",
            "customer_id",
            "modified_at",
            "confirmed",
            "content",
            "digest",
            "source",
            "received_at",
        ),
        [
            (
                new.id,
                case.id,
                case.settlement_id,
                (report := new.arrival.report).transaction_id,
                report.status,
                report.order_total or 0,
                report.commission or 0,
                report.customer_id,
                report.modified_at,
                report.confirmed,
                report.content,
                report.digest,
                new.arrival.source,
                new.arrival.received_at,
            )
            for case in cases
            for new in case.new
        ],
    )


def _write_awards(cases: list[Case], worths: dict[int, Worth]) -> None:
    bulk.insert(
        Award,
        ("settlement_id", *Awarded._fields),
        [
            (case.settlement_id, *award)
            for case in cases
            if case.id in worths
            for award in worths[case.id].awards
        ],
    )
