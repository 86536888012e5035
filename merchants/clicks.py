"""Members leaving for a store: a link, and the click that remembers it.

A click's reference travels in a link that anybody can read and change, and comes back
on the order. So it says nothing, can't be guessed, and carries a tag under our key:
what doesn't is no click of ours, which is told without asking the database. Its
letters can be read out on the telephone.
"""

import re
import secrets
from base64 import b32encode
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from hmac import compare_digest
from typing import Any

from django.conf import settings

from merchants.links import button_link, destination, front_door
from merchants.models import Click, Merchant

_RANDOM, _TAG = 24, 16  # letters of base32: 120 and 80 bits
_REFERENCE = re.compile(rf"[a-z2-7]{{{_RANDOM + _TAG}}}")
_NUMBER = 8


@dataclass(frozen=True, slots=True)
class Departure:
    """A recorded click, and where to send its member."""

    click: Click
    url: str


def leave(
    merchant: Merchant,
    *,
    customer_id: str,
    url: str = "",
    shown: dict[str, Any],
    own_reference: str = "",
    at: datetime,
) -> Departure:
    """Record that a customer leaves for a store, or for one page of it.

    ``shown`` is kept as what was promised then; ``own_reference``, at most 255
    characters, is what a host application wants to find the click by. Raises
    LinkRefused, and then nothing is recorded.
    """
    target = destination(url, merchant=merchant) if url else front_door(merchant)
    reference = new_reference()
    link = button_link(target, customer_id=customer_id, reference=reference)
    click = Click.objects.create(
        reference=reference,
        customer_id=customer_id,
        merchant=merchant,
        clicked_at=at,
        destination=target,
        own_reference=own_reference,
        shown=shown,
    )
    return Departure(click, link)


def new_reference() -> str:
    """A reference that nobody had before."""
    random = _letters(secrets.token_bytes(_RANDOM * 5 // 8))
    return random + _tag(random)


def is_ours(reference: str) -> bool:
    """Whether we made this reference."""
    if not _REFERENCE.fullmatch(reference):
        return False
    return compare_digest(_tag(reference[:_RANDOM]), reference[_RANDOM:])


def number(click: Click) -> str:
    """The visit's number as its member sees it, such as K7QF-2M4X."""
    short = click.reference[:_NUMBER].upper()
    return f"{short[:4]}-{short[4:]}"


def start_of_reference(number: str) -> str:
    """What the reference of a visit with this number begins with."""
    return number.replace("-", "").strip().lower()


def _tag(random: str) -> str:
    key = blake2b(settings.DIGEST_KEY.encode(), person=b"click").digest()
    size = _TAG * 5 // 8
    return _letters(blake2b(random.encode(), key=key, digest_size=size).digest())


def _letters(data: bytes) -> str:
    return b32encode(data).decode().lower()
