"""Pages of transactions, by an opaque cursor that is a position on an index."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from time import time
from typing import Any

from ingestion.button.sandbox.faults import Faults
from ingestion.button.sandbox.state import State
from ingestion.button.sandbox.wire import to_ms

PAGE_SIZE, MOST = 50, 1000
FIELDS = {
    "created_date": "created",
    "modified_date": "modified",
    "attribution_date": "attributed",
}
FILTERS = ("start", "end", "time_field", "page_size", "country")
EARLIEST, LATEST = -(10**15), 10**15


class BadQuery(ValueError):
    """A parameter makes no sense; the message says which."""


@dataclass(frozen=True, slots=True)
class Page:
    """API rows as JSON, and cursors; empty where there is nothing further."""

    rows: list[str]
    next: str
    previous: str
    before: str  # leads to this very page


@dataclass(frozen=True, slots=True)
class Query:
    """What was asked for, from parameters and from what the cursor remembers."""

    field: str
    start: int
    end: int
    size: int
    country: str
    filters: Mapping[str, str]


class Pager:
    """Reads pages; ``cursor_life`` is in seconds, None for ever."""

    def __init__(
        self, state: State, faults: Faults, *, cursor_life: float | None = None
    ) -> None:
        self.state, self.faults, self.cursor_life = state, faults, cursor_life

    def page(self, given: Mapping[str, str], *, account: str = "") -> Page:
        """One page, oldest first. Raises BadQuery."""
        cursor = self._read(given.get("cursor", ""))
        query = _query({**cursor.get("f", {}), **given})
        back = bool(cursor.get("b"))
        position = cursor.get("p", [EARLIEST, -1])
        rows = self._rows(query, position, account=account, back=back)
        more, rows = len(rows) > query.size, rows[: query.size]
        if back:
            rows.reverse()
        return self._page(query, rows, position, more=more, back=back)

    def _page(
        self, query: Query, rows: list[Any], position: Any, *, more: bool, back: bool
    ) -> Page:
        if not rows:
            return Page([], "", "", "")
        first, last = ([row["at"], row["seq"]] for row in (rows[0], rows[-1]))
        ahead = more or back
        behind = more if back else position[1] >= 0
        return Page(
            [row["row"] for row in rows],
            self._write(query, last) if ahead else "",
            self._write(query, first, back=True) if behind else "",
            self._write(query, [first[0], first[1] - 1]),
        )

    def _rows(
        self, query: Query, position: list[int], *, account: str, back: bool
    ) -> list[Any]:
        field, order = query.field, "DESC" if back else "ASC"
        conditions = [f"({field}, seq) {'<' if back else '>'} (?, ?)"]
        conditions += [f"{field} >= ?", f"{field} < ?"]
        values: list[object] = [*position, query.start, query.end]
        if account:
            conditions.append("account = ?")
            values.append(account)
        if query.country:
            conditions.append("country = ? COLLATE NOCASE")
            values.append(query.country)
        return self.state.rows(
            f"SELECT row, {field} AS at, seq FROM transactions"
            f" WHERE {' AND '.join(conditions)}"
            f" ORDER BY {field} {order}, seq {order} LIMIT ?",
            *values,
            query.size + 1,
        )

    def _read(self, cursor: str) -> dict[str, Any]:
        if not cursor:
            return {}
        try:
            padded = cursor + "=" * (-len(cursor) % 4)
            read = json.loads(base64.urlsafe_b64decode(padded.encode()))
            position, made = read["p"], read["m"]
            assert all(isinstance(n, int) for n in [*position, made])
        except (ValueError, KeyError, TypeError, AssertionError):
            raise BadQuery("The cursor is not one of ours.") from None
        old = self.cursor_life is not None and time() - made > self.cursor_life
        if old or self.faults.strikes("expired"):
            raise BadQuery("The cursor has expired.")
        return dict(read)

    def _write(self, query: Query, position: list[int], *, back: bool = False) -> str:
        content = {"p": position, "f": query.filters, "m": int(time())}
        if back:
            content["b"] = 1
        text = json.dumps(content, separators=(",", ":"))
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _query(given: Mapping[str, str]) -> Query:
    filters = {name: given[name] for name in FILTERS if given.get(name)}
    field = filters.get("time_field", "created_date")
    if field not in FIELDS:
        raise BadQuery(f"time_field: write one of {', '.join(FIELDS)}.")
    size = filters.get("page_size", str(PAGE_SIZE))
    if not (size.isascii() and size.isdigit() and int(size) >= 1):
        raise BadQuery("page_size: write a number, 1 or more.")
    return Query(
        FIELDS[field],
        _instant("start", filters, default=EARLIEST),
        _instant("end", filters, default=LATEST),
        min(int(size), MOST),
        filters.get("country", ""),
        filters,
    )


def _instant(name: str, filters: Mapping[str, str], *, default: int) -> int:
    if name not in filters:
        return default
    try:
        at = datetime.fromisoformat(filters[name])
    except ValueError:
        raise BadQuery(f"{name}: write a time such as 2031-03-04T00:00:00Z.") from None
    return to_ms(at if at.tzinfo else at.replace(tzinfo=UTC))
