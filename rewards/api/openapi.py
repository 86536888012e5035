"""What the API's description says of every call alike."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from pydantic import BaseModel

from rewards.api.paging import MOST_PER_PAGE, PAGE_SIZE
from rewards.api.problems import MEDIA_TYPE, Problem

_WRONG = {
    401: "No key, or one that is unknown or revoked.",
    404: "It does not exist.",
    409: "As things are it can't be done; `detail` says why.",
    422: "The request is wrong; `errors` says where.",
    429: "Too many calls this minute; `Retry-After` says for how many seconds to wait.",
    503: "The server is not set up for this; `detail` says what is missing.",
}

CUSTOMER_ID = OpenApiParameter(
    "customer_id",
    {"type": "string", "pattern": "^[!-.0-~]{1,255}$", "example": "alice-1"},
    OpenApiParameter.PATH,
    description="Your own id of the member: what you pass to the network as user id.",
)
MERCHANT = OpenApiParameter(
    "merchant_id",
    {"type": "string", "example": "org-71d0be5529aa4f03"},
    OpenApiParameter.PATH,
    description="The store's id at the network.",
)
REFERENCE = OpenApiParameter(
    "reference",
    str,
    OpenApiParameter.PATH,
    description="The order's id, or the id of any transaction reported for it.",
)
ACCOUNT = OpenApiParameter(
    "account",
    str,
    description="The network account, where two hold the same reference.",
)
REDEMPTION = OpenApiParameter(
    "redemption_id",
    {"type": "string", "example": "rdm-5d1f0a3b2c4e6f78"},
    OpenApiParameter.PATH,
    description="The redemption's id.",
)
IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "pattern": "^[ -~]{1,255}$", "example": "checkout-8841"},
    OpenApiParameter.HEADER,
    required=True,
    description="Your own name of this redemption, kept for ever: sent again, it gets"
    " the same redemption; with another body, 422.",
)
PAGING = [
    OpenApiParameter(
        "cursor", str, description="From `next` or `previous`: never built by hand."
    ),
    OpenApiParameter(
        "page_size",
        {
            "type": "integer",
            "minimum": 1,
            "maximum": MOST_PER_PAGE,
            "default": PAGE_SIZE,
        },
        description="Entries to a page.",
    ),
]


class ApiKeyScheme(OpenApiAuthenticationExtension):
    """Tells the description how a key is sent."""

    target_class = "rewards.api.authentication.ApiKeyAuthentication"
    name = "apiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer"}


def describe(
    operation_id: str,
    good: dict[int, type[BaseModel] | None],
    *wrong: int,
    request: type[BaseModel] | None = None,
    parameters: list[OpenApiParameter],
) -> Any:
    """Describe one call: its answers, and which problems it can have."""
    problems = {
        (status, MEDIA_TYPE): OpenApiResponse(Problem, description=_WRONG[status])
        for status in sorted({401, 429, *wrong})
    }
    return extend_schema(
        operation_id=operation_id,
        tags=[operation_id.split("_")[-1]],
        request=request,
        parameters=parameters,
        responses={**good, **problems},
    )
