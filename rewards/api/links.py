"""The call by which a host application sends a member to a store."""

from typing import Annotated

import structlog
from django.utils import timezone
from pydantic import Field, StringConstraints
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from merchants.clicks import Departure
from merchants.links import LinkRefused
from merchants.models import Merchant
from rewards.api.base import ApiView, Body, Document, read_body
from rewards.api.members import check_customer_id
from rewards.api.merchants import find_store
from rewards.api.openapi import CUSTOMER_ID, describe
from rewards.api.problems import Invalid, NotSetUp
from rewards.api.redemptions import refusals
from rewards.departures import NotAMember, leave

log = structlog.get_logger(__name__)

Text = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$")]
_FIELDS = {"customer": "customer_id", "nowhere": "merchant"}


class LinkWanted(Body):
    """Where a member wants to go."""

    merchant: str = Field(
        description="The store's id at the network.", examples=["org-71d0be5529aa4f03"]
    )
    url: Text | None = Field(
        None,
        description="A page of the store; without it, the store's home page.",
        examples=["https://lumenoak.example/lamps?colour=sand"],
    )
    reference: Annotated[Text, Field(max_length=255)] | None = Field(
        None, description="Your own, kept with the click.", examples=["campaign-7"]
    )


class LinkDocument(Document):
    """A link for one member and one click."""

    url: str = Field(description="Send the member's browser here, as it is.")
    click: str = Field(
        description="Names the click; it comes back with the order.",
        examples=["k7qf2m4xg3sd5hvb6yjn2c4tzr7wqm5ae2lx3pko"],
    )


class LinksView(ApiView):
    """Links for one member."""

    @describe(
        "post_links_of_members",
        {200: LinkDocument},
        404,
        409,
        422,
        503,
        request=LinkWanted,
        parameters=[CUSTOMER_ID],
    )
    def post(self, request: Request, customer_id: str) -> Response:
        """Make a link by which a member leaves for a store, and record the click.

        Ask for it when the member wants to go: it records the rates promised now.

        409 with `code`: `blocked`.
        """
        check_customer_id(customer_id)
        wanted = read_body(request, LinkWanted)
        merchant = find_store(wanted.merchant)
        if merchant is None:
            raise Invalid.field("merchant", "is no store that members see")
        departure = _leave(merchant, customer_id, wanted)
        return LinkDocument(
            url=departure.url, click=departure.click.reference
        ).response()


def _leave(merchant: Merchant, customer_id: str, wanted: LinkWanted) -> Departure:
    try:
        with refusals():
            return leave(
                merchant,
                customer_id=customer_id,
                url=wanted.url or "",
                own_reference=wanted.reference or "",
                at=timezone.now(),
            )
    except NotAMember:
        raise NotFound(f"There is no member {customer_id}.") from None
    except LinkRefused as refusal:
        if refusal.reason == "unset":
            log.error("cannot_leave", reason=str(refusal), merchant=wanted.merchant)
            raise NotSetUp(str(refusal)) from None
        name = _FIELDS.get(refusal.reason, "url")
        raise Invalid.field(name, str(refusal), code=refusal.reason) from None
