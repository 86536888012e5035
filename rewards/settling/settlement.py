"""Settling: the one way in which a purchase moves points.

A report is a purchase's whole new state. So work out what that state is worth, and
post the difference to what is posted already. One report is a small batch.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import islice
from json import dumps

from django.db import IntegrityError, transaction

from rewards import bulk, interlock, ledger, recorded
from rewards.ledger.postings import NOTHING_POSTED, Lives, Posted, Posting, Pot, Vector
from rewards.models import (
    Account,
    Award,
    Decision,
    Purchase,
    Report,
    Settlement,
    Transfer,
)
from rewards.parties import Parties
from rewards.privacy import tombstones
from rewards.program.editions import compiled
from rewards.races import Raced
from rewards.reports import VALIDATED, Arrival, Outcome, PurchaseReport
from rewards.settling import reviews
from rewards.settling.awards import Awarded
from rewards.settling.cases import ROW, Case
from rewards.settling.opening import open_cases
from rewards.settling.usage import Units
from rewards.settling.worths import Worth, work_out


def settle(
    arrivals: Sequence[Arrival] = (),
    *,
    purchases: Iterable[int] = (),
    decision: Decision | None = None,
    at: datetime,
) -> list[Outcome]:
    """Settle reports, or purchases that a decision or time alone has changed.

    One transaction: all of it happens, or nothing. ``at`` is now, in UTC. Returns
    what became of each arrival, in their order: what is about somebody who was erased
    is kept out. Raises Raced.
    """
    with transaction.atomic():
        interlock.enter()
        kept_out = tombstones.kept_out([arrival.report for arrival in arrivals])
        heard = [a for i, a in enumerate(arrivals) if i not in kept_out]
        cases = open_cases(heard, purchases=purchases, decision=decision, at=at)
        if touched := _met([case for case in cases if case.touched], at=at):
            _settle(_in_order(touched), decision=decision, at=at)
        outcomes = {i: o for case in cases for i, o in case.outcomes().items()}
    settled = (outcomes[index] for index in range(len(heard)))
    return [kept_out.get(i) or next(settled) for i in range(len(arrivals))]


def _met(cases: list[Case], *, at: datetime) -> list[Case]:
    """The cases that may be settled, with everybody whom they concern."""
    if not cases:
        return []
    parties = Parties.of([case.standing for case in cases], at=at)
    for case in cases:
        case.meet(parties)
    met = [case for case in cases if case.touched]
    frozen = reviews.frozen(
        members={m for case in met for m in (case.member_before, case.member_id) if m},
        purchases={case.id for case in met},
    )
    for case in met:
        case.freeze(frozen)
    return met


def _in_order(cases: list[Case]) -> list[Case]:
    """By attribution time, then reference: the order in which limits are used up."""
    return sorted(cases, key=_place)


def _place(case: Case) -> tuple[int, datetime, str, int]:
    """A replay settles by the numbers that were drawn."""
    replayed = recorded.of(case.id)
    number = replayed.number if replayed else 0
    return number, case.report.attributed_at, case.order_key, case.id


def _settle(cases: list[Case], *, decision: Decision | None, at: datetime) -> None:
    worths = work_out(cases, units=Units.load(), at=at)
    posted = ledger.posted([case.id for case in cases if not case.is_new])
    _number(cases)
    _write_purchases(cases, worths, at=at)
    _write_settlements(cases, worths, decision=decision, at=at)
    _write_reports(cases)
    _write_awards(cases, worths)
    postings = [
        _posting(case, worths[case.id], posted.get(case.id, NOTHING_POSTED), at=at)
        for case in cases
        if case.id in worths
    ]
    ledger.post([posting for posting in postings if posting.changes], at=at)


def _posting(case: Case, worth: Worth, posted: Posted, *, at: datetime) -> Posting:
    """What has to move for a purchase's worth to stand in its member's pots."""
    target, lives = _target(case, worth, at=at)
    happened = case.happened_at(at)
    return Posting(
        ledger.difference(target, posted.vector),
        Transfer.Source.PURCHASE,
        str(case.settlement_id),
        settlement_id=case.settlement_id,
        purchase_id=case.id,
        effective_at=max(happened, posted.effective_at or happened),
        lives=lives,
        zone=compiled(worth.edition_id).time_zone if worth.edition_id else "UTC",
    )


def _target(
    case: Case, worth: Worth, *, at: datetime
) -> tuple[Vector, Mapping[Pot, Lives]]:
    """What should stand in the member's pots, by unit and bucket.

    And how long what is available should live.
    """
    target: dict[Pot, int] = {}
    lives: dict[Pot, dict[int | None, int]] = {}
    final = _state(case, worth).status == VALIDATED
    for award in worth.awards:
        available = final and not award.held(at=at)
        kind = Account.Kind.AVAILABLE if available else Account.Kind.PENDING
        pot = Pot(case.member_id or 0, award.unit_id, kind.value)
        target[pot] = target.get(pot, 0) + award.granted
        if available:
            own, days = lives.setdefault(pot, {}), award.expires_after_days
            own[days] = own.get(days, 0) + award.granted
    return target, lives


def _state(case: Case, worth: Worth) -> PurchaseReport:
    """The state that it is the worth of."""
    earlier = worth.report_id
    return case.history.reports[earlier] if earlier else case.report


def _number(cases: list[Case]) -> None:
    """Draw settling numbers, in settling order, now that everything is locked."""
    if recorded.replays():
        for case in cases:
            if replayed := recorded.of(case.id):
                case.number(replayed.number, replayed.reports)
        return
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
    return current, None if case.review or case.erases else due_at


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
            "status",
            "commission",
            "currency",
            "in_review",
        ),
        [
            (
                case.settlement_id,
                case.id,
                case.member_id,
                decision.pk if decision else None,
                at,
                *_evaluation(case, worths.get(case.id)),
                case.report.status,
                case.report.commission or 0,
                case.report.currency,
                bool(case.review),
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
