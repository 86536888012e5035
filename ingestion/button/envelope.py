"""The envelope around a webhook, and the digest that names its content."""

import json
import re
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

from ingestion.inbox import Delivery
from rewards.reports import digest_key

NETWORK = "button"
DEEPEST = 32
_UNSTORABLE = re.compile(rb"\\u(0000|[dD][89a-fA-F])")
_BRACKETS = re.compile(rb'"(?:[^"\\]|\\.)*"?|[\[{]|[\]}]', re.DOTALL)


class Unreadable(ValueError):
    """The bytes are no JSON that means one thing only."""


def webhook_delivery(body: bytes) -> Delivery:
    """A webhook's bytes, ready for the inbox whatever they are.

    Content is the event type and the canonical data: a retry has another
    ``request_id``, and ``id`` was documented as two different things. Bytes that
    can't be read are their own content.
    """
    try:
        envelope = read_json(body)
    except Unreadable:
        return Delivery(NETWORK, "webhook", body, digest=_digest(b"raw", body))
    if not isinstance(envelope, dict) or not isinstance(envelope.get("data"), dict):
        return Delivery(NETWORK, "webhook", body, digest=_digest(b"raw", body))
    event_type = envelope.get("event_type")
    content = [event_type, envelope["data"]]
    return Delivery(
        NETWORK,
        "webhook",
        body,
        digest=_digest(b"json", _canonical(content)),
        event_type=_text(event_type, most=64),
        delivery_id=_text(envelope.get("id")),
        attempt_id=_text(envelope.get("request_id")),
    )


def polled_delivery(row: bytes, *, account: str = "", confirmed: int = 0) -> Delivery:
    """A polled row's bytes, ready for the inbox whatever they are.

    A row has no event type; its status tells which webhook would have brought it, so
    the same state by webhook has the same content. What was read on purpose, to settle
    a doubt, is content of its own.
    """
    number = b"%d" % confirmed if confirmed else b""
    try:
        data = read_json(row)
    except Unreadable:
        digest = _digest(b"raw", number + row)
        return Delivery(
            NETWORK, "poll", row, digest, account=account, confirmed=confirmed
        )
    status = data.get("status") if isinstance(data, dict) else None
    event_type = f"tx-{status}" if isinstance(status, str) else ""
    content = _canonical([event_type, data])
    return Delivery(
        NETWORK,
        "poll",
        row,
        digest=_digest(b"json", number + content),
        event_type=event_type[:64],
        account=account,
        confirmed=confirmed,
        modified_at=_modified_at(data),
    )


def read_json(body: bytes) -> Any:
    """Strict JSON: UTF-8, no key twice, no NaN, not absurdly deep or long.

    Raises Unreadable with a reason for staff.
    """
    if _depth(body) > DEEPEST:
        raise Unreadable(f"The body is nested more than {DEEPEST} levels deep.")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Unreadable(f"The body is not UTF-8 (byte {error.start}).") from None
    try:
        value = json.loads(
            text, object_pairs_hook=_no_key_twice, parse_constant=_no_constant
        )
    except Unreadable:
        raise
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"The body is not JSON: {error}.") from None
    return _storable(value) if _UNSTORABLE.search(body) else value


def _modified_at(row: object) -> datetime | None:
    """When the network changed it; None where that can't be told."""
    text = row.get("modified_date") if isinstance(row, dict) else None
    try:
        at = datetime.fromisoformat(text) if isinstance(text, str) else None
        return at.astimezone(UTC) if at and at.tzinfo else None
    except (ValueError, OverflowError):
        return None


def _storable(value: Any) -> Any:
    """The same with NULs and lone surrogates replaced: PostgreSQL stores neither."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode().replace("\0", "\ufffd")
    if isinstance(value, list):
        return [_storable(item) for item in value]
    if isinstance(value, dict):
        return {_storable(key): _storable(item) for key, item in value.items()}
    return value


def _depth(body: bytes) -> int:
    """How deep the brackets go, strings left out.

    Parsers give up at depths that change with the interpreter; this doesn't.
    """
    if body.count(b"[") + body.count(b"{") <= DEEPEST:
        return 0
    depth = deepest = 0
    for match in _BRACKETS.finditer(body):
        if (token := match[0]) in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif token in b"]}":
            depth -= 1
    return deepest


def _canonical(content: object) -> bytes:
    return json.dumps(
        content, sort_keys=True, separators=(",", ":"), ensure_ascii=True
    ).encode()


def _digest(kind: bytes, content: bytes) -> bytes:
    # Keyed, so that after an erasure nobody can guess whose content it was.
    return blake2b(content, key=digest_key(), person=kind, digest_size=32).digest()


def _no_key_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) < len(pairs):
        raise Unreadable("The body has a key twice in one object.")
    return data


def _no_constant(name: str) -> None:
    raise Unreadable(f"The body has the number {name}.")


def _text(value: object, *, most: int = 255) -> str:
    """Evidence for staff, cut to what its column holds."""
    return value[:most] if isinstance(value, str) else ""
