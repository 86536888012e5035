"""Polling under faults and kill -9: nothing missed, nothing double. `make poll-storm`.

A sandbox holds the truth, and fails in every way that an API does; meanwhile orders go
on changing there. Pollers read it all from nothing and are killed again and again.
In the end every member has what the sandbox's own log of the truth comes to.
"""

import argparse
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from math import inf
from typing import Any

from benchmarks import sandbox, world
from benchmarks.sandbox import Stand
from tests import postgres

ORDERS, KILLS = 200_000, 25
SHORT_ORDERS, SHORT_KILLS = 3_000, 4
CHANGES = 5  # orders that change between two looks at the poller
FAULTS = {
    "slow": {"probability": 0.01, "seconds": 0.5},
    "reset": {"probability": 0.02},
    "truncated": {"probability": 0.02},
    "html": {"probability": 0.003},
    "unauthorized": {"probability": 0.001},
    "forbidden": {"probability": 0.001},
    "throttled": {"probability": 0.01, "seconds": 1},
    "broken": {"probability": 0.02},
    "elsewhere": {"probability": 0.05},
}
NOW_AND_THEN: dict[str, dict[str, object]] = {
    "expired": {"next": 1},
    "repeated": {"next": 3},
}
BUCKETS = {"pending": "pending", "validated": "available"}
POLL = [sys.executable, "manage.py", "poll_transactions"]


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    orders = SHORT_ORDERS if options.short else ORDERS
    kills = SHORT_KILLS if options.short else KILLS
    with sandbox.running(orders) as stand, world.database():
        return storm(stand, orders, kills, random.Random(options.seed))


def storm(stand: Stand, orders: int, kills: int, chance: random.Random) -> int:
    """Poll everything under fire, then in peace; 1 where anything is off."""
    from tests.builders import publish_program

    publish_program()
    began = time.perf_counter()
    told = poll_under_fire(stand, kills, chance)
    stand.ask("/sandbox/faults", {})
    subprocess.run(POLL, cwd=sandbox.ROOT, check=True, stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - began
    wrong = faults(stand)
    print(
        f"{orders} orders and {told['changes']} changes, {told['killed']} pollers"
        f" killed, {told['struck']} faults of the network, which ended"
        f" {told['failed']} more, {seconds:.0f} s: {len(wrong)} wrong"
    )
    for fault in wrong[:20]:
        print(" ", fault)
    return int(bool(wrong))


def poll_under_fire(stand: Stand, kills: int, chance: random.Random) -> Counter[str]:
    """Run pollers until one ends well and enough were killed; what happened."""
    keys = [t["order_id"] for t in truths(stand) if t["status"] == "pending"]
    told: Counter[str] = Counter()
    while True:
        fault = chance.choice(sorted(NOW_AND_THEN))
        stand.ask("/sandbox/faults", FAULTS | {fault: NOW_AND_THEN[fault]})
        doomed = chance.uniform(2, 8) if told["killed"] < kills else inf
        code = run_poller(stand, keys, chance, told, doomed=doomed)
        settings = stand.ask("/sandbox/faults")["object"]
        told["struck"] += sum(switch["struck"] for switch in settings.values())
        told["killed"] += code < 0
        told["failed"] += code > 0
        if code == 0 and told["killed"] >= kills:
            return told
        forget_the_dead()


def run_poller(
    stand: Stand,
    keys: list[str],
    chance: random.Random,
    told: Counter[str],
    *,
    doomed: float,
) -> int:
    """One poller while orders change, killed after so many seconds; its exit code."""
    began = time.monotonic()
    poller = subprocess.Popen(
        POLL, cwd=sandbox.ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while poller.poll() is None:
        for _ in range(min(CHANGES, len(keys))):
            change(stand, keys, chance)
            told["changes"] += 1
        time.sleep(0.2)
        if time.monotonic() - began > doomed:
            poller.kill()
            poller.wait()
    return poller.returncode


def change(stand: Stand, keys: list[str], chance: random.Random) -> None:
    """Let one pending order go on, or end."""
    action = chance.choice(["adjust", "validate", "decline"])
    key = keys.pop(chance.randrange(len(keys)))
    if action == "adjust":
        keys.append(key)
    body = {"total": chance.randrange(100, 50_000)} if action == "adjust" else {}
    stand.ask(f"/sandbox/orders/{key}/{action}", body)


def truths(stand: Stand) -> list[dict[str, Any]]:
    """Where every order stands at the sandbox."""
    return list(stand.ask("/sandbox/truth")["objects"])


def forget_the_dead() -> None:
    """Let the half minute pass for which a dead poller's rows wait."""
    from ingestion.models import InboundEvent, Poll

    Poll.objects.update(held_until=None, held_by="")
    InboundEvent.objects.filter(outcome="").update(claimed_until=None)


def faults(stand: Stand) -> list[str]:
    """Everything that is not as the sandbox's truth has it."""
    from ingestion.models import InboundEvent
    from rewards.models import Account, Purchase
    from rewards.verification import checks

    found = [f"{c.name}: {c.violations}" for c in checks() if c.violations]
    expected: Counter[tuple[str, str]] = Counter()
    states = {}
    for truth in truths(stand):
        states[truth["order_id"]] = (truth["status"], truth["order_total"])
        if bucket := BUCKETS.get(truth["status"]):
            expected[truth["customer"], bucket] += truth["order_total"] // 100
    ours = {
        key: (status, total)
        for key, status, total in Purchase.objects.values_list(
            "order_key", "status", "order_total"
        )
    }
    found += [f"{key}: missed" for key in states.keys() - ours.keys()]
    found += [f"{key}: made up" for key in ours.keys() - states.keys()]
    found += [
        f"{key}: {ours[key]} instead of {states[key]}"
        for key in states.keys() & ours.keys()
        if ours[key] != states[key]
    ]
    balances = {
        (member, kind): balance
        for member, kind, balance in Account.objects.exclude(member=None).values_list(
            "member__customer_id", "kind", "balance"
        )
        if balance
    }
    found += [
        f"{key}: {balances.get(key, 0)} instead of {expected[key]}"
        for key in sorted({*balances, *expected})
        if balances.get(key, 0) != expected[key]
    ]
    odd = InboundEvent.objects.exclude(outcome__in=("settled", "unchanged"))
    return found + [f"event {e.pk}: {e.outcome}: {e.reason}" for e in odd[:5]]


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except postgres.CannotStart as error:
        sys.exit(f"PostgreSQL can't start here: {error}")
