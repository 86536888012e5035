"""Saying no with a sentence of ours; what other errors say may be private."""

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest


def forbidden(request: HttpRequest, why: str) -> PermissionDenied:
    """The error to raise, after which the page with 403 says why."""
    request.refusal = why  # type: ignore[attr-defined]
    return PermissionDenied(why)
