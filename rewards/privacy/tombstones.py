"""Who was erased: settling keeps them out by the keyed digest of their customer id.

The one id that stands for them afterwards is a token, which says nothing.
"""

import re
import secrets
from collections.abc import Collection, Sequence
from datetime import datetime

from django.db import connection

from rewards import vault
from rewards.models import Member, Tombstone
from rewards.reports import Outcome, PurchaseReport

KEPT_OUT = Outcome("ignored", "The member was erased.", erased=True)
TOKEN = re.compile(rb"erased-[0-9a-f]{32}")
"""What a token looks like in what came in."""


def new_token() -> str:
    """What stands for a member from now on in place of their customer id."""
    return f"erased-{secrets.token_hex(16)}"


def digest(customer_id: str) -> bytes:
    """What a tombstone keeps of a customer id."""
    return vault.fingerprint(f"customer:{customer_id}")


def tokens(customer_ids: Collection[str]) -> dict[str, str]:
    """The tokens of those whose member was erased, by customer id; of two the newest.

    Somebody may have the same id today, as a new member.
    """
    if not customer_ids:
        return {}
    named = {digest(customer_id): customer_id for customer_id in customer_ids}
    # One array where the database takes arrays of bytes: every batch asks.
    lookup = "among" if connection.vendor == "postgresql" else "in"
    found = Tombstone.objects.filter(**{f"digest__{lookup}": list(named)})
    rows = found.order_by("pk").values_list("digest", "member__customer_id")
    return {named[bytes(digest)]: token for digest, token in rows}


def kept_out(reports: Sequence[PurchaseReport]) -> dict[int, Outcome]:
    """Which of these are about somebody erased, by their place.

    Of a member enrolled again with the same id, only what was ordered since counts.
    """
    gone = tokens({report.customer_id for report in reports} - {""})
    if not gone:
        return {}
    again = Member.objects.filter(customer_id__among=gone)
    joined = dict(again.values_list("customer_id", "joined_at"))
    return {
        place: KEPT_OUT
        for place, report in enumerate(reports)
        if report.customer_id in gone
        and not _since(joined.get(report.customer_id), report)
    }


def _since(joined_at: datetime | None, report: PurchaseReport) -> bool:
    """Whether it was ordered by the member that there is now; in whole seconds."""
    return bool(joined_at and joined_at.replace(microsecond=0) <= report.attributed_at)
