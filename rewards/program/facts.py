"""What a program is evaluated on: a report, and what is known about it besides."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from rewards.reports import PurchaseReport

EVER, AT_MERCHANT = "ever", "merchant"


@dataclass(frozen=True, slots=True)
class About:
    """What the report does not say, taken when an order is first settled for a member.

    It is stored with the settlement, so that nothing that happens later changes what
    a purchase is worth; only another member takes it anew. ``first`` holds "ever" and
    "merchant" where no earlier order of the member counts against it. ``country`` and
    ``channel`` are those that any report of the purchase told: one route leaves them
    out. Times are UTC.
    """

    customer_id: str = ""
    segments: tuple[str, ...] = ()
    joined_at: datetime | None = None
    first: tuple[str, ...] = ()
    merchant_categories: tuple[str, ...] = ()
    click_at: datetime | None = None
    click_reference: str = ""
    country: str = ""
    channel: str = ""

    def stored(self) -> dict[str, Any]:
        """As plain data, without the customer id, which erasure must reach."""
        values = {name: getattr(self, name) for name in _STORED}
        return {
            name: value.isoformat() if isinstance(value, datetime) else value
            for name, value in values.items()
            if value
        }

    @classmethod
    def restore(cls, stored: dict[str, Any], *, customer_id: str) -> Self:
        """The same again, from what ``stored`` gave."""
        values = {name: stored[name] for name in _STORED if name in stored}
        for name in _TIMES & values.keys():
            values[name] = datetime.fromisoformat(values[name])
        for name in _TUPLES & values.keys():
            values[name] = tuple(values[name])
        return cls(customer_id=customer_id, **values)


_TIMES = {"joined_at", "click_at"}
_TUPLES = {"segments", "first", "merchant_categories"}
_STORED = tuple(name for name in About.__dataclass_fields__ if name != "customer_id")
NOTHING_KNOWN = About()


@dataclass(slots=True, eq=False)
class Facts:
    """One purchase as rules see it. ``bound`` is kept for its expressions."""

    report: PurchaseReport
    about: About = NOTHING_KNOWN
    bound: dict[frozenset[str], Any] | None = field(default=None, repr=False)

    @property
    def country(self) -> str:
        return self.report.country or self.about.country

    @property
    def channel(self) -> str:
        return self.report.channel or self.about.channel
