"""From HTTP page to balance: polling against the same pages settled from memory.

`make bench-poll`. The sandbox runs as a process of its own. Both ways read the same
windows by the same code; the one has every page in memory already, so what is missing
to a ratio of 1 is the network, the client, and the sandbox's share of the machine.
"""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from benchmarks import sandbox, world
from tests import postgres

ORDERS, SHORT = 20_000, 2_000
ROUNDS = 3
GOAL = 0.8


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="a tenth of the orders")
    options = parser.parse_args(arguments)
    orders, rounds = (SHORT, 1) if options.short else (ORDERS, ROUNDS)
    with sandbox.running(orders), world.database():
        ratio = compare(orders, rounds)
    return 0 if options.short else int(ratio < GOAL)


def compare(orders: int, rounds: int) -> float:
    """Poll and settle from memory by turns; the ratio of the best of each."""
    from ingestion.button.client import ButtonClient
    from tests.builders import publish_program

    publish_program()
    with ButtonClient.from_settings() as client:
        pages = Memory(client)
        read_everything(pages)  # fetches, and warms everything up
        empty()
        polled, remembered = [], []
        for _ in range(rounds):
            remembered.append(timed(lambda: read_everything(pages), orders))
            polled.append(timed(lambda: read_everything(client), orders))
    ratio = min(remembered) / min(polled)
    print(f"{orders} orders, pages of 100, PostgreSQL, {rounds} rounds")
    print(
        f"polled {orders / min(polled):7,.0f} orders/s,"
        f" from memory {orders / min(remembered):7,.0f} orders/s,"
        f" ratio {ratio:.2f} (goal {GOAL})"
    )
    return ratio


class Memory:
    """A client that has been asked everything before, and only remembers."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.pages: dict[Any, Any] = {}

    def accounts(self) -> Any:
        return self.client.accounts()

    def transactions(self, account: str | None, **asked: Any) -> Any:
        key = (account, asked["start"], asked["end"], asked["cursor"])
        if key not in self.pages:
            self.pages[key] = self.client.transactions(account, **asked)
        return self.pages[key]


AT = datetime.now(UTC).replace(microsecond=0)


def read_everything(client: Any) -> None:
    """Follow every account from nothing, as the worker does."""
    from ingestion import polling
    from ingestion.accounts import discover
    from ingestion.windows import Reading
    from rewards.leases import hold

    for poll in discover(client, at=AT):
        with hold(poll) as lease:
            polling.follow(poll, Reading(client, lease), at=AT)


def timed(work: Callable[[], object], orders: int) -> float:
    """Seconds that the work takes; afterwards nothing of it is left."""
    from rewards.models import Purchase

    began = time.perf_counter()
    work()
    seconds = time.perf_counter() - began
    assert Purchase.objects.count() == orders
    empty()
    return seconds


def empty() -> None:
    """Forget every event, purchase and balance, and how far was read.

    Truncated tables are to the planner what new ones are; emptied ones would have
    statistics that tell it to scan them.
    """
    tables = (
        *("rewards_award", "rewards_transfer", "rewards_report", "rewards_settlement"),
        *("ingestion_sighting", "ingestion_inboundevent", "ingestion_window"),
        *("ingestion_poll", "rewards_purchase", "rewards_account"),
    )
    with world.connect() as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(f"TRUNCATE {', '.join(tables)} CASCADE".encode())
        connection.execute("CHECKPOINT")


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except postgres.CannotStart as error:
        sys.exit(f"PostgreSQL can't start here: {error}")
