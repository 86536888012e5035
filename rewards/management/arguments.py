"""Arguments that several commands take."""

from argparse import ArgumentTypeError
from datetime import datetime

from rewards.instants import parse_instant


def instant(text: str) -> datetime:
    """RFC 3339, or a date: its midnight in UTC. Raises ArgumentTypeError."""
    try:
        return parse_instant(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} {error}") from None
