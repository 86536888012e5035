"""Our server, asked through its API: for links to stores, and what orders became."""

import json
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.error import HTTPError
from urllib.parse import parse_qs, quote, urlsplit

PATIENCE = 5  # seconds


class OwnServer:
    """Asks with a key of the server's API; without one it says nothing."""

    def __init__(self, url: str, *, key: str) -> None:
        self.url, self.key = url, key
        # No proxy from the environment: it could not reach this machine's loopback.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    @property
    def can_ask(self) -> bool:
        return bool(self.url and self.key)

    def opinion_of(self, order_key: str) -> str:
        """Status and awards in a few words; why not, where there are none."""
        if not self.can_ask:
            return ""
        try:
            return in_words(self._ask(f"purchases/{quote(order_key, safe='')}/"))
        except HTTPError as error:
            return "unknown" if error.code == 404 else f"HTTP {error.code}"
        except (OSError, ValueError):
            return "no answer"

    def leave(self, customer_id: str, *, store: str) -> str:
        """Let a customer leave for a store; the reference in the link that they got.

        Empty where there is none: then they came some other way.
        """
        if not self.can_ask:
            return ""
        path = f"members/{quote(customer_id, safe='')}/links/"
        try:
            link = self._ask(path, {"merchant": store})["url"]
        except (OSError, ValueError, KeyError):
            return ""
        return parse_qs(urlsplit(link).query).get("btn_pub_ref", [""])[0]

    def _ask(self, path: str, body: object = None) -> Any:
        """The server's JSON answer to GET, or to POST where there is a body."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(  # noqa: S310  (our own server's)
            f"{self.url}/api/v1/{path}",
            data=data,
            headers={
                "Authorization": f"Bearer {self.key}",
                "Content-Type": "application/json",
            },
        )
        with self._opener.open(request, timeout=PATIENCE) as answer:
            return json.load(answer)


def in_words(purchase: Mapping[str, Any]) -> str:
    awards = [f"{a['granted']} {a['unit']}" for a in purchase.get("awards", [])]
    review = ", in review" if purchase.get("review") else ""
    return f"{purchase.get('status')}{review}: {', '.join(awards) or 'nothing'}"
