"""The call that lists what members can redeem for."""

from typing import Literal

from django.utils import timezone
from pydantic import Field
from rest_framework.request import Request
from rest_framework.response import Response

from rewards.api.base import ApiView, Document
from rewards.api.documents import Steps, UnitCode
from rewards.api.openapi import describe
from rewards.redemptions import catalogue
from rewards.redemptions.catalogue import Offer


class LimitDocument(Document):
    """How often one member may redeem for it."""

    times: int
    period: Literal["day", "week", "month", "year", "ever"]


class RewardDocument(Document):
    """Something to redeem for. It costs `minimum` to `maximum`, in steps of `step`."""

    id: str = Field(description="What to redeem for it by.", examples=["coffee-mug"])
    name: str
    description: str
    terms: str
    kind: Literal["manual", "gift_code", "payout", "call"] = Field(
        description="`manual`: you or staff hand it over and call fulfil."
        " `gift_code`: fulfilled at once; the code is shown once, by reveal."
        " `payout`: staff pay. `call`: your endpoint is called."
    )
    unit: UnitCode
    minimum: Steps
    maximum: Steps | None = Field(description="null: whatever is available.")
    step: Steps
    left: int | None = Field(description="How many there are; null: without end.")
    limit: LimitDocument | None
    approved_above: Steps | None = Field(
        description="More than this waits for staff; null: nothing does."
    )

    @classmethod
    def of(cls, offer: Offer) -> "RewardDocument":
        reward = offer.reward
        limit = None
        if reward.per_member is not None:
            limit = LimitDocument(
                times=reward.per_member,
                period=reward.per_member_period,  # type: ignore[arg-type]
            )
        return cls(
            id=reward.key,
            name=reward.name,
            description=reward.description,
            terms=reward.terms,
            kind=reward.kind,  # type: ignore[arg-type]
            unit=reward.unit.code,
            minimum=reward.minimum,
            maximum=reward.maximum,
            step=reward.step,
            left=offer.left,
            limit=limit,
            approved_above=reward.approve_above,
        )


class RewardList(Document):
    """Everything that is offered at the moment, in the order that staff gave it."""

    results: list[RewardDocument]


class RewardsView(ApiView):
    """What members can redeem for."""

    @describe("list_rewards", {200: RewardList}, parameters=[])
    def get(self, request: Request) -> Response:
        """List what is offered at the moment, all of it at once."""
        offers = catalogue.on_offer(at=timezone.now())
        return RewardList(results=[RewardDocument.of(o) for o in offers]).response()
