"""The states of a purchase in words. One word a state, everywhere."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from rewards.models import Purchase, Unit
from rewards.money import unit_amount
from rewards.pages.evaluations import Evaluation, before_change, current


@dataclass(frozen=True, slots=True)
class State:
    """``code`` chooses icon and colour; the word says the same to everybody."""

    code: str
    word: str | Promise
    sentence: str | Promise


PENDING = State(
    "pending",
    gettext_lazy("Pending"),
    gettext_lazy("The store told us about your order. It is not final yet."),
)
UPDATED = State(
    "updated",
    gettext_lazy("Updated"),
    gettext_lazy("The store changed your order. It is not final yet."),
)
AVAILABLE = State("available", gettext_lazy("Available"), gettext_lazy("Yours to use."))
DECLINED = State(
    "declined",
    gettext_lazy("Declined"),
    gettext_lazy(
        "The store did not accept this order. Usual reasons: it was cancelled or"
        " returned, another discount code was used, or another site came last."
    ),
)
NO_REWARD = State(
    "no-reward",
    gettext_lazy("No reward"),
    gettext_lazy("The store confirmed this order, and it earned nothing."),
)
HELD = State(
    "pending",
    gettext_lazy("Pending"),
    gettext_lazy("The store confirmed your order. Your reward is not available yet."),
)
PARTLY = State(
    "available",
    gettext_lazy("Available"),
    gettext_lazy("A part is yours to use; the rest is not available yet."),
)
CHECKING = gettext_lazy("We are checking this order")
NOT_FINAL = gettext_lazy("not final yet")


def state_of(purchase: Purchase, known: Sequence[Evaluation], *, at: datetime) -> State:
    """The state of what is posted, which a report under review has not changed."""
    status, now = _settled_status(purchase), current(purchase, known)
    if status == Purchase.Status.DECLINED:
        return DECLINED
    if status == Purchase.Status.VALIDATED and now:
        return _final(now, at=at) if now.grants else NO_REWARD
    return UPDATED if before_change(purchase, known) else PENDING


def change(
    before: Mapping[int, int], after: Mapping[int, int], units: Mapping[int, Unit]
) -> str:
    """What became of a reward, for each unit that changed: 600 is now 400."""
    return " ".join(
        _("%(before)s is now %(after)s.")
        % {
            "before": unit_amount(before.get(id, 0), unit=units[id]),
            "after": unit_amount(after.get(id, 0), unit=units[id]),
        }
        for id in sorted({*before, *after})
        if before.get(id, 0) != after.get(id, 0)
    )


def _final(worth: Evaluation, *, at: datetime) -> State:
    """Available, but for what is still held."""
    if worth.first and worth.first > at:
        return HELD
    return PARTLY if worth.last and worth.last > at else AVAILABLE


def _settled_status(purchase: Purchase) -> str:
    settlement = purchase.settlement
    if settlement is None or settlement.report is None:
        return Purchase.Status.PENDING
    return settlement.report.status
