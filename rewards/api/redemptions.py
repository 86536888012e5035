"""Calls about redemptions."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, Literal

from django.db.models import QuerySet
from django.utils import timezone
from pydantic import Field, StringConstraints
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from rewards.api.base import ApiView, Body, Document, read_body
from rewards.api.documents import Steps, UnitCode
from rewards.api.members import find_member
from rewards.api.openapi import (
    CUSTOMER_ID,
    IDEMPOTENCY_KEY,
    PAGING,
    REDEMPTION,
    describe,
)
from rewards.api.paging import Page, page
from rewards.api.problems import Conflict, Invalid
from rewards.models import Redemption, Reward
from rewards.redemptions import codes, fulfilment
from rewards.redemptions.refusals import InvalidAmount, KeyReused
from rewards.redemptions.reserving import KEY, redeem
from rewards.refusals import Refused

MOST = 2**63 - 1  # what the database can hold

Line = Annotated[str, StringConstraints(max_length=255, pattern=r"^[^\x00]*$")]


class RedemptionWanted(Body):
    """What a member redeems."""

    reward: str = Field(description="The reward's id.", examples=["coffee-mug"])
    amount: Annotated[Steps, Field(ge=1, le=MOST, examples=[500])]


class Fulfilled(Body):
    """How it was handed over."""

    reference: Line = Field(
        "", description="What you call it; kept.", examples=["parcel-1207"]
    )


class Cancelled(Body):
    """Why it was not."""

    reason: Line = Field(
        "", description="The member sees it.", examples=["No longer made."]
    )


class RedemptionDocument(Document):
    """Part of a member's balance on its way to being spent."""

    id: str = Field(examples=["rdm-5d1f0a3b2c4e6f78"])
    status: Literal["reserved", "fulfilled", "cancelled", "review"] = Field(
        description="`fulfilled` and `cancelled` are final; in `review` staff look."
    )
    unit: UnitCode
    amount: Steps
    reward: str = Field(examples=["coffee-mug"])
    customer_id: str = Field(examples=["alice-1"])
    reference: str | None = Field(description="What whoever handed it over calls it.")
    reason: str | None = Field(description="Why it is in review, or was cancelled.")
    paid_to: str | None = Field(description="Of a payout, masked.")
    revealed_at: datetime | None = Field(description="When its code was shown.")
    created_at: datetime
    ended_at: datetime | None

    @classmethod
    def of(cls, redemption: Redemption) -> "RedemptionDocument":
        return cls(
            id=redemption.public_id,
            status=redemption.status,  # type: ignore[arg-type]
            unit=redemption.reward.unit.code,
            amount=redemption.amount,
            reward=redemption.reward.key,
            customer_id=redemption.member.customer_id,
            reference=redemption.reference or None,
            reason=redemption.why or None,
            paid_to=redemption.payout_hint or None,
            revealed_at=redemption.revealed_at,
            created_at=redemption.asked_at,
            ended_at=redemption.ended_at,
        )


class RedemptionPage(Page):
    """A member's redemptions, newest first."""

    results: list[RedemptionDocument]


class CodeDocument(Document):
    """A gift code, in clear text, this once."""

    code: str


class MemberRedemptionsView(ApiView):
    """One member's redemptions."""

    @describe(
        "list_redemptions_of_members",
        {200: RedemptionPage},
        404,
        422,
        parameters=[CUSTOMER_ID, *PAGING],
    )
    def get(self, request: Request, customer_id: str) -> Response:
        """List a member's redemptions, newest first."""
        return page(
            _whole().filter(member=find_member(customer_id)),
            by=("id",),
            request=request,
            document=RedemptionDocument.of,
        )

    @describe(
        "post_redemptions_of_members",
        {201: RedemptionDocument},
        404,
        409,
        422,
        request=RedemptionWanted,
        parameters=[CUSTOMER_ID, IDEMPOTENCY_KEY],
    )
    def post(self, request: Request, customer_id: str) -> Response:
        """Redeem part of a member's balance. Sent again with the same key, however
        late, it answers 201 with that same redemption, as it is by then.

        409 with `code`: `not_enough`, `sold_out`, `limit_reached`, `held`,
        `blocked`, `not_offered`, `no_payout_details`, `closed`. Then nothing was
        reserved, and the key may be used again.
        """
        member = find_member(customer_id)
        key = _key(request)
        wanted = read_body(request, RedemptionWanted)
        reward = _find_reward(wanted.reward)
        with refusals():
            redemption = redeem(
                member, reward=reward, amount=wanted.amount, key=key, at=timezone.now()
            )
        return RedemptionDocument.of(redemption).response(201)


class RedemptionView(ApiView):
    """One redemption."""

    @describe(
        "get_redemptions", {200: RedemptionDocument}, 404, parameters=[REDEMPTION]
    )
    def get(self, request: Request, redemption_id: str) -> Response:
        """Get a redemption as it now is."""
        return RedemptionDocument.of(find_redemption(redemption_id)).response()


class FulfilView(ApiView):
    """The good end of a redemption."""

    @describe(
        "post_fulfil_of_redemptions",
        {200: RedemptionDocument},
        404,
        409,
        422,
        request=Fulfilled,
        parameters=[REDEMPTION],
    )
    def post(self, request: Request, redemption_id: str) -> Response:
        """Say that it was handed over: the amount is spent. Once more changes nothing.

        409 with `code`: `ended`, `needs_approval`, `held`, `blocked`, `closed`.
        """
        redemption = find_redemption(redemption_id)
        said = read_body(request, Fulfilled)
        with refusals():
            fulfilment.fulfil(redemption, reference=said.reference, at=timezone.now())
        return RedemptionDocument.of(redemption).response()


class CancelView(ApiView):
    """The other end of a redemption."""

    @describe(
        "post_cancel_of_redemptions",
        {200: RedemptionDocument},
        404,
        409,
        422,
        request=Cancelled,
        parameters=[REDEMPTION],
    )
    def post(self, request: Request, redemption_id: str) -> Response:
        """Give the amount back, with the expiry it had. Once more changes nothing.

        409 with `code`: `ended`, `calling` (your endpoint is being called for it:
        answer that call instead), `closed`.
        """
        redemption = find_redemption(redemption_id)
        said = read_body(request, Cancelled)
        with refusals():
            fulfilment.cancel(redemption, reason=said.reason, at=timezone.now())
        return RedemptionDocument.of(redemption).response()


class RevealView(ApiView):
    """The code of a redemption."""

    @describe(
        "post_reveal_of_redemptions",
        {200: CodeDocument},
        404,
        409,
        parameters=[REDEMPTION],
    )
    def post(self, request: Request, redemption_id: str) -> Response:
        """Get the gift code in clear text. It is given once, and again for a minute if
        the answer got lost; keep it for the member.

        409 with `code`: `shown_already`, `no_code`, `held`, `blocked`.
        """
        redemption = find_redemption(redemption_id)
        with refusals():
            code = codes.reveal(redemption, at=timezone.now())
        return CodeDocument(code=code).response()


def find_redemption(redemption_id: str) -> Redemption:
    """Raises NotFound."""
    found = None
    if "\0" not in redemption_id:  # which PostgreSQL can't even be asked for
        found = _whole().filter(public_id=redemption_id).first()
    if found is None:
        raise NotFound(f"There is no redemption {redemption_id}.")
    return found


def _whole() -> QuerySet[Redemption]:
    return Redemption.objects.select_related("member", "reward__unit")


def _find_reward(key: str) -> Reward:
    found = None if "\0" in key else Reward.objects.filter(key=key).first()
    if found is None:
        raise Invalid.field("reward", "is no reward")
    return found


def _key(request: Request) -> str:
    key = request.headers.get("Idempotency-Key", "")
    if not KEY.fullmatch(key):
        said = "must have 1 to 255 printable ASCII characters"
        raise Invalid.field("Idempotency-Key", said)
    return key


@contextmanager
def refusals() -> Iterator[None]:
    """Tell what was refused, and why, as a problem."""
    try:
        yield
    except InvalidAmount as invalid:
        raise Invalid.field("amount", str(invalid)) from None
    except KeyReused as reused:
        raise Invalid.field("Idempotency-Key", str(reused)) from None
    except Refused as refused:
        code = getattr(refused, "code", "closed")  # what has none is erased or frozen
        raise Conflict(str(refused), code=code) from None
