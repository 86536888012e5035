"""Asking Button: accounts, transactions, brands, offers, links.

Every request goes to an address of our own settings. Nothing out of an answer is ever
requested, no redirect is followed, and no proxy of the environment is used: each would
take our key, which can create liabilities, to somebody else.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, Self, TypeVar
from urllib.parse import quote

import httpx2
import stamina
from django.conf import settings

from ingestion.button.answers import Page, read_next, read_object, read_page
from ingestion.button.errors import Broken, Failing, Throttled, Unreachable
from rewards.deadline import BoundedTransport, within

CONNECT, READ, TOTAL = 5, 15, 40  # seconds; the last from asking to the last byte
ATTEMPTS = 4
LONGEST_PAUSE = 30  # seconds that Retry-After may ask us to wait in place
MOST_BYTES = 64 * 1024 * 1024
MOST_PAGES = 1_000  # of a list that comes whole or not at all
PAGE_SIZE = 100
ACCOUNT = re.compile(r"(?!\.{1,2}\Z)[!-~]{1,255}")  # dots alone would climb the path
T = TypeVar("T")

TIME_FIELDS = {"modified": "modified_date", "created": "created_date"}


class ButtonClient:
    """A pool of connections to Button, to be closed, and a method for each call.

    All of them raise ButtonError. The key is written into no log and no message.
    ``total`` is how many seconds one answer may take, from asking to its last byte.
    """

    def __init__(
        self,
        *,
        key: str,
        api_url: str,
        offers_url: str,
        page_size: int = PAGE_SIZE,
        attempts: int = ATTEMPTS,
        total: float = TOTAL,
    ) -> None:
        self._api_url = api_url
        self._offers_url = offers_url
        self._page_size = page_size
        self._attempts = attempts
        self._total = total
        self._http = httpx2.Client(
            auth=httpx2.BasicAuth(key, ""),
            headers={
                "User-Agent": f"loyalty-server/{settings.VERSION}",
                "Accept": "application/json",
            },
            timeout=httpx2.Timeout(READ, connect=CONNECT),
            transport=BoundedTransport(max_connections=8, keepalive_expiry=60),
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            follow_redirects=False,
            trust_env=False,
        )

    @classmethod
    def from_settings(cls, **kwargs: Any) -> Self:
        """A client for the Button that the settings name."""
        return cls(
            key=settings.BUTTON_API_KEY,
            api_url=settings.BUTTON_API_URL,
            offers_url=settings.BUTTON_OFFERS_URL,
            **kwargs,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def accounts(self) -> list[dict[str, Any]]:
        """Our billing accounts, one a currency."""
        return self._list("/v1/affiliation/accounts")

    def transactions(
        self,
        account: str | None,
        *,
        by: str,
        start: datetime | None,
        end: datetime | None,
        cursor: str = "",
    ) -> Page:
        """One page of an account's transactions, or of all accounts' for None.

        ``start`` is included and ``end`` excluded; ``by`` names the time they are
        about: modified or created. Whether a cursor remembers them is not documented,
        so they are sent along with it.
        """
        path = "/v1/affiliation/transactions"
        if account is not None:
            path = f"/v1/affiliation/accounts/{_quoted(account)}/transactions"
        params = {
            "time_field": TIME_FIELDS[by],
            "page_size": str(self._page_size),
            **({"start": instant(start)} if start else {}),
            **({"end": instant(end)} if end else {}),
            **({"cursor": cursor} if cursor else {}),
        }
        return self._retried(
            lambda: read_page(self._send("GET", self._api_url + path, params=params))
        )

    def brands(self) -> list[dict[str, Any]]:
        """The stores that we may send members to."""
        return self._list("/v1/brands")

    def merchants(self) -> list[dict[str, Any]]:
        """The same by the older call, where a key has no access to brands."""
        return self._list("/v1/merchants", {"status": "approved"})

    def offers(self, user_id: str) -> list[dict[str, Any]]:
        """What stores pay us at present for this user's orders, by store."""
        url = f"{self._offers_url}/v1/offers"
        answer = self._retried(
            lambda: read_object(self._send("POST", url, json={"user_id": user_id}))
        )
        found = answer.get("object")
        rows = found.get("merchant_offers") if isinstance(found, dict) else None
        return _dictionaries(rows)

    def link(self, url: str, *, customer_id: str, reference: str) -> dict[str, Any]:
        """Which store an address belongs to, and a link that is tracked.

        Asked once: a member is waiting.
        """
        asked = {
            "url": url,
            "experience": {"btn_pub_user": customer_id, "btn_pub_ref": reference},
        }
        answer = read_object(
            self._send("POST", f"{self._api_url}/v1/links", json=asked)
        )
        found = answer.get("object")
        if not isinstance(found, dict):
            raise Broken("The answer of /v1/links has no object.")
        return found

    def _list(
        self, path: str, params: Mapping[str, str] | None = None
    ) -> list[dict[str, Any]]:
        """A list to its end. Pages of it are not documented, nor ruled out."""
        url, rows, seen = self._api_url + path, [], {""}
        asked = dict(params or {})
        for _ in range(MOST_PAGES):
            answer = self._retried(
                lambda: read_object(self._send("GET", url, params=asked))
            )
            rows += _objects(answer)
            cursor, _elsewhere = read_next(answer, asked=httpx2.URL(url))
            if not cursor:
                return rows
            if cursor in seen:
                raise Broken(f"The pages of {path} go round in a circle.")
            seen.add(cursor)
            asked["cursor"] = cursor
        raise Broken(f"The pages of {path} have no end.")

    def _retried(self, ask: Callable[[], T]) -> T:
        for attempt in stamina.retry_context(
            on=_worth_another, attempts=self._attempts, timeout=None, wait_max=8
        ):
            with attempt:
                return ask()
        raise AssertionError("the last attempt returns or raises")

    def _send(self, method: str, url: str, **kwargs: Any) -> httpx2.Response:
        """One request, whole, in bounded time and memory."""
        request = self._http.build_request(method, url, **kwargs)
        try:
            with within(self._total):
                answer = self._http.send(request, stream=True)
                try:
                    body = _body(answer)
                finally:
                    answer.close()
        except (httpx2.TransportError, httpx2.DecodingError) as error:
            what = f"{request.url.path}: {type(error).__name__}"
            raise Unreachable(f"Button gave no whole answer to {what}.") from None
        return httpx2.Response(
            answer.status_code,
            headers=_without_encoding(answer.headers),
            content=body,
            request=request,
        )


def instant(at: datetime) -> str:
    """RFC 3339 in UTC; a fraction only where there is one."""
    at = at.astimezone(UTC)
    text = f"{at:%Y-%m-%dT%H:%M:%S}"
    return f"{text}.{at.microsecond:06d}Z" if at.microsecond else f"{text}Z"


def _quoted(account: str) -> str:
    if not ACCOUNT.fullmatch(account):
        raise Broken(f"{account[:255]!r} is no id of an account.")
    return quote(account, safe="")


def _body(answer: httpx2.Response) -> bytes:
    body = bytearray()
    for piece in answer.iter_bytes():
        body += piece
        if len(body) > MOST_BYTES:
            raise Broken(f"The answer of {answer.request.url.path} is too large.")
    return bytes(body)


def _without_encoding(headers: httpx2.Headers) -> list[tuple[str, str]]:
    """The body is decoded by now; its length is another."""
    gone = ("content-encoding", "content-length", "transfer-encoding")
    return [(k, v) for k, v in headers.multi_items() if k.lower() not in gone]


def _worth_another(error: Exception) -> bool | float:
    """Whether to ask again, and after which pause where Button named one."""
    if isinstance(error, Throttled) and error.wait is not None:
        return float(error.wait) if error.wait <= LONGEST_PAUSE else False
    return isinstance(error, Unreachable | Failing | Throttled)


def _objects(answer: dict[str, Any]) -> list[dict[str, Any]]:
    """The list of an answer: in ``objects``, or in ``object`` as one call had it."""
    found = answer.get("objects", answer.get("object"))
    return _dictionaries([found] if isinstance(found, dict) else found)


def _dictionaries(rows: object) -> list[dict[str, Any]]:
    if not isinstance(rows, list):
        raise Broken("The answer has no list.")
    return [row for row in rows if isinstance(row, dict)]
