"""What a replay is given instead of taking it anew: numbers, and facts of that time.

The same settling runs again on a scratch database. Its ids and what no report says
(segments, first orders, limits used up) come from what was recorded then.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Recorded:
    """One settling of a purchase: its number, the ids of its new reports, its facts."""

    number: int
    reports: Sequence[int]
    facts: Mapping[str, Any]


_recorded: ContextVar[Mapping[int, Recorded] | None] = ContextVar(
    "recorded", default=None
)


@contextmanager
def replaying(settlings: Mapping[int, Recorded]) -> Iterator[None]:
    """Settle these purchases, by id, as it is recorded."""
    token = _recorded.set(settlings)
    try:
        yield
    finally:
        _recorded.reset(token)


def replays() -> bool:
    """Whether this is a replay: nobody is enrolled then."""
    return _recorded.get() is not None


def of(purchase_id: int) -> Recorded | None:
    """The settling that is replayed; None where nothing is."""
    return (_recorded.get() or {}).get(purchase_id)
