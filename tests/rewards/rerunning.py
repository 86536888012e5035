"""Short words for tests of re-runs."""

from datetime import timedelta
from typing import Any

from rewards import reruns
from rewards.models import (
    Backtest,
    Edition,
    Rerun,
)
from tests.builders import (
    NOW,
    ORDERED,
    per_amount,
    report,
    rule,
)

PENDING, AVAILABLE = ("points", "pending"), ("points", "available")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
TWICE = rule(reward=per_amount("2"))


def order(number: int, **changes: Any) -> Any:
    at = ORDERED + number * HOUR
    values = {
        "order_id": f"order-{number}",
        "transaction_id": f"tx-{number}",
        "attributed_at": at,
        "modified_at": at,
    }
    return report(**{**values, **changes})


def ask(edition: Edition, **changes: Any) -> Rerun:
    values = {
        "start": ORDERED,
        "end": NOW,
        "reason": "We promised twice as much.",
        "by": None,
        "at": NOW,
    }
    return reruns.ask(edition=edition, **{**values, **changes})


def preview(rerun: Rerun, **changes: Any) -> None:
    values = {"digest": "x", "content": {}, "asked_at": NOW, "finished_at": NOW}
    Backtest.objects.create(rerun=rerun, **{**values, **changes})


def apply(edition: Edition, **changes: Any) -> Rerun:
    """Ask, preview, apply and work a re-run to its end."""
    rerun = ask(edition, **changes)
    preview(rerun)
    reruns.apply(rerun, by=None, at=NOW)
    reruns.work(rerun, at=NOW)
    assert rerun.state == Rerun.State.APPLIED
    return rerun


def undo(rerun: Rerun, *, at: Any = NOW) -> None:
    reruns.undo(rerun, reason="We had not.", by=None, at=at)
    reruns.work_reruns(at=at)
    rerun.refresh_from_db()
    assert rerun.state == Rerun.State.UNDONE
