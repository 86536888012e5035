"""Writing down what is to be sent, in the transaction of what it tells.

A rolled-back fact tells nobody, and a repeated one is told once.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from rewards.models import Endpoint, Member, Message, Redemption


class Fact(NamedTuple):
    """Something that host applications may want to know.

    ``key`` names it among those of its type; ``data`` is plain JSON. ``member`` is whom
    it is about: erasing that member clears what its messages say.
    """

    type: str
    key: str
    data: Mapping[str, Any]
    member: Member | None = None


def emit(*facts: Fact, at: datetime) -> None:
    """Tell each fact to every active endpoint that wants its type."""
    endpoints = list(Endpoint.objects.filter(active=True)) if facts else ()
    _write(
        _event(fact, endpoint, at=at)
        for fact in facts
        for endpoint in endpoints
        if not endpoint.events or fact.type in endpoint.events
    )


def _event(fact: Fact, endpoint: Endpoint, *, at: datetime) -> Message:
    said = {"type": fact.type, "timestamp": _instant(at), "data": dict(fact.data)}
    return Message(
        kind=Message.Kind.EVENT,
        type=fact.type,
        key=f"{fact.type} {fact.key}",
        endpoint=endpoint,
        member=fact.member,
        payload=said,
        due_at=at,
        created_at=at,
    )


def call(redemption: Redemption, *, at: datetime) -> None:
    """Ask the host application to hand a redemption over. Asked once, ever."""
    reward = redemption.reward
    said = {
        "redemption": redemption.public_id,
        "customer_id": redemption.member.customer_id,
        "reward": reward.key,
        "unit": reward.unit.code,
        "amount": redemption.amount,
    }
    _write(
        [
            Message(
                kind=Message.Kind.CALL,
                type="redemption.call",
                key=redemption.public_id,
                endpoint=reward.endpoint,
                member=redemption.member,
                redemption=redemption,
                payload=said,
                due_at=at,
                created_at=at,
            )
        ]
    )


def mail(
    type: str,
    *,
    key: str,
    to: str,
    subject: str,
    text: str,
    member: Member | None = None,
    at: datetime,
) -> None:
    """Write a mail in plain text; ``key`` names it among those of its type."""
    _write(
        [
            Message(
                kind=Message.Kind.MAIL,
                type=type,
                key=f"{type} {key}",
                member=member,
                payload={"to": to, "subject": subject, "text": text},
                due_at=at,
                created_at=at,
            )
        ]
    )


def _write(messages: Iterable[Message]) -> None:
    Message.objects.bulk_create(list(messages), ignore_conflicts=True)


def _instant(at: datetime) -> str:
    """RFC 3339 in UTC."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
