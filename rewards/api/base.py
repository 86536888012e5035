"""What every call of the API has in common."""

from collections.abc import Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from rest_framework.exceptions import NotFound, UnsupportedMediaType
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from rewards.api.problems import Invalid, LengthRequired
from rewards.api.throttling import PerKey


class Document(BaseModel):
    """A JSON object that the API answers."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    def response(self, status: int = 200) -> Response:
        return Response(self.model_dump(mode="json", by_alias=True), status=status)


class Body(BaseModel):
    """A JSON object that the API is given; unknown fields are refused by name."""

    model_config = ConfigDict(extra="forbid", strict=True)


Given = TypeVar("Given", bound=Body)


class ApiView(APIView):
    """A call that needs a key, is counted, and whose answer nobody may cache."""

    throttle_classes: Sequence[type[BaseThrottle]] = (PerKey,)
    http_method_names = ("get", "head", "put", "post", "delete")

    @property
    def default_response_headers(self) -> dict[str, str]:
        return super().default_response_headers | {"Cache-Control": "no-store"}

    def finalize_response(
        self, request: Request, response: Response, *args: Any, **kwargs: Any
    ) -> Response:
        response = super().finalize_response(request, response, *args, **kwargs)
        for name, value in getattr(request, "rate_limit", {}).items():
            response[name] = value
        return response


class UnknownAddress(ApiView):
    """Whatever no other address matches; never a redirect, which would lose a body."""

    authentication_classes = ()
    permission_classes = ()
    throttle_classes = ()
    schema = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        slash = "" if request.path.endswith("/") else " Addresses end with a slash."
        raise NotFound(f"There is nothing at {request.path}.{slash}")


def read_body(request: Request, model: type[Given]) -> Given:
    """The JSON body, checked; an empty one is ``{}``. Raises Invalid."""
    if "chunked" in request.headers.get("Transfer-Encoding", "").lower():
        raise LengthRequired
    media_type = request.content_type.partition(";")[0].strip().lower()
    if request.body and media_type != "application/json":
        raise UnsupportedMediaType(media_type, "Send the body as application/json.")
    try:
        return model.model_validate_json(request.body or b"{}")
    except ValidationError as error:
        raise Invalid.body(error) from None
