"""Writing down what came of an attempt, and acting on it."""

import random
from datetime import datetime, timedelta

import structlog
from django.db import transaction
from django.db.models.functions import Now

from rewards.leases import Lease, LeaseLost
from rewards.models import Attempt, Endpoint, Message, Redemption
from rewards.outbox.answers import GONE, Answer, CallAnswer, Outcome
from rewards.redemptions import fulfilment, steps
from rewards.refusals import Refused

State = Message.State

_HOURS = 3600
PAUSES = (10, 30, 120, 600, 1800, _HOURS, 3 * _HOURS, 6 * _HOURS, *5 * (12 * _HOURS,))
"""Seconds until the next attempt, after each that failed: three days in all."""

DIED = "The worker died while it was sent; nobody knows what came of it."
NEVER_REACHED = "Whoever hands it over was not reached, so nothing was handed over."
STILL_UNKNOWN = "Asked again, the host application was not reached: nobody knows yet."
NOT_ABOUT_THE_FIRST = "Asked again, it refused; was it handed over before? It said: {}"

log = structlog.get_logger(__name__)


def record(
    message: Message, answer: Answer, *, attempt: Attempt, lease: Lease, at: datetime
) -> None:
    """Log the answer, and act on it unless another worker took the message over."""
    _close(attempt, answer, at=at)
    try:
        with transaction.atomic():
            if message.kind == Message.Kind.CALL:
                state = _act(message, CallAnswer.of(answer), at=at)
            else:
                state = _judge(message, answer)
            lease.renew()
            _note(message, state, due_at=at + _pause(message.attempts), at=at)
    except LeaseLost:
        log.error("answer_came_too_late", message=message.pk, status=answer.status)


def recover(*, at: datetime) -> None:
    """Take over what died with its worker: a call goes to staff, all else is due."""
    lapsed = Message.objects.filter(held_until__lt=Now())
    for message in lapsed:
        with transaction.atomic():
            calling = message.kind == Message.Kind.CALL
            state = _hold(message, DIED, at=at) if calling else State.WAITING
            if not lapsed.filter(pk=message.pk).update(held_until=Now()):
                transaction.set_rollback(True)  # another worker was first
                continue
            message.log.filter(ended_at=None).update(ended_at=at, said=DIED)
            _note(message, state, at=at)
        log.warning("attempt_died", message=message.pk)


def drop(message: Message, *, at: datetime) -> bool:
    """Never send it, unless it is being sent; whether that could be."""
    free = Message.objects.filter(pk=message.pk, held_until=None)
    return bool(free.exclude(state=State.SENT).update(state=State.DROPPED, ended_at=at))


def _close(attempt: Attempt, answer: Answer, *, at: datetime) -> None:
    attempt.ended_at = at
    attempt.status_code = answer.status
    attempt.said = answer.said
    attempt.save(update_fields=["ended_at", "status_code", "said"])


def _note(
    message: Message,
    state: Message.State,
    *,
    due_at: datetime | None = None,
    at: datetime,
) -> None:
    """What came of it; nobody holds it any more."""
    own = Message.objects.filter(pk=message.pk)
    free: dict[str, object] = {"held_by": "", "held_until": None}
    if state == State.WAITING:
        values = {"due_at": due_at or message.due_at, **free}
    else:
        values = {"state": state, "ended_at": at, **free}
    if not own.filter(state=State.WAITING).update(**values):
        own.update(**free)  # its member was erased meanwhile
        message.log.update(said="")


def _judge(message: Message, answer: Answer) -> Message.State:
    """What an event or a mail becomes."""
    if answer.good:
        return State.SENT
    if answer.status == GONE and message.endpoint:
        Endpoint.objects.filter(pk=message.endpoint.pk).update(active=False)
        log.warning("endpoint_gone", endpoint=message.endpoint.pk)
        return State.FAILED
    return _again(message)


def _again(message: Message) -> Message.State:
    return State.WAITING if message.attempts <= len(PAUSES) else State.FAILED


def _pause(attempts: int) -> timedelta:
    """Up to a fifth longer by chance, so that what failed together is spread."""
    seconds = PAUSES[min(attempts, len(PAUSES)) - 1]
    return timedelta(seconds=seconds + random.randint(0, seconds // 5))


def _act(message: Message, answer: CallAnswer, *, at: datetime) -> Message.State:
    """Do with the redemption what the host application says; what the call becomes."""
    redemption = Redemption.objects.get(messages=message.pk)
    match answer.outcome:
        case Outcome.FULFILLED:
            return _fulfil(redemption, answer, at=at)
        case Outcome.ACCEPTED:
            return State.SENT
        case Outcome.REFUSED if not answer.expressly and steps.was_in_doubt(redemption):
            reason = NOT_ABOUT_THE_FIRST.format(answer.reason)
            return _hold(message, reason, at=at)
        case Outcome.REFUSED:
            return _cancel(redemption, answer.reason, State.SENT, at=at)
        case Outcome.NOT_DONE if _again(message) == State.FAILED:
            if steps.was_in_doubt(redemption):
                return _hold(message, STILL_UNKNOWN, at=at)
            return _cancel(redemption, NEVER_REACHED, State.FAILED, at=at)
        case Outcome.NOT_DONE:
            return State.WAITING
        case Outcome.UNKNOWN:
            return _hold(message, answer.reason, at=at)


def _fulfil(
    redemption: Redemption, answer: CallAnswer, *, at: datetime
) -> Message.State:
    try:
        fulfilment.fulfil(redemption, reference=answer.reference, answered=True, at=at)
    except Refused as refused:
        reason = f"The host application handed it over, but: {refused}"
        if not _held(redemption, reason, at=at):
            log.error("handed_over_though_cancelled", redemption=redemption.pk)
    return State.SENT


def _cancel(
    redemption: Redemption, reason: str, state: Message.State, *, at: datetime
) -> Message.State:
    try:
        fulfilment.cancel(redemption, reason=reason, answered=True, at=at)
    except Refused as refused:
        _held(redemption, f"{reason} But: {refused}", at=at)
    return state


def _hold(message: Message, reason: str, *, at: datetime) -> Message.State:
    """Have staff look: nobody knows what the call has done, unless it ended since."""
    redemption = Redemption.objects.get(messages=message.pk)
    return State.UNKNOWN if _held(redemption, reason, at=at) else State.SENT


def _held(redemption: Redemption, reason: str, *, at: datetime) -> bool:
    """Have staff look at a redemption; False where it has ended."""
    try:
        fulfilment.hold(redemption, reason=reason, at=at)
    except Refused:
        return False
    return True
