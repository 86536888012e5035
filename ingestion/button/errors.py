"""What can go wrong when we ask Button, each with what an answer said about it."""

from collections.abc import Mapping
from typing import Any


class ButtonError(Exception):
    """Button did not give what we asked for.

    ``status`` is the HTTP status where there was an answer; ``kind`` and ``details``
    are the error's type and details where Button named them.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        kind: str = "",
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.details = dict(details or {})


class Unreachable(ButtonError):
    """No answer, or not a whole one, in time."""


class Failing(ButtonError):
    """Button's own trouble: an answer of 5xx."""


class Throttled(ButtonError):
    """Too many requests; ``wait`` is the pause in seconds that Button asked for."""

    def __init__(self, message: str, *, wait: int | None, **kwargs: Any) -> None:
        super().__init__(message, **kwargs)
        self.wait = wait


class Unauthorized(ButtonError):
    """The key is wrong, or not allowed to ask this."""


class Rejected(ButtonError):
    """Button understood the request and refused it."""


class Broken(ButtonError):
    """An answer that is not what Button documents: no JSON, no envelope, a redirect."""
