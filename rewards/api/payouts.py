"""The call that says where a member is paid."""

from datetime import datetime
from typing import Annotated

from django.utils import timezone
from pydantic import Field, StringConstraints
from rest_framework.request import Request
from rest_framework.response import Response

from rewards.api.base import ApiView, Body, Document, read_body
from rewards.api.members import find_member
from rewards.api.openapi import CUSTOMER_ID, describe
from rewards.api.redemptions import refusals
from rewards.redemptions import payouts


class PayoutDetailsWanted(Body):
    """Where a member is paid."""

    method: Annotated[
        str,
        StringConstraints(pattern=r"^[a-z0-9_-]{1,32}$"),
        Field(description="How, by any name of yours.", examples=["bank"]),
    ]
    details: Annotated[
        str,
        StringConstraints(
            min_length=1, max_length=1000, strip_whitespace=True, pattern=r"^[^\x00]*$"
        ),
        Field(description="Stored sealed.", examples=["DE02 1203 0000 0000 2020 51"]),
    ]


class PayoutDetailsDocument(Document):
    """Where a member is paid, masked."""

    method: str
    hint: str = Field(examples=["…2051"])
    changed_at: datetime = Field(description="Payouts wait for a while after it.")


class PayoutDetailsView(ApiView):
    """Where one member is paid."""

    @describe(
        "put_payout_details_of_members",
        {200: PayoutDetailsDocument},
        404,
        409,
        422,
        request=PayoutDetailsWanted,
        parameters=[CUSTOMER_ID],
    )
    def put(self, request: Request, customer_id: str) -> Response:
        """Set where a member is paid. Payouts wait for a while after a change.

        409 with `code`: `blocked`, `closed`.
        """
        member = find_member(customer_id)
        wanted = read_body(request, PayoutDetailsWanted)
        with refusals():
            details = payouts.put_details(
                member,
                method=wanted.method,
                details=wanted.details,
                at=timezone.now(),
            )
        return PayoutDetailsDocument.model_validate(details).response()
