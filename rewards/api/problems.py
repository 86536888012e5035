"""Errors as RFC 9457 problem documents, whatever went wrong."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import structlog
from django.core.exceptions import RequestDataTooBig
from django.core.signals import got_request_exception
from django.db import OperationalError
from pydantic import BaseModel, Field, ValidationError
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import exception_handler

MEDIA_TYPE = "application/problem+json"

log = structlog.get_logger(__name__)


class FieldProblem(BaseModel):
    """One field of the request, and what is wrong with it."""

    field: str = Field(examples=["segments.0"])
    detail: str = Field(examples=["is empty"])
    code: str | None = Field(
        default=None, description="Why a link was refused.", examples=["host"]
    )


class Problem(BaseModel):
    """An error (RFC 9457)."""

    type: str = "about:blank"
    title: str = Field(examples=["Not Found"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["There is no member alice-1."])
    errors: list[FieldProblem] | None = Field(
        None, description="With 422: each field that is wrong."
    )
    code: str | None = Field(
        None, description="With 409: why, for programs.", examples=["not_enough"]
    )
    accounts: list[str] | None = Field(
        None, description="With 409: the network accounts that hold the reference."
    )


class Invalid(exceptions.APIException):
    """The request is understood, and wrong: each error is a field and what it lacks."""

    status_code = HTTPStatus.UNPROCESSABLE_ENTITY

    def __init__(self, errors: Sequence[FieldProblem]) -> None:
        super().__init__("; ".join(f"{e.field}: {e.detail}" for e in errors))
        self.members = {"errors": [e.model_dump(exclude_none=True) for e in errors]}

    @classmethod
    def field(cls, name: str, detail: str, *, code: str | None = None) -> "Invalid":
        return cls([FieldProblem(field=name, detail=detail, code=code)])

    @classmethod
    def body(cls, error: ValidationError) -> "Invalid":
        return cls(
            [
                FieldProblem(field=_path(e["loc"]), detail=_said(e["type"], e["msg"]))
                for e in error.errors(include_url=False, include_input=False)
            ]
        )


class Ambiguous(exceptions.APIException):
    """Two network accounts hold what was asked for."""

    status_code = HTTPStatus.CONFLICT

    def __init__(self, detail: str, *, accounts: Sequence[str]) -> None:
        super().__init__(detail)
        self.members = {"accounts": list(accounts)}


class Conflict(exceptions.APIException):
    """As things are it can't be done; ``code`` says why and never changes."""

    status_code = HTTPStatus.CONFLICT

    def __init__(self, detail: str, *, code: str) -> None:
        super().__init__(detail)
        self.members = {"code": code}


class Busy(exceptions.APIException):
    """The database kept the call waiting for too long. Nothing was done."""

    status_code = HTTPStatus.SERVICE_UNAVAILABLE
    default_detail = "The server is busy. Nothing was done: send it again."
    wait = 1  # Retry-After, in seconds


class NotSetUp(exceptions.APIException):
    """The server lacks a setting without which it can't do this."""

    status_code = HTTPStatus.SERVICE_UNAVAILABLE


class TooLarge(exceptions.APIException):
    """The body has more bytes than any call needs."""

    status_code = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    default_detail = "The body is too large."


class LengthRequired(exceptions.APIException):
    """A chunked body, of which the server would see nothing."""

    status_code = HTTPStatus.LENGTH_REQUIRED
    default_detail = "Send the body's Content-Length; chunks are not read."


def problem_response(exc: Exception, context: dict[str, Any]) -> Response:
    """REST framework's handler: every error becomes a problem document."""
    if isinstance(exc, RequestDataTooBig):
        exc = TooLarge()
    if isinstance(exc, OperationalError):
        log.warning("api_busy", path=context["request"].path, exc_info=exc)
        exc = Busy()
    response = exception_handler(exc, context) or _crashed(exc, context)
    if response.status_code == HTTPStatus.BAD_REQUEST:
        response.status_code = HTTPStatus.UNPROCESSABLE_ENTITY
    response.data = {
        "type": "about:blank",
        "title": HTTPStatus(response.status_code).phrase,
        "status": response.status_code,
        "detail": _detail(response.data),
        **getattr(exc, "members", {}),
    }
    response.content_type = MEDIA_TYPE
    return response


def _crashed(exc: Exception, context: dict[str, Any]) -> Response:
    """Tell whoever watches for crashes, as Django would; hide why from the caller."""
    request = context["request"]._request
    log.error("api_failed", path=request.path, exc_info=exc)
    got_request_exception.send(sender=None, request=request)
    return Response({"detail": "The server failed. The fault is logged."}, status=500)


def _detail(data: Any) -> str:
    return str(data.get("detail", data)) if isinstance(data, dict) else str(data)


def _path(steps: Sequence[int | str]) -> str:
    return ".".join(str(step) for step in steps) or "body"


def _said(kind: str, message: str) -> str:
    if kind == "extra_forbidden":
        return "is unknown here"
    message = message.removeprefix("Value error, ")
    return message[:1].lower() + message[1:]
