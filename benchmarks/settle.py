"""From inbox to balances: our settling against bare SQL that writes the same rows.

`make bench-settle`. The floor takes the rows that settling wrote, empties the tables,
and writes them again inside the server in batches of 500, on as many connections.
"""

import argparse
import json
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import psycopg

from benchmarks import world

ORDERS, SHORT = 50_000, 5_000
BATCH = 500
GOAL = 0.3

# Tables in the order in which they may be written, and how their rows find a batch.
WRITTEN = {
    "rewards_purchase": "id",
    "rewards_settlement": "purchase_id",
    "rewards_report": "purchase_id",
    "rewards_award": "(SELECT purchase_id FROM rewards_settlement s"
    " WHERE s.id = settlement_id)",
    "rewards_transfer": "purchase_id",
}


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="a tenth of the orders")
    parser.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.work:
        return work()
    with world.database():
        missed = compare(SHORT if options.short else ORDERS)
    return 0 if options.short else missed  # a short run is too coarse to judge by


def compare(orders: int) -> int:
    """Measure one worker and two; 1 where a ratio misses the goal."""
    prepare(orders)
    print(f"{orders} stored pending orders, 20 rules, PostgreSQL, batches of {BATCH}")
    ratios = []
    for workers in (1, 2):
        ours, memory = settle(workers)
        check(orders)
        floor = write_again(workers)
        ratios.append(floor / ours)
        print(
            f"{workers} worker{'s' if workers > 1 else ' '}:"
            f" ours {orders / ours:8,.0f} orders/s,"
            f" floor {orders / floor:8,.0f} orders/s,"
            f" ratio {floor / ours:.2f} (goal {GOAL}); memory {memory}"
        )
        empty()
    return int(min(ratios) < GOAL)


def prepare(orders: int) -> None:
    """Publish the program, enrol the members, fill the inbox."""
    from django.db import transaction

    from ingestion import inbox
    from ingestion.button.envelope import webhook_delivery
    from rewards import bulk
    from rewards.models import Member
    from rewards.program import draft, editions, vocabulary

    now = datetime.now(UTC)
    draft.replace(vocabulary.parse(world.program()))
    editions.publish(now=now)
    columns = ("customer_id", "status", "email", "locale", "segments", "joined_at")
    rows = [(id, "active", "", "", "[]", now) for id in world.MEMBERS]
    bulk.insert(Member, columns, rows)
    chance = random.Random(1)
    with transaction.atomic():
        for n in range(orders):
            inbox.store(webhook_delivery(world.order(n, chance)), at=now)


def settle(workers: int) -> tuple[float, str]:
    """Seconds in which so many worker processes empty the inbox, and their memory."""
    command = [sys.executable, "-m", "benchmarks.settle", "--work"]
    processes = [
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(workers)
    ]
    for process in processes:
        assert process.stdout and process.stdout.readline() == "ready\n"
    begun = time.perf_counter()
    for process in processes:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    reports = [json.loads(p.stdout.readline()) for p in processes if p.stdout]
    seconds = time.perf_counter() - begun
    for process in processes:
        process.wait()
    grown = [f"{r['early']:.0f} → {r['late']:.0f} MB" for r in reports]
    return seconds, ", ".join(grown)


def work() -> int:
    """One worker: get ready, wait for the word, drain, report memory."""
    import django

    django.setup()
    from django.db import connection

    from ingestion.processing import batch_size, claim, drain, handle
    from rewards.program.editions import Editions, compiled

    connection.ensure_connection()
    for _, id in Editions.load().starts:
        compiled(id)
    print("ready", flush=True)
    sys.stdin.readline()
    for _ in range(4):
        handle(claim(batch_size()))
    early = memory()
    drain()
    print(json.dumps({"early": early, "late": memory()}), flush=True)
    return 0


def memory() -> float:
    """Resident megabytes of this process."""
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * 4096 / 1e6


def check(orders: int) -> None:
    """Nothing missing, and every invariant holds."""
    from ingestion.models import InboundEvent
    from rewards.models import Purchase
    from rewards.verification import checks

    assert InboundEvent.objects.filter(outcome="settled").count() == orders
    assert Purchase.objects.count() == orders
    broken = [check for check in checks() if check.violations]
    assert not broken, broken


def write_again(connections: int) -> float:
    """Seconds in which bare SQL writes the rows that settling wrote."""
    with world.connect() as connection:
        batches = stage(connection)
    empty(staged=True)
    opened = [world.connect() for _ in range(connections)]
    shares = [range(i, batches, connections) for i in range(connections)]
    begun = time.perf_counter()
    with ThreadPoolExecutor(connections) as pool:
        list(pool.map(write_batches, opened, shares))
    seconds = time.perf_counter() - begun
    for connection in opened:
        connection.close()
    return seconds


def stage(connection: psycopg.Connection) -> int:
    """Keep settling's rows aside, each with the number of its batch."""
    batch = "(rank() OVER (ORDER BY {key}) - 1) / %d" % BATCH  # noqa: UP031
    connection.execute(
        f"CREATE TABLE floor_of AS SELECT id AS purchase_id, {batch.format(key='id')}"
        " AS batch FROM rewards_purchase"
    )
    for table, purchase in WRITTEN.items():
        connection.execute(
            f"CREATE TABLE floor_{table} AS SELECT t.*, o.batch AS batch FROM"
            f" (SELECT *, {purchase} AS of FROM {table}) t"
            " JOIN floor_of o ON o.purchase_id = t.of ORDER BY batch"
        )
        connection.execute(f"ALTER TABLE floor_{table} DROP COLUMN of")
        connection.execute(f"CREATE INDEX ON floor_{table} (batch)")
    connection.execute(
        "CREATE TABLE floor_events AS SELECT e.id, e.outcome, e.handled_at,"
        " e.purchase_id, o.batch FROM ingestion_inboundevent e"
        " JOIN floor_of o USING (purchase_id) ORDER BY batch"
    )
    connection.execute("CREATE INDEX ON floor_events (batch)")
    connection.execute(
        "CREATE TABLE floor_balances AS SELECT a.id, a.member_id, a.unit_id, a.kind,"
        " t.amount, o.batch FROM rewards_transfer t"
        " JOIN rewards_account a ON a.id = t.to_account_id"
        " JOIN floor_of o USING (purchase_id) ORDER BY batch"
    )
    connection.execute("CREATE INDEX ON floor_balances (batch)")
    connection.execute("CREATE TABLE floor_accounts AS SELECT * FROM rewards_account")
    connection.execute("ANALYZE")
    (batches,) = connection.execute("SELECT max(batch) + 1 FROM floor_of").fetchone()  # type: ignore[misc]
    return batches


def write_batches(connection: psycopg.Connection, batches: Sequence[int]) -> None:
    names = {
        table: ", ".join(
            column.name
            for column in connection.execute(
                f"SELECT * FROM {table} LIMIT 0"
            ).description  # type: ignore[union-attr]
        )
        for table in WRITTEN
    }
    for batch in batches:
        with connection.transaction():
            write_batch(connection, batch, names)


def write_batch(
    connection: psycopg.Connection, batch: int, names: dict[str, str]
) -> None:
    """The least that SQL has to do for one batch of orders."""
    connection.execute(
        "INSERT INTO rewards_account (id, member_id, unit_id, kind, balance)"
        " SELECT id, member_id, unit_id, kind, sum(amount) FROM floor_balances"
        " WHERE batch = %s GROUP BY 1, 2, 3, 4 ORDER BY id"
        " ON CONFLICT (id) DO UPDATE"
        " SET balance = rewards_account.balance + excluded.balance",
        [batch],
    )
    for table, columns in names.items():
        connection.execute(
            f"INSERT INTO {table} ({columns}) SELECT {columns} FROM floor_{table}"
            " WHERE batch = %s",
            [batch],
        )
    connection.execute(
        "UPDATE ingestion_inboundevent e SET outcome = f.outcome, attempts = 1,"
        " handled_at = f.handled_at, purchase_id = f.purchase_id"
        " FROM floor_events f WHERE f.id = e.id AND f.batch = %s",
        [batch],
    )


def empty(*, staged: bool = False) -> None:
    """Take back what settling wrote; the inbox waits again."""
    with world.connect() as connection:
        # As a replica would: no trigger guards the history, no foreign key asks.
        connection.execute("SET session_replication_role = replica")
        connection.execute(
            "UPDATE ingestion_inboundevent SET outcome = '', handled_at = NULL,"
            " purchase_id = NULL, attempts = 0, claimed_by = '', claimed_until = NULL"
        )
        for table in (*WRITTEN, "rewards_account"):
            connection.execute(f"DELETE FROM {table}")
        if staged:
            connection.execute(
                "INSERT INTO rewards_account SELECT * FROM floor_accounts"
                " WHERE member_id IS NULL"
            )
        else:
            for table in (*WRITTEN, "of", "events", "balances", "accounts"):
                connection.execute(f"DROP TABLE IF EXISTS floor_{table}")
        for table in (*WRITTEN, "rewards_account", "ingestion_inboundevent"):
            connection.execute(f"VACUUM FULL {table}")
        connection.execute("ANALYZE")
        connection.execute("CHECKPOINT")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
