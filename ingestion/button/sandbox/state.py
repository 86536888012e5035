"""The sandbox's own database: transactions, deliveries, switches. SQLite, one file.

Instants are integers here, milliseconds since 1970, so that paging walks an index.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import RLock

from ingestion.button.sandbox.orders import Transaction, Truth
from ingestion.button.sandbox.wire import from_ms, to_ms, transaction_of

TABLES = """
CREATE TABLE IF NOT EXISTS transactions (
  seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, order_id TEXT NOT NULL,
  account TEXT NOT NULL, currency TEXT NOT NULL, store TEXT NOT NULL, customer TEXT,
  category TEXT NOT NULL, status TEXT NOT NULL, country TEXT NOT NULL,
  order_total INTEGER NOT NULL, commission INTEGER NOT NULL,
  created INTEGER NOT NULL, modified INTEGER NOT NULL, attributed INTEGER NOT NULL,
  final INTEGER, order_number TEXT, row TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS deliveries (
  seq INTEGER PRIMARY KEY, hook TEXT NOT NULL, transaction_id TEXT NOT NULL,
  key TEXT NOT NULL, event TEXT NOT NULL, data TEXT NOT NULL, created INTEGER NOT NULL,
  open INTEGER NOT NULL, sending INTEGER NOT NULL DEFAULT 0,
  loose INTEGER NOT NULL DEFAULT 0, due INTEGER NOT NULL, outcome TEXT NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0, tries INTEGER NOT NULL DEFAULT 0,
  first INTEGER, failed INTEGER NOT NULL DEFAULT 0, status INTEGER, note TEXT);
CREATE TABLE IF NOT EXISTS attempts (
  seq INTEGER PRIMARY KEY, delivery INTEGER NOT NULL, request_id TEXT NOT NULL,
  at INTEGER NOT NULL, status INTEGER, note TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS holds (key TEXT PRIMARY KEY, until INTEGER);
CREATE TABLE IF NOT EXISTS notes (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS deliveries_key ON deliveries (key, seq);
CREATE INDEX IF NOT EXISTS deliveries_created ON deliveries (created);
CREATE INDEX IF NOT EXISTS deliveries_open ON deliveries (transaction_id, seq)
  WHERE open;
CREATE INDEX IF NOT EXISTS deliveries_due ON deliveries (due)
  WHERE open AND NOT sending;
CREATE INDEX IF NOT EXISTS attempts_delivery ON attempts (delivery);
"""
INDEXES = {
    "transactions_order": "(order_id, seq) WHERE order_id <> ''",
    "transactions_final": "(final) WHERE final IS NOT NULL",
    **{
        f"transactions_{field}": f"({field}, seq)"
        for field in ("created", "modified", "attributed")
    },
    **{
        f"transactions_account_{field}": f"(account, {field}, seq)"
        for field in ("created", "modified", "attributed")
    },
}
COLUMNS = (
    *("id", "order_id", "account", "currency", "store", "customer", "category"),
    *("status", "country", "order_total", "commission"),
    *("created", "modified", "attributed", "final", "order_number", "row"),
)
READ = "row, created, modified, attributed, order_number"
INSERT = (
    f"INSERT INTO transactions ({', '.join(COLUMNS)})"
    f" VALUES ({', '.join('?' * len(COLUMNS))})"
)
UPDATE = (
    f"UPDATE transactions SET {', '.join(f'{c} = ?' for c in COLUMNS)} WHERE id = ?"
)


@dataclass(frozen=True, slots=True)
class Stored:
    """A transaction beside its API row, and when it becomes final by itself."""

    transaction: Transaction
    row: str
    final: int | None = None

    def values(self) -> tuple[object, ...]:
        t = self.transaction
        return (
            *(t.id, t.order_id, t.account, t.currency, t.store, t.customer, t.category),
            *(t.status, t.country, t.order_total, t.commission),
            *(to_ms(t.created_at), to_ms(t.modified_at), to_ms(t.purchased_at)),
            *(self.final, t.order_number, self.row),
        )


class State:
    """One connection for all threads, one change at a time."""

    def __init__(self, path: Path | str = ":memory:") -> None:
        self.lock = RLock()
        self.db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self.db.row_factory = sqlite3.Row
        self.db.execute("PRAGMA journal_mode = WAL")
        self.db.execute("PRAGMA synchronous = NORMAL")
        self.db.executescript(TABLES)
        self._index()
        # Whether the answer came is not known: at least once means again.
        self.db.execute("UPDATE deliveries SET sending = 0 WHERE sending")

    def close(self) -> None:
        with self.lock:
            self.db.close()

    @contextmanager
    def change(self) -> Iterator[sqlite3.Connection]:
        """A write that happens wholly or not at all; one within another joins it."""
        with self.lock:
            if self.db.in_transaction:
                yield self.db
                return
            self.db.execute("BEGIN IMMEDIATE")
            try:
                yield self.db
            except BaseException:
                self.db.execute("ROLLBACK")
                raise
            self.db.execute("COMMIT")

    def rows(self, sql: str, *values: object) -> list[sqlite3.Row]:
        with self.lock:
            return self.db.execute(sql, values).fetchall()

    def row(self, sql: str, *values: object) -> sqlite3.Row | None:
        return next(iter(self.rows(sql, *values)), None)

    def note(self, name: str) -> str:
        found = self.row("SELECT value FROM notes WHERE name = ?", name)
        return str(found["value"]) if found else ""

    def put_note(self, name: str, value: str) -> None:
        with self.change() as db:
            db.execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", (name, value))

    # Transactions

    def insert(self, stored: Iterable[Stored]) -> None:
        with self.change() as db:
            db.executemany(INSERT, (one.values() for one in stored))

    def load(self, stored: Iterable[Stored]) -> None:
        """Insert very many at once: indexes are made afterwards."""
        with self.change() as db:
            for name in INDEXES:
                db.execute(f"DROP INDEX {name}")
            db.executemany(INSERT, (one.values() for one in stored))
            self._index()

    def update(self, transaction_id: str, stored: Stored) -> None:
        with self.change() as db:
            db.execute(UPDATE, (*stored.values(), transaction_id))

    def find(self, reference: str, *, account: str = "") -> Transaction | None:
        """By transaction id, or the first of an order's."""
        found = self.row(
            f"SELECT {READ} FROM transactions WHERE id = ? OR (order_id = ?"
            " AND order_id <> '' AND account = coalesce(?, account))"
            " ORDER BY seq LIMIT 1",
            *(reference, reference, account or None),
        )
        return _read(found) if found else None

    def newest(self, *, most: int, offset: int = 0) -> list[Transaction]:
        rows = self.rows(
            f"SELECT {READ} FROM transactions ORDER BY seq DESC LIMIT ? OFFSET ?",
            *(most, offset),
        )
        return [_read(row) for row in rows]

    def count(self) -> int:
        return int(self.rows("SELECT count(*) AS n FROM transactions")[0]["n"])

    def accounts(self) -> list[str]:
        """Accounts that have transactions, in the order of their ids."""
        found: list[str] = []
        while row := self.row(
            "SELECT min(account) AS id FROM transactions WHERE account > ?",
            found[-1] if found else "",
        ):
            if row["id"] is None:
                break
            found.append(row["id"])
        return found

    def truth(self) -> Iterator[Truth]:
        rows = self.rows(
            "SELECT order_id, id AS transaction_id, account, customer, store, category,"
            " status, currency, order_total, commission, attributed"
            " FROM transactions ORDER BY seq"
        )
        for row in rows:
            facts = dict(row)
            yield Truth(purchased_at=from_ms(facts.pop("attributed")), **facts)

    def _index(self) -> None:
        for name, columns in INDEXES.items():
            self.db.execute(
                f"CREATE INDEX IF NOT EXISTS {name} ON transactions {columns}"
            )


def _read(found: sqlite3.Row) -> Transaction:
    return transaction_of(
        found["row"],
        created=found["created"],
        modified=found["modified"],
        purchased=found["attributed"],
        order_number=found["order_number"],
    )
