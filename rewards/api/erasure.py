"""A member's data as a file."""

from typing import Any

from django.utils import timezone
from pydantic import Field
from rest_framework.request import Request
from rest_framework.response import Response

from rewards.api.base import ApiView, Document
from rewards.api.members import find_member
from rewards.api.openapi import CUSTOMER_ID, describe
from rewards.privacy.exports import export

Rows = list[dict[str, Any]]


class ExportDocument(Document):
    """Everything that is kept about a member. Amounts are in smallest steps."""

    format: int = Field(description="Goes up when a field changes its meaning.")
    exported_at: str
    member: dict[str, Any]
    balances: Rows
    lots: Rows = Field(description="What became available, and when it expires.")
    transfers: Rows
    purchases: Rows = Field(description="Orders, awards with why, and every report.")
    redemptions: Rows
    adjustments: Rows
    visits: Rows
    messages: Rows = Field(description="What was sent about the member.")


class ExportView(ApiView):
    """A member's data."""

    @describe(
        "get_export_of_members",
        {200: ExportDocument},
        404,
        422,
        parameters=[CUSTOMER_ID],
    )
    def get(self, request: Request, customer_id: str) -> Response:
        """Export everything that is kept about a member, as one document."""
        return Response(export(find_member(customer_id), at=timezone.now()))
