"""Button's webhook signature: HMAC-SHA256 over the raw body, in lower-case hex."""

import hmac
from collections.abc import Sequence


def sign(body: bytes, *, secret: str) -> str:
    """What Button puts into ``X-Button-Signature`` for this body."""
    return hmac.digest(secret.encode(), body, "sha256").hex()


def is_authentic(body: bytes, *, signature: str, secrets: Sequence[str]) -> bool:
    """Whether any secret made this signature.

    Every secret is tried, in constant time: during a rotation two are valid, and the
    answer must not tell which. An empty secret never counts: HMAC would accept it.
    """
    # WSGI hands headers over as latin-1; whatever bytes came, they are only compared.
    given = signature.encode("latin-1", "replace")
    matches = [
        hmac.compare_digest(sign(body, secret=secret).encode(), given)
        for secret in secrets
        if secret
    ]
    return any(matches)
