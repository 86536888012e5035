"""Making and finding the keys by which host applications call the API."""

import hmac
import re
import secrets
from datetime import datetime, timedelta
from hashlib import sha256

from rewards.models import ApiKey

PREFIX_LENGTH = 12
USE_NOTED_EVERY = timedelta(minutes=1)

_SECRET = re.compile(r"ls_[A-Za-z0-9_-]{43}")


def create(name: str) -> str:
    """A new key, shown this once: only its digest is stored."""
    secret = f"ls_{secrets.token_urlsafe(32)}"
    ApiKey.objects.create(
        name=name, prefix=secret[:PREFIX_LENGTH], digest=_digest(secret)
    )
    return secret


def renew(name: str, *, at: datetime) -> str:
    """A new key in place of every former one of that name."""
    ApiKey.objects.filter(name=name, revoked_at=None).update(revoked_at=at)
    return create(name)


def find(secret: str, *, at: datetime) -> ApiKey | None:
    """The key, unless it is unknown or revoked. Notes its use once a minute."""
    if not _SECRET.fullmatch(secret):
        return None
    key = ApiKey.objects.filter(prefix=secret[:PREFIX_LENGTH], revoked_at=None).first()
    if not key or not hmac.compare_digest(bytes(key.digest), _digest(secret)):
        return None
    if not key.last_used_at or at - key.last_used_at > USE_NOTED_EVERY:
        ApiKey.objects.filter(pk=key.pk).update(last_used_at=at)
    return key


def _digest(secret: str) -> bytes:
    return sha256(secret.encode()).digest()
