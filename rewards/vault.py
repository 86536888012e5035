"""Secrets at rest: sealed before they are stored, opened only where they are used."""

from base64 import urlsafe_b64encode
from hashlib import blake2b

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

from rewards.reports import digest_key

_SHOWN = 4  # characters at the end, by which staff tell what is sealed apart


class CannotOpen(Exception):
    """It was sealed with a key that is not among ENCRYPTION_KEYS."""


def seal(text: str) -> bytes:
    """The text, encrypted with the first of ENCRYPTION_KEYS."""
    return _keys().encrypt(text.encode())


def unseal(sealed: bytes | memoryview) -> str:
    """What was sealed, with whichever key. Raises CannotOpen."""
    try:
        return _keys().decrypt(bytes(sealed)).decode()
    except InvalidToken:
        raise CannotOpen("No key of ENCRYPTION_KEYS opens it.") from None


def fingerprint(text: str) -> bytes:
    """32 bytes that name a text without telling it: keyed by DIGEST_KEY."""
    return blake2b(text.encode(), key=digest_key(), digest_size=32).digest()


def ending(text: str) -> str:
    """Its end; of a short text less, so that it isn't told."""
    return text[-_SHOWN:] if len(text) >= 2 * _SHOWN else text[-1:]


def masked(details: str) -> str:
    """What staff see of it: the end of a number, the domain of a mail address."""
    name, sign, domain = details.rpartition("@")
    if sign and name:
        return f"{name[0]}…@{domain}"[:32]
    return f"…{details[-_SHOWN:]}" if len(details) >= 2 * _SHOWN else "…"


def _keys() -> MultiFernet:
    return MultiFernet([Fernet(_key(phrase)) for phrase in settings.ENCRYPTION_KEYS])


def _key(phrase: str) -> bytes:
    return urlsafe_b64encode(blake2b(phrase.encode(), digest_size=32).digest())
