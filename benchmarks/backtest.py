"""A draft of twenty rules against the live twenty, over the whole history.

`make bench-backtest`. The history is settled for real once, in small, and multiplied
inside PostgreSQL. The floor only reads the same rows, in as many processes.
"""

import argparse
import os
import resource
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from multiprocessing import get_context
from typing import Any

from benchmarks import world

PURCHASES, SHORT = 1_000_000, 5_000
SETTLED = 2_500  # for real; the others are theirs again, of other members
GOAL = 60  # seconds, on two cores
COPIED = {  # table: what a copy has of its own, by its number c
    "rewards_purchase": {
        "id": "id + c * {n}",
        "order_key": "order_key || '-' || c",
        "member_id": "1 + (member_id + c * 7919) % {members}",
        "settlement_id": "settlement_id + c * {n}",
        "report_id": "report_id + c * {n}",
    },
    "rewards_settlement": {
        "id": "id + c * {n}",
        "purchase_id": "purchase_id + c * {n}",
        "report_id": "report_id + c * {n}",
    },
    "rewards_report": {
        "id": "id + c * {n}",
        "purchase_id": "purchase_id + c * {n}",
        "settlement_id": "settlement_id + c * {n}",
    },
}


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="a few thousand only")
    parser.add_argument("--lines", action="store_true", help="rules look at line items")
    parser.add_argument("--budget", action="store_true", help="a budget is used up")
    options = parser.parse_args(arguments)
    purchases = SHORT if options.short else PURCHASES
    with world.database():
        prepare(purchases)
        seconds = measure(draft(lines=options.lines, budget=options.budget))
    return 0 if options.short else int(seconds > GOAL)


def prepare(purchases: int) -> None:
    """Settle some orders, then copy what settling wrote."""
    from benchmarks import settle
    from ingestion.processing import drain
    from rewards.models import Purchase

    settle.prepare(SETTLED)
    drain()
    with world.connect() as connection:
        # As a replica would: no trigger guards the history, no foreign key asks.
        connection.execute("SET session_replication_role = replica")
        for table, own in COPIED.items():
            copy(connection, table, own, copies=purchases // SETTLED - 1)
        connection.execute(
            "UPDATE rewards_purchase SET status = 'declined' WHERE id % 10 = 0"
        )
        connection.execute("VACUUM ANALYZE")
    assert Purchase.objects.count() == purchases


def copy(connection: Any, table: str, own: dict[str, str], *, copies: int) -> None:
    found = connection.execute(f"SELECT * FROM {table} LIMIT 0").description
    names = [column.name for column in found]
    values = ", ".join(own.get(name, name) for name in names)
    values = values.format(n=SETTLED, members=len(world.MEMBERS))
    connection.execute(
        f"INSERT INTO {table} ({', '.join(names)}) SELECT {values}"
        f" FROM {table}, generate_series(1, {copies}) AS c"
    )


def draft(*, lines: bool, budget: bool) -> dict[str, Any]:
    """The live rules but for four of them."""
    content: dict[str, Any] = world.program()
    rules = {rule["key"]: rule for rule in content["rules"]}
    rules["everything"]["reward"]["points"] = "2"
    rules["store-3"]["reward"]["points"] = "1"
    rules["half"]["reward"]["percent"] = "40"
    if lines:
        rules["boost-1"]["items"] = {"categories": ["lighting"]}
    if budget:
        rules["welcome"]["limits"] = {"budget": 100_000}
    return content


def measure(content: dict[str, Any]) -> float:
    """Print how long it takes, beside the floor; the seconds."""
    from rewards.backtests import ask
    from rewards.backtests.running import run
    from rewards.program import vocabulary

    program = vocabulary.dump(vocabulary.parse(content))
    backtest = ask(program, at=datetime.now(UTC))
    processes = os.cpu_count() or 1
    begun = time.perf_counter()
    run(backtest)
    seconds = time.perf_counter() - begun
    backtest.refresh_from_db()
    assert backtest.result and not backtest.error, backtest.error
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    floor = read_all(list(backtest.parts.values_list("pk", flat=True)), processes)
    print(
        f"{backtest.total:,} purchases, {len(program['rules'])} rules against 20,"
        f" {processes} processes, PostgreSQL: {seconds:.1f} s (goal {GOAL} s"
        f" for {PURCHASES:,}), {backtest.total / seconds:,.0f} purchases/s;"
        f" reading alone {floor:.1f} s, ratio {floor / seconds:.2f};"
        f" memory {used.ru_maxrss / 1024:.0f} MB a process at most,"
        f" {used.ru_utime + used.ru_stime:.0f} s of processors; load"
        f" {os.getloadavg()[0]:.1f}"
    )
    return seconds


def read_all(parts: Sequence[int], processes: int) -> float:
    """Seconds in which the same rows are read, and nothing is done with them."""
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        begun = time.perf_counter()
        list(pool.map(read_part, parts))
        return time.perf_counter() - begun


def read_part(id: int) -> None:
    import django

    django.setup()
    from rewards.backtests.history import CHUNK, rows
    from rewards.models import BacktestPart

    found = rows(BacktestPart.objects.get(pk=id), lines=False)
    statement, values = found.query.sql_with_params()
    with world.connect() as connection, connection.transaction():
        cursor = connection.cursor(name="floor")
        cursor.execute(statement, values)
        while cursor.fetchmany(CHUNK):
            pass


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
