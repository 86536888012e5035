"""Delivers webhooks: signed, in order per transaction, again until acknowledged.

Times below are of Button's clock; ``hour`` says how many real seconds its hour takes.
"""

import http.client
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from secrets import token_hex
from threading import Condition, Thread, local
from typing import Any
from urllib.parse import urlsplit

from ingestion.button.sandbox.faults import Faults
from ingestion.button.sandbox.state import State
from ingestion.button.sandbox.wire import to_ms
from ingestion.button.signature import sign

HOUR = 3600
FIRST_RETRY = 10  # seconds; each further pause is twice as long, for an hour
GIVE_UP = 72 * HOUR
MOST_FAILED = 5
PATIENCE = 10  # real seconds for the receiver's answer

DUE = """
SELECT * FROM deliveries d
WHERE open AND NOT sending AND due <= ?
  AND NOT EXISTS (SELECT 1 FROM deliveries e WHERE e.open AND NOT e.loose
    AND e.transaction_id = d.transaction_id AND e.seq < d.seq)
  AND NOT EXISTS (SELECT 1 FROM holds h
    WHERE h.key = d.key AND (h.until IS NULL OR h.until > ?))
ORDER BY due, seq LIMIT ?
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the receiver said; status None is no answer at all."""

    status: int | None
    note: str = ""

    @property
    def outcome(self) -> str:
        """Empty where it will be sent again."""
        if self.status in {200, 204}:
            return "delivered"
        if self.status == 202:
            return "accepted, not processed"
        return "dropped: 400" if self.status == 400 else ""

    @property
    def failed(self) -> bool:
        return self.status not in {200, 202, 204}


class Webhooks:
    """The queue of deliveries, and the threads that empty it."""

    def __init__(
        self,
        state: State,
        faults: Faults,
        *,
        receiver: str | None,
        secret: str,
        hour: float = HOUR,
        threads: int = 4,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.state, self.faults = state, faults
        self.receiver, self.secret = receiver, secret
        self.hour, self.threads, self.clock = hour, threads, clock
        self._wake = Condition()
        self._woken = self._stopping = False
        self._in_flight = 0
        self._local = local()
        self._thread: Thread | None = None
        self._pool: ThreadPoolExecutor | None = None

    # The queue

    def put(
        self, db: sqlite3.Connection, *, key: str, id: str, event: str, data: str
    ) -> None:
        """Queue one event, within a change of the state."""
        dropped = self.faults.strikes("dropped")
        loose = not dropped and self.faults.strikes("reordered")
        now = to_ms(self.clock())
        late = int(self.faults.seconds("reordered") * 1000) if loose else 0
        db.execute(
            "INSERT INTO deliveries (hook, transaction_id, key, event, data, created,"
            " open, loose, due, outcome) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(f"hook-{token_hex(8)}", id, key, event, data, now),
                *(not dropped, loose, now + late),
                "never sent: a switch" if dropped else "waiting",
            ),
        )

    def ping(self) -> None:
        """A test delivery, as the dashboard's button sends."""
        with self.state.change() as db:
            key = f"ping-{token_hex(8)}"
            self.put(db, key=key, id=key, event="ping", data="{}")
        self.wake()

    def replay(self, key: str) -> int:
        """Send an order's newest event once more, under its own id; how many went."""
        with self.state.change() as db:
            found = db.execute(
                "INSERT INTO deliveries (hook, transaction_id, key, event, data,"
                " created, open, due, outcome) SELECT hook, transaction_id, key, event,"
                " data, ?, 1, ?, 'waiting' FROM deliveries WHERE seq ="
                " (SELECT max(seq) FROM deliveries WHERE key = ?)",
                (now := to_ms(self.clock()), now, key),
            )
        self.wake()
        return found.rowcount

    def hold(self, key: str, *, seconds: float | None = None) -> None:
        """Hold an order's webhooks, until released or for so many real seconds."""
        now = to_ms(self.clock())
        until = None if seconds is None else now + int(seconds * 1000)
        with self.state.change() as db:
            db.execute("INSERT OR REPLACE INTO holds VALUES (?, ?)", (key, until))

    def release(self, key: str) -> None:
        with self.state.change() as db:
            db.execute("DELETE FROM holds WHERE key = ?", (key,))
        self.wake()

    def held(self) -> set[str]:
        """Keys of orders whose webhooks are held."""
        now = to_ms(self.clock())
        rows = self.state.rows(
            "SELECT key FROM holds WHERE until IS NULL OR until > ?", now
        )
        return {row["key"] for row in rows}

    @property
    def paused(self) -> str:
        """Why nothing is delivered; empty where it is."""
        return self.state.note("paused")

    def pause(self, reason: str = "Paused by hand.") -> None:
        self.state.put_note("paused", reason)

    def resume(self) -> None:
        """Deliver the backlog at once; its failures so far no longer count."""
        with self.state.change() as db:
            self.state.put_note("paused", "")
            db.execute(
                "UPDATE deliveries SET due = ?, tries = 0, first = NULL, failed = 0"
                " WHERE open",
                (to_ms(self.clock()),),
            )
        self.wake()

    def waiting(self) -> int:
        """How many are not yet acknowledged."""
        found = self.state.rows("SELECT count(*) AS n FROM deliveries WHERE open")
        return int(found[0]["n"])

    def newest(
        self, *, most: int, key: str = "", offset: int = 0
    ) -> list[dict[str, Any]]:
        """The newest deliveries first, of one order or of all."""
        rows = self.state.rows(
            f"SELECT seq, hook, transaction_id, key, event, created, outcome, attempts,"
            f" status, note FROM deliveries {'WHERE key = ?' if key else ''}"
            " ORDER BY seq DESC LIMIT ? OFFSET ?",
            *([key] if key else []),
            *(most, offset),
        )
        return [dict(row) for row in rows]

    def attempts(self, delivery: int) -> list[dict[str, Any]]:
        """What was tried of one delivery, oldest first."""
        rows = self.state.rows(
            "SELECT request_id, at, status, note FROM attempts WHERE delivery = ?"
            " ORDER BY seq",
            delivery,
        )
        return [dict(row) for row in rows]

    # The threads

    def start(self) -> None:
        self._stopping = False
        self._pool = ThreadPoolExecutor(self.threads, "sandbox-webhook")
        self._thread = Thread(target=self._run, name="sandbox-webhooks", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping = True
        self.wake()
        if self._thread and self._pool:
            self._thread.join()
            self._pool.shutdown(wait=True)

    def wake(self) -> None:
        with self._wake:
            self._woken = True
            self._wake.notify_all()

    def _run(self) -> None:
        while not self._stopping:
            with self._wake:
                self._woken = False
            for delivery in self._claim():
                assert self._pool
                self._pool.submit(self._deliver, delivery)
            pause = self._pause()
            with self._wake:  # nothing that takes the state's lock may happen in here
                if not self._woken:
                    self._wake.wait(pause)

    def _claim(self) -> list[sqlite3.Row]:
        free = 2 * self.threads - self._in_flight
        if self.receiver is None or self.paused or free <= 0:
            return []
        now = to_ms(self.clock())
        with self.state.change() as db:
            found = db.execute(DUE, (now, now, free)).fetchall()
            db.executemany(
                "UPDATE deliveries SET sending = 1 WHERE seq = ?",
                [(row["seq"],) for row in found],
            )
        with self._wake:
            self._in_flight += len(found)
        return found

    def _pause(self) -> float:
        """Real seconds until something may be due. What is done wakes us anyway."""
        found = self.state.row(
            "SELECT min(due) AS due FROM deliveries WHERE open AND NOT sending"
            " AND due > ?",
            now := to_ms(self.clock()),
        )
        left = (found["due"] - now) / 1000 if found and found["due"] else 0.5
        return min(0.5, max(0.005, left))

    def _deliver(self, delivery: sqlite3.Row) -> None:
        try:
            request_id = f"attempt-{token_hex(8)}"
            answer = self._post(_body(delivery, request_id=request_id))
            self._record(delivery, request_id, answer)
        finally:
            with self._wake:
                self._in_flight -= 1
            self.wake()

    def _post(self, body: bytes) -> Answer:
        wrong = self.faults.strikes("wrong_signature")
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "Button Webhooks 1.0 (sandbox)",
            "X-Button-Signature": sign(body, secret=f"{'not ' * wrong}{self.secret}"),
        }
        try:
            return self._exchange(body, headers)
        except (OSError, http.client.HTTPException) as error:
            self._hang_up()
            return Answer(None, f"{type(error).__name__}: {error}")

    def _exchange(self, body: bytes, headers: dict[str, str]) -> Answer:
        """One request on this thread's connection; anew where it had gone stale."""
        parts = urlsplit(self.receiver or "")
        path = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
        connection, fresh = self._connection(parts.hostname or "", parts.port or 80)
        try:
            connection.request("POST", path, body, headers)
            reply = connection.getresponse()
        except (ConnectionError, http.client.BadStatusLine):
            self._hang_up()
            if fresh:
                raise
            return self._exchange(body, headers)
        note = reply.read(2000).decode("utf-8", "replace").strip()
        if not reply.isclosed():
            self._hang_up()
        return Answer(reply.status, note[:200])

    def _connection(
        self, host: str, port: int
    ) -> tuple[http.client.HTTPConnection, bool]:
        held = getattr(self._local, "connection", None)
        if held and (held.host, held.port) == (host, port):
            return held, held.sock is None
        self._hang_up()
        self._local.connection = http.client.HTTPConnection(
            host, port, timeout=PATIENCE
        )
        return self._local.connection, True

    def _hang_up(self) -> None:
        if held := getattr(self._local, "connection", None):
            held.close()

    # What became of an attempt

    def _record(self, delivery: sqlite3.Row, request_id: str, answer: Answer) -> None:
        now = to_ms(self.clock())
        outcome = answer.outcome
        if outcome == "delivered" and self._again(delivery):
            outcome = "waiting"
            due, is_open = now, True
        else:
            due, is_open = (
                self._next(delivery, now=now) if not outcome else (now, False)
            )
            outcome = outcome or ("waiting" if is_open else "given up after 3 days")
        with self.state.change() as db:
            db.execute(
                "INSERT INTO attempts (delivery, request_id, at, status, note)"
                " VALUES (?, ?, ?, ?, ?)",
                (delivery["seq"], request_id, now, answer.status, answer.note),
            )
            db.execute(
                "UPDATE deliveries SET sending = 0, open = ?, due = ?, outcome = ?,"
                " attempts = attempts + 1, tries = tries + 1,"
                " first = coalesce(first, ?), failed = ?, status = ?, note = ?"
                " WHERE seq = ?",
                (
                    *(is_open, due, outcome, now, answer.failed),
                    *(answer.status, answer.note, delivery["seq"]),
                ),
            )
            if answer.failed:
                self._pause_if_failing(db, now=now)

    def _again(self, delivery: sqlite3.Row) -> bool:
        """Whether an acknowledged event is sent a second time, by a switch."""
        return delivery["status"] != 200 and self.faults.strikes("duplicated")

    def _next(self, delivery: sqlite3.Row, *, now: int) -> tuple[int, bool]:
        """When to try again, and whether at all."""
        scale = self.hour / HOUR * 1000  # milliseconds of ours in a second of theirs
        since = (now - (delivery["first"] or now)) / scale
        if since >= GIVE_UP:
            return now, False
        pause = FIRST_RETRY * 2 ** min(delivery["tries"], 20)
        if since + pause > HOUR:
            pause = HOUR
        return now + max(1, int(pause * scale)), True

    def _pause_if_failing(self, db: sqlite3.Connection, *, now: int) -> None:
        """More than a tenth, and at least five, of the last hour's failed."""
        row = db.execute(
            "SELECT count(*) AS tried, coalesce(sum(failed), 0) AS failed"
            " FROM deliveries WHERE created > ? AND attempts > 0",
            (now - int(self.hour * 1000),),
        ).fetchone()
        tried, failed = row["tried"], row["failed"]
        if failed >= MOST_FAILED and failed * 10 > tried and not self.paused:
            self.pause(f"Paused: {failed} of the last hour's {tried} failed.")


def _body(delivery: sqlite3.Row, *, request_id: str) -> bytes:
    return (
        f'{{"id":"{delivery["hook"]}","request_id":"{request_id}",'
        f'"event_type":"{delivery["event"]}","data":{delivery["data"]}}}'
    ).encode()
