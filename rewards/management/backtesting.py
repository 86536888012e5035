"""Trying the draft on the history from the command line."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import CommandError, CommandParser
from rich.console import Console
from rich.progress import Progress

from rewards.backtests import ask
from rewards.backtests.running import run
from rewards.backtests.wording import (
    amount,
    compared_with,
    money_change,
    percent,
    unit_change,
    unvalued,
)
from rewards.management.arguments import instant
from rewards.models import Backtest
from rewards.money import currency_amount
from rewards.program import draft


def add_arguments(action: CommandParser) -> None:
    """The stretch of attribution times."""
    for name, said in (("--start", "included"), ("--end", "excluded")):
        action.add_argument(
            name, type=instant, metavar="T", help=f"{said}; left out: all there is"
        )


def backtest_draft(*, start: datetime | None, end: datetime | None) -> list[str]:
    """Try the draft, with a bar on a terminal; what came out, in lines.

    Raises ProgramError where the draft is wrong, CommandError.
    """
    if start and end and start >= end:
        raise CommandError("--start must be before --end.", returncode=2)
    backtest = ask(draft.export(), start=start, end=end, at=datetime.now(UTC))
    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal) as progress:
        bar = progress.add_task(f"{backtest.total} purchases", total=100)
        run(backtest, progressed=lambda done: progress.update(bar, completed=done))
    backtest.refresh_from_db()
    if backtest.result is None:
        raise CommandError(backtest.error or "The backtest was cancelled.")
    return list(summary(backtest, backtest.result))


def summary(backtest: Backtest, result: dict[str, Any]) -> Iterator[str]:
    """The figures that decide, a line each."""
    apart = result["left_out"]
    yield f"The draft against {compared_with(backtest)}"
    yield (
        f"{result['earning']} purchases of {result['members']} members may earn;"
        f" {result['declined']} were declined later, {apart['unattributed']} belong to"
        f" nobody, {apart['in_review']} are in review, {apart['excluded']} are in an"
        " account that does not reward"
    )
    for row in result["units"]:
        yield from _unit_lines(row)
    for row in result["money"]:
        yield _money_line(row)
    if names := unvalued(result):
        said = ", ".join(names)
        yield f"In no cost, since nobody has said what they are worth: {said}"
    for row in result["budgets"]:
        yield _budget_line(row)
    for side, failed in result["failed"].items():
        yield f"{side}: expressions failed on {failed['count']} purchases"
    if result["estimated"]:
        yield "Limits are counted from the beginning of the stretch: an estimate"


def _unit_lines(row: dict[str, Any]) -> Iterator[str]:
    unit, members, purchases = row["unit"], row["members"], row["purchases"]
    yield (
        f"{unit['code']}: {amount(row['baseline'], unit)} live,"
        f" {amount(row['draft'], unit)} draft"
        f" ({unit_change(row['difference'], unit)});"
        f" members {members['up']} up, {members['down']} down, {members['same']} same;"
        f" purchases {purchases['up']} up, {purchases['down']} down,"
        f" {purchases['same']} same"
    )
    if any(row["declined"].values()):
        lost = amount(row["declined"]["draft"], unit)
        yield f"{unit['code']}: declined later, and so not paid by the draft: {lost}"


def _money_line(row: dict[str, Any]) -> str:
    def said(minor: int) -> str:
        return currency_amount(minor, currency=row["currency"])

    shares, margins = row["shares"], row["margins"]
    return (
        f"{row['currency']}: commission {said(row['commission'])};"
        f" cost {said(row['baseline'])} live ({percent(shares['baseline'])}),"
        f" {said(row['draft'])} draft ({percent(shares['draft'])},"
        f" {money_change(row['difference'], row['currency'])});"
        f" margin {said(margins['baseline'])} live, {said(margins['draft'])} draft"
    )


def _budget_line(row: dict[str, Any]) -> str:
    end = row["ends_at"] or "not in sight"
    verb = "used up at" if row["burned"] else "lasts, at this pace until"
    return (
        f"{row['side']}: budget of {row['rule']}: {row['used']} of {row['cap']}"
        f" {row['unit']} used; {verb} {end}"
    )
