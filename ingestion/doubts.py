"""Doubts: what only the network can say, asked a minute later.

Two different states of one second, or two final ones, leave a purchase in doubt. The
Transactions API is then read once more around that second; what it says outranks.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from ingestion.models import Doubt, Window
from rewards.models import NetworkAccount
from rewards.reports import Outcome

PATIENCE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)


def ask(outcomes: Iterable[Outcome], *, at: datetime) -> None:
    """Note the doubts that these outcomes leave."""
    Doubt.objects.bulk_create(
        (
            Doubt(
                purchase_id=outcome.purchase_id,
                start=outcome.doubt,
                end=outcome.doubt + SECOND,
                due_at=at + PATIENCE,
            )
            for outcome in outcomes
            if outcome.doubt and outcome.purchase_id
        ),
        ignore_conflicts=True,
    )


def open_windows(account: NetworkAccount, *, at: datetime) -> None:
    """Open a confirming window for each second of the account that is due."""
    due = Doubt.objects.filter(
        purchase__account=account, window=None, settled_at=None, due_at__lte=at
    )
    for start, end in due.order_by("start").values_list("start", "end").distinct():
        window = Window.objects.create(
            account=account,
            purpose=Window.Purpose.CONFIRM,
            start=start,
            end=end,
            opened_at=at,
        )
        due.filter(start=start, end=end).update(window=window)


def settle(window: Window, *, at: datetime) -> None:
    """Note that the window which these doubts waited for has been read."""
    Doubt.objects.filter(window=window, settled_at=None).update(settled_at=at)
