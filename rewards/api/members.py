"""Calls about one member."""

import re
from typing import Annotated, Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db.models import Prefetch, Q
from django.utils import timezone
from pydantic import AfterValidator, Field, StringConstraints, field_validator
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from rewards.api.base import ApiView, Body, read_body
from rewards.api.documents import (
    ActivityEntry,
    ActivityPage,
    MemberDocument,
    TransferEntry,
    TransferPage,
)
from rewards.api.openapi import CUSTOMER_ID, PAGING, describe
from rewards.api.paging import page
from rewards.api.problems import Conflict, Invalid
from rewards.members import put_member
from rewards.models import Award, Member, Purchase, Transfer
from rewards.models.members import CUSTOMER_ID as CUSTOMER_ID_PATTERN
from rewards.privacy.erasure import erase
from rewards.refusals import Refused
from rewards.reports import REWARDED_CATEGORIES


def _email(text: str) -> str:
    try:
        validate_email(text)
    except ValidationError:
        raise ValueError("is not an e-mail address") from None
    return text


Email = Annotated[str, Field(max_length=254), AfterValidator(_email)]
Locale = Annotated[
    str,
    StringConstraints(max_length=16, pattern="^[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*$"),
]
Segment = Annotated[
    str,
    StringConstraints(max_length=64, pattern=r"^[^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f]$"),
]


class MemberChanges(Body):
    """What to change; a field left out stays as it is, and null empties it."""

    email: Email | None = Field("", examples=["alice@example.com"])
    locale: Locale | None = Field("", examples=["en-US"])
    segments: list[Segment] | None = Field([], max_length=100, examples=[["gold"]])

    @field_validator("segments")
    @classmethod
    def _once_each(cls, segments: list[str] | None) -> list[str] | None:
        return list(dict.fromkeys(segments)) if segments else segments

    def given(self) -> dict[str, Any]:
        """The fields that were given, with null as the column's empty value."""
        empty = {"email": "", "locale": "", "segments": []}
        given = self.model_dump(exclude_unset=True)
        return {n: empty[n] if value is None else value for n, value in given.items()}


class MemberView(ApiView):
    """One member."""

    @describe("get_members", {200: MemberDocument}, 404, 422, parameters=[CUSTOMER_ID])
    def get(self, request: Request, customer_id: str) -> Response:
        """Get a member and what it holds."""
        return MemberDocument.of(find_member(customer_id)).response()

    @describe(
        "put_members",
        {200: MemberDocument, 201: MemberDocument},
        422,
        request=MemberChanges,
        parameters=[CUSTOMER_ID],
    )
    def put(self, request: Request, customer_id: str) -> Response:
        """Create or update a member. Orders that waited for it are settled at once."""
        check_customer_id(customer_id)
        changes = read_body(request, MemberChanges).given()
        try:
            member, created = put_member(customer_id, at=timezone.now(), **changes)
        except Refused as refused:
            raise Invalid.field(
                "customer_id", "is of a member who was erased"
            ) from refused
        return MemberDocument.of(member).response(201 if created else 200)

    @describe("delete_members", {204: None}, 404, 409, 422, parameters=[CUSTOMER_ID])
    def delete(self, request: Request, customer_id: str) -> Response:
        """Erase a member for good. What is left of the balance is lost."""
        try:
            erase(find_member(customer_id), by=None, at=timezone.now())
        except Refused as refused:
            raise Conflict(str(refused), code="frozen") from refused
        return Response(status=204)


class ActivityView(ApiView):
    """A member's purchases."""

    @describe(
        "list_activity_of_members",
        {200: ActivityPage},
        404,
        422,
        parameters=[CUSTOMER_ID, *PAGING],
    )
    def get(self, request: Request, customer_id: str) -> Response:
        """List a member's purchases, newest order first."""
        purchases = Purchase.objects.filter(
            member=find_member(customer_id), category__in=REWARDED_CATEGORIES
        )
        awards = Prefetch("settlement__awards", Award.objects.select_related("unit"))
        return page(
            purchases.select_related("merchant", "settlement").prefetch_related(awards),
            by=("attributed_at", "id"),
            request=request,
            document=ActivityEntry.of,
        )


class TransfersView(ApiView):
    """A member's ledger."""

    @describe(
        "list_transfers_of_members",
        {200: TransferPage},
        404,
        422,
        parameters=[CUSTOMER_ID, *PAGING],
    )
    def get(self, request: Request, customer_id: str) -> Response:
        """List every movement of what a member holds, newest first."""
        member = find_member(customer_id)
        own = list(member.accounts.values_list("pk", flat=True))
        transfers = Transfer.objects.filter(
            Q(from_account__in=own) | Q(to_account__in=own)
        ).select_related("from_account__unit", "to_account", "purchase")
        return page(transfers, by=("id",), request=request, document=TransferEntry.of)


def find_member(customer_id: str) -> Member:
    """The member. Raises Invalid or NotFound."""
    check_customer_id(customer_id)
    found = Member.objects.exclude(status=Member.Status.ERASED)
    member = found.filter(customer_id=customer_id).first()
    if member is None:
        raise NotFound(f"There is no member {customer_id}.")
    return member


def check_customer_id(customer_id: str) -> None:
    """Refuse what can't be a customer id. Raises Invalid."""
    if not re.match(CUSTOMER_ID_PATTERN, customer_id):
        said = "must have 1 to 255 ASCII characters from ! to ~, and no slash"
        if "/" in customer_id:
            said += " (or else, there is no such address below a member)"
        raise Invalid.field("customer_id", said)
