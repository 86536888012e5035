"""Reading instants that people and files give."""

import re
from datetime import MAXYEAR, MINYEAR, UTC, datetime

_RFC_3339 = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


def parse_rfc3339(text: str) -> datetime:
    """The instant, with the offset that it was given in. Raises ValueError."""
    if not _RFC_3339.fullmatch(text):
        raise ValueError(
            "is not a time with its offset, such as 2026-11-01T00:00:00-05:00"
        )
    try:
        found = datetime.fromisoformat(text.upper())
        year = found.astimezone(UTC).year
    except (ValueError, OverflowError):
        year = MINYEAR
    if not MINYEAR < year < MAXYEAR:  # at the edges not every zone could tell it
        raise ValueError("is not in the calendar")
    return found


def parse_instant(text: str) -> datetime:
    """RFC 3339, or a date, which means its midnight; in UTC. Raises ValueError."""
    if _DATE.fullmatch(text):
        text += "T00:00:00Z"
    return parse_rfc3339(text).astimezone(UTC)
