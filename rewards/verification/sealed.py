"""What is sealed: gift codes are those that were added, payouts go where they say."""

from collections.abc import Iterator

from rewards import vault
from rewards.models import GiftCode, PayoutDetails, Redemption
from rewards.verification.checking import Broken

_CHUNK = 2_000


def altered_codes() -> Iterator[Broken]:
    """Gift codes that aren't what their digest names, or that no key opens any more.

    An erased member's are empty.
    """
    rows = GiftCode.objects.exclude(sealed=b"").order_by("pk")
    for id, sealed, digest, hint in rows.values_list(
        "pk", "sealed", "digest", "hint"
    ).iterator(_CHUNK):
        code = _opened(sealed)
        named = code is not None and vault.fingerprint(code) == bytes(digest)
        if code is None or not named or vault.ending(code) != hint:
            yield Broken(id)


def misdirected_payouts() -> Iterator[Broken]:
    """Payouts, and details for those to come, whose sealed text isn't what staff see.

    Of what no key opens that can't be told; nobody can pay it out either.
    """
    kept = Redemption.objects.exclude(payout=None).order_by("pk")
    for id, member_id, sealed, hint in kept.values_list(
        "pk", "member_id", "payout", "payout_hint"
    ).iterator(_CHUNK):
        if sealed and not _goes(sealed, hint):
            yield Broken(id, member_id)
    given = PayoutDetails.objects.order_by("pk")
    for id, member_id, sealed, hint in given.values_list(
        "pk", "member_id", "sealed", "hint"
    ).iterator(_CHUNK):
        if not _goes(sealed, hint):
            yield Broken(f"details {id}", member_id)


def _goes(sealed: bytes | memoryview, hint: str) -> bool:
    """A payout's hint begins with the method."""
    details = _opened(sealed)
    return details is None or hint.endswith(vault.masked(details))


def _opened(sealed: bytes | memoryview) -> str | None:
    try:
        return vault.unseal(sealed)
    except vault.CannotOpen:
        return None
