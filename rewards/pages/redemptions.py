"""A member's redemptions in words: the list, and the steps of one."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from rewards.ledger.movements import done_word
from rewards.models import Member, Redemption, RedemptionStep, Reward
from rewards.money import unit_amount
from rewards.pages.activity import PAGE_SIZE
from rewards.pages.states import State
from rewards.pages.timeline import Entry

_STATUS = Redemption.Status
_ON_ITS_WAY: dict[str, str | Promise] = {
    Reward.Kind.PAYOUT: gettext_lazy("We are about to pay it out."),
    Reward.Kind.MANUAL: gettext_lazy("We are getting it ready."),
    Reward.Kind.CALL: gettext_lazy("We have ordered it for you."),
    Reward.Kind.GIFT_CODE: gettext_lazy("Your code is on its way."),
}
_DONE: dict[str, str | Promise] = {
    Reward.Kind.PAYOUT: gettext_lazy("We have paid it out."),
    Reward.Kind.MANUAL: gettext_lazy("It has been handed over."),
    Reward.Kind.CALL: gettext_lazy("It has been delivered."),
    Reward.Kind.GIFT_CODE: gettext_lazy("Your code is ready."),
}
_CHECKED = gettext_lazy(
    "Somebody looks at it before it goes on. It is put aside for you until then."
)
_BACK = gettext_lazy("All of it is back in your balance, with the same expiry.")


@dataclass(frozen=True, slots=True)
class Row:
    """One redemption."""

    public_id: str
    name: str
    amount: str
    asked_at: datetime
    state: State


def own(member: Member) -> QuerySet[Redemption]:
    return Redemption.objects.filter(member=member).select_related("reward__unit")


def page(member: Member, *, before: int | None) -> tuple[list[Row], int | None]:
    """One page, newest first, and what the next one is before."""
    redemptions = own(member).order_by("-pk")
    if before is not None:
        redemptions = redemptions.filter(pk__lt=before)
    found = list(redemptions[: PAGE_SIZE + 1])
    shown = found[:PAGE_SIZE]
    following = shown[-1].pk if len(found) > PAGE_SIZE else None
    return [row(redemption) for redemption in shown], following


def row(redemption: Redemption) -> Row:
    return Row(
        public_id=redemption.public_id,
        name=redemption.reward.name,
        amount=unit_amount(redemption.amount, unit=redemption.reward.unit),
        asked_at=redemption.asked_at,
        state=state_of(redemption, redemption.status),
    )


def steps(redemption: Redemption) -> list[Entry]:
    """How far it has come, oldest first; what staff noted between is theirs."""
    found: list[RedemptionStep] = []
    for step in redemption.steps.order_by("pk"):
        if not found or found[-1].status != step.status:
            found.append(step)
    return [_entry(redemption, step) for step in found]


def state_of(redemption: Redemption, status: str) -> State:
    """One status of it in words."""
    kind = redemption.reward.kind
    match status:
        case _STATUS.RESERVED:
            return State("on-its-way", _("On its way"), _ON_ITS_WAY[kind])
        case _STATUS.REVIEW:
            return State("checking", _("Being checked"), _CHECKED)
        case _STATUS.FULFILLED:
            return State("available", done_word(redemption), _DONE[kind])
    return State("no-reward", _("Cancelled"), _BACK)


def _entry(redemption: Redemption, step: RedemptionStep) -> Entry:
    state = state_of(redemption, step.status)
    return Entry(step.taken_at, state.code, state.word, str(state.sentence))
