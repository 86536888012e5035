"""Seeded corruptions of copies of a database, each of which must be found and named.

`make corruptions`. A history of everything is written to a SQLite file. Then, on a
fresh copy each time, with the triggers away for that moment and no constraint asked,
one row is changed, deleted or put twice. The checks are asked in turn, and the table
at the end says which of them found it first.
"""

import argparse
import os
import shutil
import sqlite3
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import cycle, islice
from pathlib import Path
from random import Random
from typing import Any

NUMBER, SHORT, SEED = 200, 10, 5
STEPS, SHORT_STEPS = 150, 60

# Table, and its columns that no sum, state or proof depends on: words for people, who
# did something, and how far a job has come.
FREE: dict[str, tuple[str, ...]] = {
    "rewards_transfer": (),
    "rewards_account": ("twice",),  # the database itself refuses it
    "rewards_lot": ("warned_at",),
    "rewards_draw": (),
    "rewards_award": (),
    "rewards_settlement": (),
    "rewards_purchase": (),
    "rewards_report": ("source", "received_at"),  # their events say the same
    "rewards_budget": (),
    "rewards_decision": ("reason", "decided_by_id"),
    "rewards_redemption": (
        *("public_id", "why", "key", "request_digest", "reference", "payout"),
        *("payout_hint", "revealed_at", "approved_by_id", "approved_at"),
    ),
    "rewards_redemptionstep": ("reason", "taken_by_id"),
    "rewards_adjustment": (
        *("reason", "note", "member_note", "failure", "why_ended", "key"),
        *("asked_by_id", "asked_at", "approved_by_id", "approved_at", "ended_by_id"),
        *("needs_approval", "bulk_id", "line"),
    ),
    "rewards_edition": ("note", "published_by_id", "backtest_id", "approval_id"),
}
# Columns of the same meaning as another, or of no meaning by themselves.
FREE_EVERYWHERE = ("id",)
OWNERS = {
    "rewards_transfer": "SELECT x.purchase_id, COALESCE(f.member_id, g.member_id)"
    " FROM rewards_transfer x JOIN rewards_account f ON f.id = x.from_account_id"
    " JOIN rewards_account g ON g.id = x.to_account_id",
    "rewards_account": "SELECT NULL, x.member_id FROM rewards_account x",
    "rewards_lot": "SELECT NULL, a.member_id FROM rewards_lot x"
    " JOIN rewards_account a ON a.id = x.account_id",
    "rewards_draw": "SELECT NULL, a.member_id FROM rewards_draw x"
    " JOIN rewards_lot l ON l.id = x.lot_id"
    " JOIN rewards_account a ON a.id = l.account_id",
    "rewards_award": "SELECT s.purchase_id, NULL FROM rewards_award x"
    " JOIN rewards_settlement s ON s.id = x.settlement_id",
    "rewards_settlement": "SELECT x.purchase_id, NULL FROM rewards_settlement x",
    "rewards_purchase": "SELECT x.id, NULL FROM rewards_purchase x",
    "rewards_report": "SELECT x.purchase_id, NULL FROM rewards_report x",
    "rewards_budget": "SELECT NULL, NULL FROM rewards_budget x",
    "rewards_decision": "SELECT x.purchase_id, NULL FROM rewards_decision x",
    "rewards_redemption": "SELECT NULL, x.member_id FROM rewards_redemption x",
    "rewards_redemptionstep": "SELECT NULL, r.member_id FROM rewards_redemptionstep x"
    " JOIN rewards_redemption r ON r.id = x.redemption_id",
    "rewards_adjustment": "SELECT NULL, x.member_id FROM rewards_adjustment x",
    "rewards_edition": "SELECT NULL, NULL FROM rewards_edition x",
}
_TIMES = ("_at", "_until", "_from")
CHOICES = ("pending", "validated", "declined", "available", "issued", "purchase")


@dataclass(frozen=True)
class Corruption:
    """One row of one table: which column changes, or "deleted" or "twice"."""

    table: str
    what: str
    row: int
    purchase_id: int | None
    member_id: int | None
    copy: int = 0  # the id of a row that is there twice

    def __str__(self) -> str:
        return f"{self.table} #{self.row} {self.what}"


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="ten only")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--number", type=int, help="so many instead")
    options = parser.parse_args(arguments)
    number = options.number or (SHORT if options.short else NUMBER)
    with tempfile.TemporaryDirectory() as folder:
        set_up(folder)
        original = build(options.seed, SHORT_STEPS if options.short else STEPS)
        missed = try_all(original, Path(folder), number, Random(options.seed))
    return int(bool(missed))


def set_up(folder: str) -> None:
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "loyalty_site.settings",
        "ENV_FILE": os.devnull,
        "DATA_DIR": folder,
        "DATABASE_URL": "",
        "DEBUG": "true",
        "SECRET_KEY": "corruptions-" + "x" * 50,
        "BUTTON_WEBHOOK_SECRETS": "corruptions",
    }
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)


def build(seed: int, steps: int) -> Path:
    """Write a history of everything; the database's file."""
    import logging

    from django.db import connection

    from tests.ingestion.storms import Storm

    logging.disable(logging.CRITICAL)
    storm = Storm(seed)
    storm.blow(steps)
    storm.erase_one()
    storm.blow(steps // 6)
    storm.rolled_back.__exit__(None, None, None)  # kept, where tests take it back
    connection.close()
    path = Path(connection.settings_dict["NAME"])
    with sqlite3.connect(path) as raw:
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


def try_all(original: Path, folder: Path, number: int, chance: Random) -> int:
    """Try so many corruptions; how many nothing found."""
    assert not list(found_in(original)), "the history itself is broken"
    finders: Counter[tuple[str, str]] = Counter()
    missed = 0
    for corruption in islice(chosen(original, chance), number):
        copy = folder / "copy.sqlite3"
        shutil.copy(original, copy)
        corrupt(copy, corruption, chance)
        finder = next((name for name, names in found_in(copy) if names(corruption)), "")
        finders[corruption.table, finder or "NOT FOUND"] += 1
        if not finder:
            missed += 1
            print(f"not found: {corruption}", flush=True)
    for (table, finder), times in sorted(finders.items()):
        print(f"{times:5}  {table:26} {finder}")
    print(f"{number - missed} of {number} corruptions were found and named")
    return missed


def chosen(path: Path, chance: Random) -> Iterator[Corruption]:
    """Every column of every table in turn, each time in another row."""
    with sqlite3.connect(path) as raw:
        kinds = []
        for table, free in FREE.items():
            rows = raw.execute(f"PRAGMA table_info({table})").fetchall()
            names = [row[1] for row in rows]
            kinds += [
                (table, name)
                for name in (*names, "deleted", "twice")
                if name not in (*free, *FREE_EVERYWHERE)
            ]
        chance.shuffle(kinds)
        for table, what in cycle(kinds):
            ids = [id for (id,) in raw.execute(f"SELECT id FROM {table}")]
            if ids:
                row = chance.choice(ids)
                owner = raw.execute(f"{OWNERS[table]} WHERE x.id = ?", [row])
                copy = max(ids) + 1 if what == "twice" else 0
                purchase_id, member_id = owner.fetchone()
                yield Corruption(table, what, row, purchase_id, member_id, copy)


def corrupt(path: Path, corruption: Corruption, chance: Random) -> None:
    """Do it past triggers and constraints; the triggers are there again afterwards."""
    table, what, id = corruption.table, corruption.what, corruption.row
    raw = sqlite3.connect(path, isolation_level=None)
    raw.execute("PRAGMA ignore_check_constraints = 1")
    triggers = raw.execute(
        "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ?",
        [table],
    ).fetchall()
    for name, _ in triggers:
        raw.execute(f"DROP TRIGGER {name}")
    if what == "deleted":
        raw.execute(f"DELETE FROM {table} WHERE id = ?", [id])
    elif what == "twice":
        put_twice(raw, table, id)
    else:
        (value,) = raw.execute(
            f"SELECT {what} FROM {table} WHERE id = ?", [id]
        ).fetchone()
        change(raw, table, what, id, value, chance)
    for _, sql in triggers:
        raw.execute(sql)
    raw.close()


def put_twice(raw: sqlite3.Connection, table: str, id: int) -> None:
    """The same row again, under a free id and what else has to be unique."""
    names = [row[1] for row in raw.execute(f"PRAGMA table_info({table})")]
    own = {
        "id": f"(SELECT MAX(id) + 1 FROM {table})",
        "reference": "reference || '9'",
        "digest": "randomblob(16)",
        "order_key": "order_key || '-2'",
        "public_id": "public_id || '-2'",
        "key": "NULL" if table == "rewards_adjustment" else "key || '-2'",
        "number": "number + 1000",
        "kind": "'debt'" if table == "rewards_account" else "kind",
        "rule": "rule || '-2'" if table == "rewards_budget" else "rule",
        "lot_id": "(SELECT MAX(id) FROM rewards_lot)"
        if table == "rewards_draw"
        else "lot_id",
    }
    values = ", ".join(own.get(name, name) for name in names)
    raw.execute(
        f"INSERT INTO {table} ({', '.join(names)}) SELECT {values} FROM {table}"
        " WHERE id = ?",
        [id],
    )


def change(
    raw: sqlite3.Connection,
    table: str,
    column: str,
    id: int,
    value: Any,
    chance: Random,
) -> None:
    """Another value that could stand there, or the nearest that the table takes."""
    for new in others(value, column, chance):
        try:
            raw.execute(f"UPDATE {table} SET {column} = ? WHERE id = ?", [new, id])
        except sqlite3.IntegrityError:
            continue
        return
    raise AssertionError(f"{table}.{column} takes no other value than {value!r}")


def others(value: Any, column: str, chance: Random) -> Iterator[Any]:
    if isinstance(value, bytes):
        yield bytes([value[0] ^ 1]) + value[1:]
    elif isinstance(value, int):
        yield from (1 - value,) if value in (0, 1) and "id" not in column else ()
        yield from (value + n for n in (1, -1, *range(2, 60)))
    elif value is None:
        at = datetime.now(UTC) - timedelta(days=3)
        yield (
            at.strftime("%Y-%m-%d %H:%M:%S")
            if column.endswith(("_at", "_until", "_from"))
            else 1
        )
    elif column.endswith(_TIMES):
        at = datetime.fromisoformat(value) + timedelta(days=chance.choice([-2, 1]))
        yield at.strftime("%Y-%m-%d %H:%M:%S")
    elif value[:1] in "{[":
        yield (
            value.replace('"1"', '"3"', 1) if '"1"' in value else '{"segments": ["x"]}'
        )
    else:
        yield from (choice for choice in CHOICES if choice != value)
        yield f"{value}x"


def found_in(path: Path) -> Iterator[tuple[str, Any]]:
    """What finds something in this file, and whether it names a corruption."""
    from django.db import connection

    from rewards.program.editions import compiled

    connection.close()
    connection.settings_dict["NAME"] = str(path)
    compiled.cache_clear()
    try:
        yield from verified()
        yield from reproduced()
        yield from replayed()
    except Exception as error:
        # What can't even be read is found, and the row is where reading stops.
        said = f"{type(error).__name__}: {error}"
        yield f"can't be read: {said[:60]}", lambda corruption: True
    finally:
        connection.close()


def verified() -> Iterator[tuple[str, Any]]:
    from ingestion.verification import checks

    for check in checks(at=datetime.now(UTC)):
        if check.violations:
            yield f"verify_ledger: {check.name}", _names(check)


def reproduced() -> Iterator[tuple[str, Any]]:
    from rewards.program.reproduction import differences, settled_purchases

    differing = {found.purchase.pk for found in differences(settled_purchases())}
    if differing:
        # Of an edition, whoever was rewarded by it.
        yield (
            "verify_receipts",
            lambda c: c.purchase_id in differing or c.table == "rewards_edition",
        )


def replayed() -> Iterator[tuple[str, Any]]:
    from ingestion.replaying import replay

    found = replay()
    if found.differences:
        yield "replay", _names(found.check, [str(d) for d in found.differences])


def _names(check: Any, lines: Sequence[str] = ()) -> Any:
    """Whether a check names the row, its purchase or its member."""

    def names(corruption: Corruption) -> bool:
        told = (*check.examples, *lines)
        rows = {f"#{corruption.row}", f"#{corruption.copy}"}
        return bool(
            {corruption.purchase_id, corruption.copy} & check.purchases
            or corruption.member_id in check.members
            or any(line.partition(" ")[0] in rows for line in told)
            or (bool(lines) and not (corruption.purchase_id or corruption.member_id))
        )

    return names


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
