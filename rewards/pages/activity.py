"""A member's purchases as rows, newest first, a page at a time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db.models import Q, QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from rewards.models import Member, Purchase, Unit
from rewards.money import currency_amount
from rewards.pages.evaluations import (
    Evaluation,
    amounts,
    before_change,
    current,
    evaluations,
)
from rewards.pages.states import CHECKING, NOT_FINAL, State, change, state_of
from rewards.reports import REWARDED_CATEGORIES

PAGE_SIZE = 20
LATEST = 5


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last row of a page. No count, no offset: page 900 is as quick as page 1."""

    attributed_at: datetime
    id: int

    @classmethod
    def parse(cls, text: str) -> "Cursor | None":
        """None where the text is none of ours, which shows the first page."""
        seconds, _, id = text.partition("-")
        try:
            return cls(datetime.fromtimestamp(int(seconds), UTC), int(id))
        except (ValueError, OverflowError, OSError):
            return None

    def __str__(self) -> str:
        return f"{int(self.attributed_at.timestamp())}-{self.id}"


@dataclass(frozen=True, slots=True)
class Row:
    """One purchase, in words."""

    id: int
    store: str
    ordered_at: datetime
    order_number: str
    reference: str
    order_amount: str
    rewards: Sequence[str]
    no_reward: str
    state: State
    change: str
    checking: bool
    final: bool
    evaluations: Sequence[Evaluation]

    @property
    def note(self) -> str | Promise:
        """What else to say beside the state."""
        if self.checking:
            return CHECKING
        return "" if self.final else NOT_FINAL


def latest(member: Member, units: Mapping[int, Unit]) -> list[Row]:
    """The newest few."""
    return in_rows(list(rewarded_purchases(member)[:LATEST]), units)


def page(
    member: Member, units: Mapping[int, Unit], *, before: Cursor | None
) -> tuple[list[Row], Cursor | None]:
    """One page, and where the next one starts, if there is one."""
    purchases = rewarded_purchases(member)
    if before:
        purchases = purchases.filter(
            Q(attributed_at__lt=before.attributed_at) | Q(pk__lt=before.id),
            attributed_at__lte=before.attributed_at,
        )
    found = list(purchases[: PAGE_SIZE + 1])
    shown = found[:PAGE_SIZE]
    following = None
    if len(found) > PAGE_SIZE:
        following = Cursor(shown[-1].attributed_at, shown[-1].pk)
    return in_rows(shown, units), following


def rewarded_purchases(member: Member) -> QuerySet[Purchase]:
    """The member's own orders, newest first; app installs are no purchases to them."""
    return (
        Purchase.objects.filter(member=member, category__in=REWARDED_CATEGORIES)
        .select_related("merchant", "settlement__report")
        .order_by("-attributed_at", "-pk")
    )


def in_rows(purchases: Sequence[Purchase], units: Mapping[int, Unit]) -> list[Row]:
    known = evaluations(purchases)
    return [_row(purchase, known[purchase.pk], units) for purchase in purchases]


def _row(
    purchase: Purchase, known: Sequence[Evaluation], units: Mapping[int, Unit]
) -> Row:
    state = state_of(purchase, known)
    now, earlier = current(purchase, known), before_change(purchase, known)
    return Row(
        id=purchase.pk,
        store=str(purchase.merchant or _("Unknown store")),
        ordered_at=purchase.attributed_at,
        order_number=purchase.order_number,
        reference=purchase.order_key,
        order_amount=currency_amount(
            purchase.order_total, currency=purchase.order_currency
        ),
        rewards=amounts(now.grants, units) if now else [],
        no_reward=_("No reward") if now else _("Not known yet"),
        state=state,
        change=change(earlier.grants, now.grants, units) if now and earlier else "",
        checking=bool(purchase.review),
        final=state.code not in ("pending", "updated"),
        evaluations=known,
    )
