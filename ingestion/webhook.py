"""The webhook's door: read, check the signature, store, acknowledge.

Button drops an event for good on a 400, and pauses an endpoint that fails. So this
URL is served in front of everything of Django's that could answer 301, 400, 403 or
500, and only 200, 401, 405, 413 and 503 can leave it.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from time import monotonic
from typing import Any, BinaryIO

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse

from ingestion.button.envelope import webhook_delivery
from ingestion.button.signature import is_authentic
from ingestion.door import PATHS
from ingestion.inbox import store
from ingestion.refusals import is_genuine, tally

HEADERS = {"Content-Type": "text/plain", "Content-Length": "0"}
PIECE = 65_536
SILENCE, PATIENCE = 10, 30  # seconds: nobody's slow body may hold a thread for long
MOST_DISCARDED = 64 * 1024 * 1024

log = structlog.get_logger(__name__)


class TooLarge(Exception):
    """The body has more bytes than MAX_WEBHOOK_BYTES."""


class WebhookGuard:
    """Middleware, first of all, that answers the webhook's URL itself."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path_info not in PATHS:
            return self.get_response(request)
        try:
            status = _receive(request)
        except Exception:
            # Whatever it was, Button will send it again.
            log.exception("webhook_not_stored")
            _count(503, request)
            return HttpResponse(status=503, headers=HEADERS)
        if status != 200:
            _count(status, request)
        tally.write()  # not after an exception: the database has just failed
        return HttpResponse(status=status, headers=HEADERS)


def _count(status: int, request: HttpRequest) -> None:
    tally.add(status, genuine=is_genuine(request.META), at=datetime.now(UTC))


def _receive(request: HttpRequest) -> int:
    """Take one webhook in; the status to answer."""
    if request.method != "POST":
        return 405
    if not settings.BUTTON_WEBHOOK_SECRETS:
        log.error("webhook_without_secret", mend="set BUTTON_WEBHOOK_SECRETS")
        return 503
    try:
        body = _read(request.META, most=settings.MAX_WEBHOOK_BYTES)
    except TooLarge:
        log.warning("webhook_too_large")
        return 413
    if not is_authentic(
        body,
        signature=request.META.get("HTTP_X_BUTTON_SIGNATURE", ""),
        secrets=settings.BUTTON_WEBHOOK_SECRETS,
    ):
        log.warning("webhook_signature_invalid", bytes=len(body))
        return 401
    store(webhook_delivery(body), at=datetime.now(UTC))
    return 200


def _read(environ: dict[str, Any], *, most: int) -> bytes:
    """The raw body, straight from the stream. Raises TooLarge.

    Django reads nothing where there is no Content-Length, which is what a chunked
    body looks like.
    """
    stream = environ["wsgi.input"]
    length = _length(environ)
    if connection := environ.get("gunicorn.socket"):
        connection.settimeout(SILENCE)
    deadline = monotonic() + PATIENCE
    body = bytearray()
    while piece := stream.read(_next(length, len(body))):
        body += piece
        if len(body) > most:
            _discard(stream, _remaining(length, len(body)))
            raise TooLarge
        if monotonic() > deadline:
            raise ConnectionError("the body came too slowly")
    if length is not None and len(body) < length:
        raise ConnectionError("the body ended early")
    return bytes(body)


def _length(environ: dict[str, Any]) -> int | None:
    """How long the body is; None where it ends when the stream does."""
    if "chunked" in environ.get("HTTP_TRANSFER_ENCODING", "").lower():
        if environ.get("wsgi.input_terminated"):
            return None
        raise ConnectionError("this server does not decode chunked bodies")
    length = environ.get("CONTENT_LENGTH") or ""
    # A length that is no number is a body that nobody can delimit: empty.
    if not (length.isascii() and length.isdigit()):
        return 0
    return int(length) if len(length) < 19 else 10**18


def _next(length: int | None, read: int) -> int:
    return PIECE if length is None else min(PIECE, length - read)


def _remaining(length: int | None, read: int) -> int:
    return MOST_DISCARDED if length is None else min(MOST_DISCARDED, length - read)


def _discard(stream: BinaryIO, left: int) -> None:
    """Take the rest off the wire: a sender that is cut off never sees the answer."""
    while left > 0 and (piece := stream.read(min(PIECE, left))):
        left -= len(piece)
