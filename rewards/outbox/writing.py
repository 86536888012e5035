"""Writing down what is to be sent, in the transaction of what it tells.

A rolled-back fact tells nobody, and a repeated one is told once.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from rewards.models import Endpoint, Member, Message, Redemption


def emit(
    type: str,
    *,
    key: str,
    data: Mapping[str, Any],
    member: Member | None = None,
    at: datetime,
) -> None:
    """Tell a fact to every active endpoint that wants its type.

    ``key`` names the fact among those of its type; ``data`` is plain JSON. ``member``
    is whom it is about: erasing that member clears what the message says.
    """
    endpoints = Endpoint.objects.filter(active=True)
    wanting = [one for one in endpoints if not one.events or type in one.events]
    said = {"type": type, "timestamp": _instant(at), "data": dict(data)}
    _write(
        Message(
            kind=Message.Kind.EVENT,
            type=type,
            key=f"{type} {key}",
            endpoint=endpoint,
            member=member,
            payload=said,
            due_at=at,
            created_at=at,
        )
        for endpoint in wanting
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
