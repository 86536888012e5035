"""Signatures by the Standard Webhooks scheme, and the secrets they are made with.

https://github.com/standard-webhooks/standard-webhooks
"""

import hmac
import secrets
from base64 import b64decode, b64encode
from collections.abc import Iterable
from datetime import datetime, timedelta
from hashlib import sha256

from rewards import vault
from rewards.models import Endpoint

PREFIX = "whsec_"
BOTH_SIGN_FOR = timedelta(days=1)


def new_secret() -> str:
    return PREFIX + b64encode(secrets.token_bytes(32)).decode()


def sign(
    body: bytes, *, id: str, at: datetime, secrets: Iterable[str]
) -> dict[str, str]:
    """The headers that let a receiver check who sent this body, and when.

    A signature a secret: the receiver accepts any that fits.
    """
    seconds = str(int(at.timestamp()))
    signed = f"{id}.{seconds}.".encode() + body
    signatures = (f"v1,{_signature(signed, secret)}" for secret in secrets)
    return {
        "webhook-id": id,
        "webhook-timestamp": seconds,
        "webhook-signature": " ".join(signatures),
    }


def secrets_of(endpoint: Endpoint, *, at: datetime) -> list[str]:
    """The endpoint's secret, and the one before while both sign.

    Raises vault.CannotOpen.
    """
    secret, *before = vault.unseal(endpoint.sealed).split()
    rotated = endpoint.rotated_at
    return [secret, *(before if rotated and at < rotated + BOTH_SIGN_FOR else ())]


def _signature(signed: bytes, secret: str) -> str:
    key = b64decode(secret.removeprefix(PREFIX))
    return b64encode(hmac.digest(key, signed, sha256)).decode()
