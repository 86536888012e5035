"""Reading what Button's API answers: the envelope, errors, pages of transactions."""

import json
import re
from base64 import b64decode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx2

from ingestion.button.errors import (
    Broken,
    ButtonError,
    Failing,
    Rejected,
    Throttled,
    Unauthorized,
)
from merchants.cleaning import storable

MOST_CURSOR = 4_000  # characters; it has to fit into an address again
MOST_MESSAGE = 500
DAY = 86_400  # seconds

# A number of 5,000 digits is no reason to lose the page.
_DECODER = json.JSONDecoder(parse_int=str, parse_float=str)
_PORTS = {"http": 80, "https": 443}
_NOT_SPACE = re.compile(r"[^ \t\n\r]|\Z")


@dataclass(frozen=True, slots=True)
class Page:
    """Raw transactions, byte for byte, and the cursor of the page after them.

    ``elsewhere`` is the host that the next page was said to be on, where it was not
    the one we asked; with the port or the scheme where only that was another.
    """

    rows: list[bytes]
    cursor: str
    elsewhere: str = ""


def read_object(answer: httpx2.Response) -> dict[str, Any]:
    """The whole envelope of a successful answer. Raises ButtonError."""
    _refuse_failures(answer)
    envelope = _json(answer)
    meta = envelope.get("meta")
    status = meta.get("status") if isinstance(meta, dict) else None
    if status == "ok" and answer.is_success:
        return envelope
    if status not in ("ok", "error"):
        raise _no_envelope(answer, "has no envelope")
    raise _error(answer, envelope.get("error"))


def read_page(answer: httpx2.Response) -> Page:
    """One page of transactions, each as the bytes that came. Raises ButtonError.

    A row that can't be read later on must not take its page with it, so of a row only
    the end is found here: its text may hold broken UTF-8, its numbers be beyond reason.
    """
    _refuse_failures(answer)
    try:
        parts = dict(_members(answer.content.decode("utf-8", "surrogateescape")))
    except (ValueError, RecursionError, IndexError):
        raise _no_envelope(answer, "is no JSON") from None
    meta, rows = parts.get("meta"), parts.get("objects")
    if (
        not answer.is_success
        or not isinstance(meta, dict)
        or meta.get("status") != "ok"
    ):
        read_object(answer)
    if not isinstance(meta, dict) or not isinstance(rows, list):
        raise Broken(_told(answer, "has no list"), status=answer.status_code)
    cursor, elsewhere = read_next(parts, asked=answer.request.url)
    return Page(rows, cursor, elsewhere)


def read_next(envelope: Mapping[str, Any], *, asked: httpx2.URL) -> tuple[str, str]:
    """The cursor of the next page, and where that was said to be if not at ``asked``.

    Never more than the cursor: a request to an address out of an answer would take
    our key wherever the answer says. Raises Broken.
    """
    url = envelope["meta"].get("next")
    if url is None or url == "":
        return "", ""
    if not isinstance(url, str) or not url.isprintable():
        raise Broken("The answer's next page is no address.")
    try:
        cursor = parse_qs(urlsplit(url).query).get("cursor", [""])[0]
        elsewhere = _elsewhere(url, asked=asked)
    except ValueError:
        raise Broken("The answer's next page is no address.") from None
    if not cursor:
        raise Broken("The answer's next page has no cursor.")
    if len(cursor) > MOST_CURSOR:
        raise Broken(f"The next page's cursor is too long: {len(cursor)} characters.")
    if not cursor.isprintable():
        raise Broken("The next page's cursor has control characters.")
    return cursor, elsewhere


def _elsewhere(url: str, *, asked: httpx2.URL) -> str:
    there = urlsplit(urljoin(str(asked), url))
    host = there.hostname or f"{there.scheme}:"
    port = _PORTS.get(there.scheme) if there.port is None else there.port
    if host != asked.host:
        return host[:255]
    if there.scheme != asked.scheme:
        return f"{there.scheme}://{host}"
    return "" if port == (asked.port or _PORTS[asked.scheme]) else f"{host}:{port}"


def retry_after(answer: httpx2.Response, *, now: datetime) -> int | None:
    """The pause in seconds that an answer asks for, in either of HTTP's forms.

    Never more than a day, however far off the date.
    """
    said = answer.headers.get("Retry-After", "").strip()
    if said.isascii() and said.isdigit():
        return min(int(said[:9]), DAY)
    try:
        until = parsedate_to_datetime(said)
    except ValueError:
        return None
    pause = until.replace(tzinfo=until.tzinfo or UTC) - now
    return max(0, min(int(pause.total_seconds()), DAY))


def _refuse_failures(answer: httpx2.Response) -> None:
    """What tells enough by its status: nobody's proxy speaks the envelope."""
    status = answer.status_code
    if status == 429 or (status == 503 and "Retry-After" in answer.headers):
        wait = retry_after(answer, now=datetime.now(UTC))
        raise Throttled(_told(answer, "asks for a pause"), wait=wait, status=status)
    if status >= 500:
        raise Failing(_told(answer, "is Button's own trouble"), status=status)
    if status < 200 or answer.has_redirect_location or 300 <= status < 400:
        raise Broken(
            _told(answer, "is a redirect, and none is followed"), status=status
        )


def _error(answer: httpx2.Response, said: object) -> ButtonError:
    """The error that an envelope names, as far as it names one."""
    said = _without_key(said, answer.request) if isinstance(said, dict) else {}
    message = str(said.get("message") or _told(answer, "is an error"))
    return (Unauthorized if answer.status_code == 401 else Rejected)(
        storable(message[:MOST_MESSAGE]),
        status=answer.status_code,
        kind=storable(str(said.get("type") or "")[:MOST_MESSAGE]),
        details=_texts(said.get("details")),
    )


def _texts(details: object) -> dict[str, str]:
    """What is text in an error's details, ready to be kept; nothing else is used."""
    if not isinstance(details, dict):
        return {}
    return {
        storable(name): storable(value[:MOST_MESSAGE])
        for name, value in details.items()
        if isinstance(value, str)
    }


def _without_key(said: dict[str, Any], request: httpx2.Request) -> dict[str, Any]:
    """An answer may name the key that it refuses; messages are logged and kept."""
    basic = request.headers.get("Authorization", "").removeprefix("Basic ")
    key = b64decode(basic).decode().removesuffix(":")
    text = json.dumps(said)
    for secret in filter(None, (basic, key)):
        text = text.replace(json.dumps(secret)[1:-1], "[key]")
    shown: dict[str, Any] = json.loads(text)
    return shown


def _no_envelope(answer: httpx2.Response, what: str) -> ButtonError:
    if answer.status_code in (401, 403):
        return Unauthorized(_told(answer, "is refused"), status=answer.status_code)
    return Broken(_told(answer, what), status=answer.status_code)


def _json(answer: httpx2.Response) -> dict[str, Any]:
    try:
        envelope = json.loads(answer.content)
    except (ValueError, RecursionError):
        envelope = None
    if not isinstance(envelope, dict):
        raise _no_envelope(answer, "is no JSON")
    return envelope


def _told(answer: httpx2.Response, what: str) -> str:
    """A sentence with where and what, and nothing of the query or the body."""
    url = answer.request.url
    kind = answer.headers.get("Content-Type", "no type")[:60]
    return f"The answer {answer.status_code} of {url.path} {what} ({kind})."


def _members(text: str) -> Iterator[tuple[str, Any]]:
    """The members of the outermost object; of ``objects``, the rows as bytes."""
    at = _expect(text, 0, "{")
    while text[at] != "}":
        if text[at] != '"':
            raise ValueError("no name")
        key, at = _DECODER.raw_decode(text, at)
        at = _expect(text, at, ":")
        if key == "objects" and text[at] == "[":
            value, at = _rows(text, at)
        else:
            value, at = _DECODER.raw_decode(text, at)
        yield key, value
        at = _after_comma(text, at, "}")
    if _skip(text, at + 1) != len(text):
        raise ValueError("something follows")


def _rows(text: str, at: int) -> tuple[list[bytes], int]:
    rows = []
    at = _expect(text, at, "[")
    while text[at] != "]":
        _, end = _DECODER.raw_decode(text, at)
        rows.append(text[at:end].encode("utf-8", "surrogateescape"))
        at = _after_comma(text, end, "]")
    return rows, at + 1


def _after_comma(text: str, at: int, closing: str) -> int:
    at = _skip(text, at)
    if text[at] == closing:
        return at
    at = _expect(text, at, ",")
    if text[at] == closing:
        raise ValueError("a comma too many")
    return at


def _expect(text: str, at: int, wanted: str) -> int:
    at = _skip(text, at)
    if text[at] != wanted:
        raise ValueError(f"no {wanted}")
    return _skip(text, at + 1)


def _skip(text: str, at: int) -> int:
    found = _NOT_SPACE.search(text, at)
    return found.start() if found else len(text)
