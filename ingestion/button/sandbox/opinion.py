"""What our server made of an order, asked through its API."""

import json
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote

PATIENCE = 2  # seconds


class Opinions:
    """Asks with a key of the server's API; without one it says nothing."""

    def __init__(self, server_url: str, *, key: str) -> None:
        self.server_url, self.key = server_url, key
        # No proxy from the environment: it could not reach this machine's loopback.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    @property
    def can_ask(self) -> bool:
        return bool(self.server_url and self.key)

    def of(self, order_key: str) -> str:
        """Status and awards in a few words; why not, where there are none."""
        if not self.can_ask:
            return ""
        url = f"{self.server_url}/api/v1/purchases/{quote(order_key, safe='')}/"
        request = urllib.request.Request(  # noqa: S310  (our own server's)
            url, headers={"Authorization": f"Bearer {self.key}"}
        )
        try:
            with self._opener.open(request, timeout=PATIENCE) as answer:
                return in_words(json.load(answer))
        except HTTPError as error:
            return "unknown" if error.code == 404 else f"HTTP {error.code}"
        except (OSError, ValueError):
            return "no answer"


def in_words(purchase: Mapping[str, Any]) -> str:
    awards = [f"{a['granted']} {a['unit']}" for a in purchase.get("awards", [])]
    review = ", in review" if purchase.get("review") else ""
    return f"{purchase.get('status')}{review}: {', '.join(awards) or 'nothing'}"
