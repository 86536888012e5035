"""Charts that the server draws: bars beside their figures, and lines over days."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

WIDTH, HEIGHT = 600, 160
COLOURS = ("#3b82f6", "#16a34a", "#d97706", "#dc2626", "#9333ea")
"""Seen well on white and on black."""


@dataclass(frozen=True)
class Bar:
    """One bar of a chart: ``width`` in per cent of the longest one."""

    name: str
    value: str
    width: int
    tone: str = ""


@dataclass(frozen=True)
class Chart:
    """Bars with their figures beside them: its own table."""

    title: str
    bars: Sequence[Bar]
    note: str = ""


class Line(NamedTuple):
    """One line of a chart: ``points`` are what SVG takes, ``last`` its end."""

    name: str
    value: str
    colour: str
    points: str
    last: tuple[int, int]


@dataclass(frozen=True)
class Lines:
    """Lines over days, drawn in WIDTH by HEIGHT; the figures stand in the legend."""

    title: str
    lines: Sequence[Line]
    first: str
    last: str
    most: str
    width: int = WIDTH
    height: int = HEIGHT


def bars(rows: Sequence[tuple[str, str, int, str]], *, full: int = 1) -> list[Bar]:
    """Bars of these names, texts, sizes and tones: up is green, down is red.

    A bar fills its place that is as long as the longest, and at least ``full``.
    """
    longest = max([abs(size) for _, _, size, _ in rows] + [full])
    return [
        Bar(name, said, 100 * abs(size) // longest, tone)
        for name, said, size, tone in rows
    ]


def loss(amount: int) -> str:
    """The tone of an amount that should not be below zero."""
    return "down" if amount < 0 else ""


def line(
    name: str, value: str, colour: str, amounts: Sequence[int], *, most: int
) -> Line:
    """A line through these amounts, from nothing at the bottom to ``most``."""
    steps = max(len(amounts) - 1, 1)
    points = [
        (WIDTH * n // steps, HEIGHT - HEIGHT * max(amount, 0) // max(most, 1))
        for n, amount in enumerate(amounts)
    ]
    return Line(
        name, value, colour, " ".join(f"{x},{y}" for x, y in points), points[-1]
    )
