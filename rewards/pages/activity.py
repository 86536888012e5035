"""A member's purchases as rows, newest first, a page at a time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db.models import Q, QuerySet
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.timezone import localtime
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
from rewards.pages.states import (
    CHECKING,
    HELD,
    NOT_FINAL,
    PARTLY,
    PENDING,
    UPDATED,
    State,
    change,
    state_of,
)
from rewards.promises import expected_at
from rewards.reports import REWARDED_CATEGORIES

PAGE_SIZE = 20
LATEST = 5


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last row of a page. No count, no offset: page 900 is as quick as page 1."""

    at: datetime
    id: int

    @classmethod
    def parse(cls, text: str) -> "Cursor | None":
        """None where the text is none of ours, which shows the first page."""
        instant, _, id = text.partition("-")
        seconds, _, micros = instant.partition(".")
        try:
            at = datetime.fromtimestamp(int(seconds), UTC)
            return cls(at + timedelta(microseconds=int(micros or 0)), int(id))
        except (ValueError, OverflowError, OSError):
            return None

    def __str__(self) -> str:
        seconds, micros = int(self.at.timestamp()), self.at.microsecond
        return f"{seconds}.{micros:06d}-{self.id}" if micros else f"{seconds}-{self.id}"


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
    note: str | Promise
    checking: bool
    evaluations: Sequence[Evaluation]


def latest(member: Member, units: Mapping[int, Unit], *, at: datetime) -> list[Row]:
    """The newest few."""
    return in_rows(list(rewarded_purchases(member)[:LATEST]), units, at=at)


def page(
    member: Member, units: Mapping[int, Unit], *, before: Cursor | None, at: datetime
) -> tuple[list[Row], Cursor | None]:
    """One page, and where the next one starts, if there is one."""
    purchases = rewarded_purchases(member)
    if before:
        purchases = purchases.filter(
            Q(attributed_at__lt=before.at) | Q(pk__lt=before.id),
            attributed_at__lte=before.at,
        )
    found = list(purchases[: PAGE_SIZE + 1])
    shown = found[:PAGE_SIZE]
    following = None
    if len(found) > PAGE_SIZE:
        following = Cursor(shown[-1].attributed_at, shown[-1].pk)
    return in_rows(shown, units, at=at), following


def rewarded_purchases(member: Member) -> QuerySet[Purchase]:
    """The member's own orders, newest first; app installs are no purchases to them."""
    return (
        Purchase.objects.filter(member=member, category__in=REWARDED_CATEGORIES)
        .select_related("merchant", "settlement__report")
        .order_by("-attributed_at", "-pk")
    )


def in_rows(
    purchases: Sequence[Purchase], units: Mapping[int, Unit], *, at: datetime
) -> list[Row]:
    """The purchases in words, as they are at this instant."""
    known = evaluations(purchases)
    return [_row(purchase, known[purchase.pk], units, at=at) for purchase in purchases]


def _row(
    purchase: Purchase,
    known: Sequence[Evaluation],
    units: Mapping[int, Unit],
    *,
    at: datetime,
) -> Row:
    state = state_of(purchase, known, at=at)
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
        note=_note(purchase, state, now, at=at),
        checking=bool(purchase.review),
        evaluations=known,
    )


def _note(
    purchase: Purchase, state: State, now: Evaluation | None, *, at: datetime
) -> str | Promise:
    """What else to say beside the state: when it should become final, or available."""
    if purchase.review:
        return CHECKING
    if now and now.last and state in (HELD, PARTLY):
        return _("all available from %s on") % date_format(localtime(now.last))
    if state not in (PENDING, UPDATED):
        return ""
    expected = expected_at(purchase)
    if expected is None:
        return NOT_FINAL
    said = _("final around %(date)s")
    if expected < at:
        said = _("late: was expected around %(date)s")
    return said % {"date": date_format(expected)}
