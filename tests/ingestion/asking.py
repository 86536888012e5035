"""What the tests of the Button client ask, and what a good answer is."""

import json
from typing import Any

from ingestion.button.client import ATTEMPTS, TOTAL, ButtonClient
from tests.ingestion.listener import http

KEY = "sk-quite-secret-5f2c"
ACCOUNTS = "/v1/affiliation/accounts"
TRANSACTIONS = "/v1/affiliation/transactions"
OK = {"meta": {"status": "ok"}, "objects": [{"id": "acc-1"}]}
GOOD = http(json.dumps(OK).encode())


def client_of(
    url: str, *, attempts: int = ATTEMPTS, total: float = TOTAL
) -> ButtonClient:
    url = url.rstrip("/")
    return ButtonClient(
        key=KEY,
        api_url=url,
        offers_url=f"{url}/offers-host",
        attempts=attempts,
        total=total,
    )


def read(client: ButtonClient) -> Any:
    return client.transactions(None, by="modified", start=None, end=None)


def error(message: str, **more: object) -> dict[str, Any]:
    return {"meta": {"status": "error"}, "error": {"message": message, **more}}
