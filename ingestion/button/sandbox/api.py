"""Button's API: accounts, transactions, brands, merchants, offers, links."""

import base64
import binascii
import hmac
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from ingestion.button.sandbox import directory, links
from ingestion.button.sandbox.faults import Faults
from ingestion.button.sandbox.lifecycle import CURRENCIES, account_of
from ingestion.button.sandbox.paging import BadQuery, Pager
from ingestion.button.sandbox.state import State
from ingestion.button.sandbox.wire import PUBLISHER

JSON = "application/json"
STATUS_FAULTS = {
    "unauthorized": (401, "The API key is not accepted."),
    "forbidden": (403, "Forbidden."),
    "throttled": (429, "Too many requests."),
    "broken": (500, "Internal server error."),
}
ACCOUNT = re.compile(r"/v1/affiliation/accounts/([^/]+)/transactions")
BRAND = re.compile(r"/v1/brands/([^/]+)")


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def raw_query(self) -> str:
        return urlsplit(self.target).query

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(self.raw_query, keep_blank_values=True))

    def json(self) -> dict[str, Any]:
        """The body's object. Raises BadQuery."""
        try:
            value = json.loads(self.body or b"{}")
        except (ValueError, RecursionError):
            raise BadQuery("The body is no JSON.") from None
        if not isinstance(value, dict):
            raise BadQuery("The body is no JSON object.")
        return value


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes = b""
    kind: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)


class Failure(Exception):
    """An answer of an error, in the envelope."""

    def __init__(
        self, status: int, message: str, *, type: str = "", **details: str
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.type, self.details = (
            *(status, message, type, details),
        )

    def answer(self, **headers: str) -> Answer:
        error: dict[str, Any] = {"message": self.message}
        if self.type:
            error |= {"type": self.type, "details": self.details}
        document = {"meta": {"status": "error"}, "error": error}
        return Answer(self.status, json.dumps(document).encode(), headers=headers)


def ok(**content: Any) -> Answer:
    document = {"meta": {"status": "ok"}, **content}
    return Answer(200, json.dumps(document, ensure_ascii=False).encode())


class Api:
    """Answers what starts with /v1/. The key is needed for all of it."""

    def __init__(
        self, state: State, faults: Faults, pager: Pager, *, key: str, organization: str
    ) -> None:
        self.state, self.faults, self.pager = state, faults, pager
        self.key, self.organization = key, organization
        self.routes: dict[tuple[str, str], Callable[[Request], Answer]] = {
            ("GET", "/v1/affiliation/accounts"): self.accounts,
            ("GET", "/v1/affiliation/transactions"): self.transactions,
            ("GET", "/v1/brands"): lambda _: ok(objects=directory.brands()),
            ("GET", "/v1/merchants"): self.merchants,
            ("POST", "/v1/offers"): self.offers,
            ("POST", "/v1/links"): self.link,
            ("POST", "/v1/links/info"): self.link_info,
        }

    def answer(self, request: Request) -> Answer:
        try:
            self._fail(request)
            self.check_key(request)
            return self._route(request)
        except Failure as failure:
            wait = self.faults.seconds("throttled")
            extra = {"Retry-After": f"{wait:.0f}"} if failure.status == 429 else {}
            return failure.answer(**extra)
        except BadQuery as error:
            return Failure(400, str(error)).answer()

    def check_key(self, request: Request) -> None:
        scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
        try:
            given = base64.b64decode(credentials, validate=True)
        except (binascii.Error, ValueError):
            given = b""
        wanted = f"{self.key}:".encode()
        if scheme.lower() != "basic" or not hmac.compare_digest(given, wanted):
            raise Failure(401, "The API key is not accepted.")

    def _fail(self, request: Request) -> None:
        for kind, (status, message) in STATUS_FAULTS.items():
            if self.faults.strikes(kind, path=request.path):
                raise Failure(status, message)

    def _route(self, request: Request) -> Answer:
        path = request.path.rstrip("/")
        if handler := self.routes.get((request.method, path)):
            return handler(request)
        if any(path == known for _, known in self.routes):
            raise Failure(405, "Method not allowed.")
        if request.method == "GET" and (found := ACCOUNT.fullmatch(path)):
            return self.transactions(request, account=found[1])
        if request.method == "GET" and (found := BRAND.fullmatch(path)):
            return self.brand(found[1])
        raise Failure(404, "Not found.")

    # Money

    def accounts(self, request: Request) -> Answer:
        """The dollar account, and each other once something was booked on it."""
        used = self.state.accounts()
        found = [
            (account_of(self.organization, currency), currency)
            for currency in CURRENCIES
        ]
        return ok(
            objects=[
                {
                    "id": account,
                    "name": f"{PUBLISHER} {currency}",
                    "currency": currency,
                    "organization": self.organization,
                }
                for account, currency in found
                if currency == "USD" or account in used
            ]
        )

    def transactions(self, request: Request, *, account: str = "") -> Answer:
        if account and account not in {
            account_of(self.organization, currency) for currency in CURRENCIES
        }:
            raise Failure(404, "There is no such account.")
        page = self.pager.page(request.query, account=account)
        base = f"http://{request.headers.get('Host', 'localhost')}{request.path}"
        meta = {
            "status": "ok",
            "next": self._next(request, base, page.before, page.next),
            "previous": f"{base}?cursor={page.previous}" if page.previous else None,
        }
        body = f'{{"meta":{json.dumps(meta)},"objects":[{",".join(page.rows)}]}}'
        return Answer(200, body.encode())

    def _next(
        self, request: Request, base: str, before: str, cursor: str
    ) -> str | None:
        if not cursor:
            return None
        if self.faults.strikes("repeated", path=request.path):
            cursor = request.query.get("cursor") or before
        if self.faults.strikes("elsewhere", path=request.path):
            base = f"https://api.elsewhere.example{request.path}"
        return f"{base}?cursor={cursor}"

    # The catalogue

    def brand(self, name: str) -> Answer:
        if not re.fullmatch(r"org-[0-9a-f]{16}", name):
            raise Failure(400, "That is no organization's id.")
        found = directory.brand(name)
        if found is None:
            raise Failure(404, "There is no such organization.")
        return ok(object=found)

    def merchants(self, request: Request) -> Answer:
        query = request.query
        status = query.get("status", "")
        if status not in {"", "approved", "pending", "available"}:
            raise BadQuery("status: write approved, pending or available.")
        # `currency` filters rates, and this reply has none.
        return ok(objects=directory.merchants(status))

    def offers(self, request: Request) -> Answer:
        return ok(object={"merchant_offers": directory.offers(request.json())})

    # Links

    def link(self, request: Request) -> Answer:
        given = request.json()
        brand = self._linked(given)
        return ok(
            object={
                "merchant_id": brand.id,
                "affiliate": None,
                "links": {
                    "universal": links.universal(
                        given,
                        host=request.headers.get("Host", ""),
                        organization=self.organization,
                    )
                },
            }
        )

    def link_info(self, request: Request) -> Answer:
        brand = links.supporting(links.url_in(request.json()))
        if brand is None:
            raise self._unsupported()
        return ok(object=directory.link_info(brand))

    def _linked(self, given: Mapping[str, Any]) -> Any:
        brand = links.supporting(links.url_in(given))
        if brand is None:
            raise self._unsupported()
        if brand.status != "approved":
            raise Failure(
                403,
                f"{brand.name} has not approved you.",
                type="NoMerchantApproval",
                merchant_id=brand.id,
            )
        return brand

    def _unsupported(self) -> Failure:
        return Failure(
            404,
            "No brand supports links to that address.",
            type="NoMerchantLinkSupport",
        )
