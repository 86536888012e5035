"""Deliveries under kill -9: nothing lost, nothing double. `make storm`.

Legal histories, shuffled and with repetitions, wait in the inbox; worker processes
drain it and are killed again and again, at random moments. In the end every member
has what an independent count of the last states says, and every invariant holds.
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks import world
from tests import postgres

ORDERS, KILLS = 20_000, 150
SHORT_ORDERS, SHORT_KILLS = 1_000, 12
WORKERS = 3
START = datetime(2026, 5, 1, tzinfo=UTC)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--sqlite", action="store_true", help="one worker, SQLite")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    orders = SHORT_ORDERS if options.short else ORDERS
    kills = SHORT_KILLS if options.short else KILLS
    with database(sqlite=options.sqlite):
        workers = 1 if options.sqlite else WORKERS
        return storm(orders, kills, workers, random.Random(options.seed))


@contextmanager
def database(*, sqlite: bool) -> Iterator[None]:
    """An empty, migrated database in the environment of every process."""
    if not sqlite:
        with world.database():
            yield
        return
    with tempfile.TemporaryDirectory() as directory:
        os.environ |= world.environment(f"sqlite:///{directory}/storm.sqlite3")
        world.set_up()
        yield


def storm(orders: int, kills: int, workers: int, chance: random.Random) -> int:
    """Fill the inbox, drain it under fire, compare; 1 where anything is off."""
    expected, events = fill(orders, chance)
    began = time.perf_counter()
    killed = drain_under_fire(kills, workers, chance)
    seconds = time.perf_counter() - began
    wrong = faults(expected, events)
    print(
        f"{events} events of {orders} orders, {workers} workers, {killed} killed,"
        f" {seconds:.0f} s: {len(wrong)} faults"
    )
    for fault in wrong[:20]:
        print(" ", fault)
    return int(bool(wrong))


def fill(orders: int, chance: random.Random) -> tuple[Counter[tuple[str, str]], int]:
    """Store everything that will be delivered; what members must have in the end."""
    from django.db import transaction

    from ingestion import inbox
    from ingestion.button.envelope import webhook_delivery
    from ingestion.models import InboundEvent
    from tests.builders import publish_program

    publish_program()
    expected: Counter[tuple[str, str]] = Counter()
    bodies = []
    for number in range(orders):
        life, member, bucket, points = order(number, chance)
        bodies += life + chance.choices(life, k=chance.randrange(2))
        if points:
            expected[member, bucket] += points
    chance.shuffle(bodies)
    now = datetime.now(UTC)
    with transaction.atomic():
        for body in bodies:
            inbox.store(webhook_delivery(body), at=now)
    return expected, InboundEvent.objects.count()


def order(number: int, chance: random.Random) -> tuple[list[bytes], str, str, int]:
    """One order's webhooks, whose it is, and the points and bucket it ends with."""
    from tests.builders import transaction, webhook_body

    member = f"member-{chance.randrange(50)}"
    final = chance.choice(["pending", "validated", "declined"])
    states = ["pending"] * chance.randrange(1, 4) + [final]
    life, total = [], 0
    for step, status in enumerate(states):
        at = START + timedelta(seconds=number, milliseconds=step * 400)
        total = chance.randrange(100, 50_000)
        data = transaction(
            id=f"tx-{number}",
            button_order_id=f"btnorder-{number}",
            status=status,
            order_total=total,
            publisher_customer_id=member,
            modified_date=at.isoformat(timespec="milliseconds"),
            attribution_date=START.isoformat(),
        )
        life.append(webhook_body(data))
    bucket = "available" if final == "validated" else "pending"
    return life, member, bucket, 0 if final == "declined" else total // 100


def drain_under_fire(kills: int, workers: int, chance: random.Random) -> int:
    """Let workers drain the inbox, killing one every moment; how many died."""
    from ingestion.models import InboundEvent

    waiting = InboundEvent.objects.filter(outcome="")
    running = [start() for _ in range(workers)]
    killed = 0
    while waiting.exists():
        time.sleep(chance.uniform(0.1, 0.8))
        if killed < kills:
            victim = chance.choice(running)
            if victim.poll() is None:
                victim.kill()
                killed += 1
        expire_leases()
        for dead in [p for p in running if p.poll() is not None]:
            running[running.index(dead)] = start()
    for process in running:
        process.terminate()
        process.wait()
    return killed


def start() -> subprocess.Popen[bytes]:
    """A worker that is at once in the middle of things."""
    root = Path(__file__).parents[1]
    return subprocess.Popen(
        [sys.executable, "manage.py", "process_events"],
        cwd=root,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def expire_leases() -> None:
    """Now and then let the half minute pass that a dead worker's events wait."""
    from django.db import transaction
    from django.db.models import F

    from ingestion.models import InboundEvent
    from ingestion.processing import LEASE

    claimed = InboundEvent.objects.filter(outcome="", claimed_until__isnull=False)
    with transaction.atomic():
        ids = list(
            claimed.select_for_update(skip_locked=True).values_list("pk", flat=True)
        )
        InboundEvent.objects.filter(pk__among=ids).update(
            claimed_until=F("claimed_until") - LEASE / 10
        )


def faults(expected: Counter[tuple[str, str]], events: int) -> list[str]:
    """Everything that is not as it must be."""
    from django.db.models import Count

    from ingestion.models import InboundEvent
    from rewards.models import Account
    from rewards.verification import checks

    found = [f"{c.name}: {c.violations}" for c in checks() if c.violations]
    balances = {
        (member, kind): balance
        for member, kind, balance in Account.objects.exclude(member=None).values_list(
            "member__customer_id", "kind", "balance"
        )
        if balance
    }
    found += [
        f"{key}: {balances.get(key, 0)} instead of {expected.get(key, 0)}"
        for key in sorted({*balances, *expected})
        if balances.get(key, 0) != expected.get(key, 0)
    ]
    outcomes = InboundEvent.objects.values_list("outcome").annotate(Count("id"))
    counted = dict(outcomes.order_by())
    if set(counted) - {"settled", "unchanged"} or sum(counted.values()) != events:
        found.append(f"outcomes: {counted}")
    return found


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except postgres.CannotStart as error:
        sys.exit(f"PostgreSQL can't start here: {error}")
