"""Carrying one message to where it goes, in bounded time and memory.

No redirect is followed and nothing of the environment is used: either would take
members' data to somebody else. Every request has a connection of its own, so that one
that could not be made is known to have carried nothing.
"""

import json
from datetime import datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy
from smtplib import SMTPException

import httpx2
from django.conf import settings
from django.core.mail import EmailMessage

from rewards import vault
from rewards.deadline import BoundedTransport, within
from rewards.models import Message
from rewards.outbox.answers import Answer
from rewards.outbox.signing import secrets_of, sign

CONNECT, READ, TOTAL = 5, 15, 20  # seconds; the last from asking to the last byte
MOST_BYTES = 64 * 1024
NEVER_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.UnsupportedProtocol)


def client() -> httpx2.Client:
    """To be closed; threads may share it."""
    return httpx2.Client(
        headers={
            "User-Agent": f"loyalty-server/{settings.VERSION}",
            "Accept": "application/json",
            "Accept-Encoding": "identity",
        },
        timeout=httpx2.Timeout(READ, connect=CONNECT),
        transport=BoundedTransport(max_connections=64, keepalive_expiry=0),
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        follow_redirects=False,
        trust_env=False,
    )


def deliver(message: Message, *, http: httpx2.Client, at: datetime) -> Answer:
    """Send it, and return what came back. Touches no database."""
    if message.kind == Message.Kind.MAIL:
        return _mail(message)
    try:
        request = _request(message, http=http, at=at)
    except (vault.CannotOpen, httpx2.InvalidURL) as error:
        return Answer(problem=str(error), sent=False)
    return _send(request, http=http)


def _request(message: Message, *, http: httpx2.Client, at: datetime) -> httpx2.Request:
    """The request, signed. Its id never changes, however often it is sent."""
    assert message.endpoint
    body = json.dumps(message.payload, separators=(",", ":")).encode()
    secrets = secrets_of(message.endpoint, at=at)
    headers = sign(body, id=f"msg_{message.pk}", at=at, secrets=secrets)
    headers["Content-Type"] = "application/json"
    if message.kind == Message.Kind.CALL:
        headers["Idempotency-Key"] = message.key
    return http.build_request(
        "POST", message.endpoint.url, content=body, headers=headers
    )


def _send(request: httpx2.Request, *, http: httpx2.Client) -> Answer:
    try:
        with within(TOTAL):
            answer = http.send(request, stream=True)
            try:
                return Answer(status=answer.status_code, body=_body(answer))
            finally:
                answer.close()
    except NEVER_SENT as error:
        return Answer(problem=f"Not reached: {type(error).__name__}.", sent=False)
    except (httpx2.TransportError, httpx2.StreamError) as error:
        return Answer(problem=f"No whole answer: {type(error).__name__}.")


def _body(answer: httpx2.Response) -> bytes:
    """As it came, and no more than its beginning."""
    body = bytearray()
    for piece in answer.iter_raw():
        body += piece
        if len(body) > MOST_BYTES:
            break
    return bytes(body[:MOST_BYTES])


def _mail(message: Message) -> Answer:
    said = message.payload
    mail = EmailMessage(said["subject"], said["text"], to=[said["to"]])
    try:
        mail.send()
    except (SMTPException, OSError, ValueError) as error:
        return Answer(problem=f"Not taken: {type(error).__name__}.")
    return Answer(status=250)
