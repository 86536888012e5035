"""A million random steps of members' balances, every invariant after each call.

`make money-storm`. The tests' own state machine (tests/rewards/money_machine.py) with
more orders and larger batches, in as many processes as there are processors, on SQLite
and, with --postgres, on PostgreSQL. Prints the steps of each kind and the seed; exits
with 1 where an invariant breaks, and says after which steps.
"""

import argparse
import logging
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

STEPS, SHORT = 1_000_000, 2_000
ORDERS = 600
EXAMPLES, CALLS = 2, 40  # lives of a database, and calls in each, at one go
LEGS = 1_000_000  # of one process: no two have a seed in common


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help=f"{SHORT:,} steps")
    parser.add_argument("--steps", type=int, default=None)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--postgres", action="store_true", help="not on SQLite")
    options = parser.parse_args(arguments)
    wanted = options.steps or (SHORT if options.short else STEPS)
    seed = int(time.time()) if options.seed is None else options.seed
    workers = os.cpu_count() or 1
    print(f"seed {seed}, {workers} processes", flush=True)
    with _database(postgres=options.postgres), ProcessPoolExecutor(workers) as pool:
        began = time.monotonic()
        share = wanted // workers
        seeds = [seed + worker * LEGS for worker in range(workers)]
        taken: Counter[str] = Counter()
        for part in pool.map(walk, seeds, [share] * workers):
            taken += part
    calls = taken.pop("calls")
    for name, number in taken.most_common():
        print(f"{number:>9,}  {name}")
    print(
        f"{taken.total():>9,}  steps in {calls:,} calls, every invariant after each:"
        f" 0 broken, {time.monotonic() - began:,.0f} s"
    )
    return 0


def walk(seed: int, wanted: int) -> Counter[str]:
    """Take so many steps on a database of this process; how many of each kind."""
    _set_up()
    from hypothesis import HealthCheck, Phase, core, settings
    from hypothesis.stateful import run_state_machine_as_test

    from tests.rewards import money_machine

    machine = _storm(money_machine)
    leg = 0
    while money_machine.steps.total() - money_machine.steps["calls"] < wanted:
        core.global_force_seed = seed + leg  # type: ignore[assignment]
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=EXAMPLES,
                stateful_step_count=CALLS,
                deadline=None,
                database=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            ),
        )
        leg += 1
    return money_machine.steps


def _storm(machine: Any) -> Any:
    """The same machine with many orders and redemptions in a call."""
    from hypothesis import strategies as st
    from hypothesis.stateful import invariant, rule

    class Storm(machine.MoneyMachine):
        @rule(seed=st.integers(0, 2**32))
        def report_many(self, seed: int) -> None:
            random = Random(seed)
            kinds = ["pending", "validated", "validated", "declined"]
            self.tell(
                [
                    (
                        random.randrange(ORDERS),
                        random.randint(0, 15_000),
                        random.choice(kinds),
                    )
                    for _ in range(random.randint(100, 300))
                ]
            )

        @rule(seed=st.integers(0, 2**32))
        def redeem_many(self, seed: int) -> None:
            random = Random(seed)
            for _ in range(random.randint(5, 40)):
                name = random.choice(machine.NAMES)
                self.try_to_redeem(name, random.randint(1, 120), random.randint(0, 99))

        @rule(seed=st.integers(0, 2**32))
        def upload_many(self, seed: int) -> None:
            random = Random(seed)
            self.apply_file(
                [
                    (random.choice(machine.NAMES), random.randint(1, 30))
                    for _ in range(random.randint(50, 200))
                ]
            )

        @invariant()
        def count_the_calls(self) -> None:
            machine.steps["calls"] += 1

    return Storm


@contextmanager
def _database(*, postgres: bool) -> Iterator[None]:
    """Where processes find a database each: a file, or one on a server of our own."""
    with tempfile.TemporaryDirectory(prefix="loyalty-storm-") as directory:
        os.environ.update(STORM_DIR=directory, DATA_DIR=directory)
        if not postgres:
            yield
            return
        from tests import postgres as server

        with server.server() as url:
            os.environ["STORM_POSTGRES"] = url
            yield


def _set_up() -> None:
    """Configure Django for a new database of this process alone, and make it."""
    name = f"storm{os.getpid()}"
    url = f"sqlite:///{Path(os.environ['STORM_DIR']) / name}.sqlite3"
    if server := os.environ.get("STORM_POSTGRES"):
        import psycopg

        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        url = f"{server.rpartition('/')[0]}/{name}"
    os.environ.update(
        DATABASE_URL=url,
        DEBUG="true",
        ENV_FILE=os.devnull,
        DJANGO_SETTINGS_MODULE="loyalty_site.settings",
    )
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    logging.disable(logging.INFO)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
