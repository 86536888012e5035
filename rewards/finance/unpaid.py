"""Commission that is ours by now and has not been paid, and what hangs on it."""

from collections import defaultdict
from dataclasses import dataclass

from django.db.models import Sum

from rewards.closing import days
from rewards.models import Remittance

SPENDABLE = ("available", "reserved", "redeemed")


@dataclass(frozen=True, slots=True)
class Unpaid:
    """One network account in one currency, at the end of a closed day; minor units.

    ``given`` is what members can spend, or have spent, of its commission.
    """

    network: str
    account: str
    currency: str
    validated: int
    received: int
    given: int

    @property
    def open(self) -> int:
        return self.validated - self.received

    @property
    def ahead(self) -> int:
        """How much more members were given than we have received."""
        return max(self.given - self.received, 0)


def unpaid() -> list[Unpaid]:
    """Of every account and currency, at the last close; none while there is none."""
    close = days.last_close()
    if close is None:
        return []
    received: dict[tuple[str, str, str], int] = defaultdict(int)
    paid = Remittance.objects.filter(received_on__lte=close.day).order_by()
    where = ("account__network", "account__external_id", "currency")
    for *place, amount in paid.values_list(*where).annotate(sum=Sum("amount")):
        received[tuple(place)] = amount
    return [
        Unpaid(
            *(place := (row["network"], row["account"], row["currency"])),
            validated=row["validated"],
            received=received[place],
            given=sum(row["buckets"][bucket] for bucket in SPENDABLE),
        )
        for row in close.figures["rows"]
    ]
