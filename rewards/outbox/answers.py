"""What an answer of the host application means, or that there was none."""

import json
from dataclasses import dataclass
from enum import Enum
from http import HTTPStatus
from typing import Any

GONE = HTTPStatus.GONE
NOT_DONE = (HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS)
NO_REFUSAL = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT)
LONGEST_LOGGED = 500
LONGEST_TEXT = 200


@dataclass(frozen=True)
class Answer:
    """``status`` is None without a whole answer; ``sent`` whether the receiver can
    have seen any of the request. ``problem`` says why there was none."""

    status: int | None = None
    body: bytes = b""
    problem: str = ""
    sent: bool = True

    @property
    def said(self) -> str:
        """For the log: what came back, or why nothing did."""
        return self.problem or _text(self.body)[:LONGEST_LOGGED]

    @property
    def good(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


class Outcome(Enum):
    """What a call for a redemption has come to."""

    FULFILLED = "fulfilled"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    NOT_DONE = "not done"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class CallAnswer:
    """An answer to a call for a redemption, understood. Unclear is unknown.

    ``expressly``: the host application itself says that it refused, and means this
    redemption. A bare 4xx may be somebody else's, such as a gateway's.
    """

    outcome: Outcome
    reference: str = ""
    reason: str = ""
    expressly: bool = False

    @classmethod
    def of(cls, answer: Answer) -> "CallAnswer":
        if not answer.sent or answer.status in NOT_DONE:
            return cls(Outcome.NOT_DONE, reason=_why(answer))
        if answer.status is None:
            return cls(Outcome.UNKNOWN, reason=answer.problem)
        said = _object(answer.body)
        if answer.good:
            return _agreed(answer.status, said)
        refused = 400 <= answer.status < 500 and answer.status not in NO_REFUSAL
        outcome = Outcome.REFUSED if refused else Outcome.UNKNOWN
        reason = _short(said.get("reason")) or _why(answer)
        expressly = said.get("status") == "refused"
        return cls(outcome, reason=reason, expressly=expressly)


def _agreed(status: int, said: dict[str, Any]) -> CallAnswer:
    match status, said.get("status"):
        case HTTPStatus.OK | HTTPStatus.CREATED, "fulfilled":
            reference = _short(said.get("reference"))
            return CallAnswer(Outcome.FULFILLED, reference=reference)
        case HTTPStatus.OK | HTTPStatus.CREATED | HTTPStatus.ACCEPTED, "accepted":
            return CallAnswer(Outcome.ACCEPTED)
    reason = f"It answered {status}, and neither fulfilled nor accepted."
    return CallAnswer(Outcome.UNKNOWN, reason=reason)


def _why(answer: Answer) -> str:
    return answer.problem or f"It answered {answer.status}."


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _short(value: object) -> str:
    return (
        value.replace("\0", "")[:LONGEST_TEXT].strip() if isinstance(value, str) else ""
    )


def _text(body: bytes) -> str:
    return body.decode(errors="replace").replace("\0", "\N{REPLACEMENT CHARACTER}")
