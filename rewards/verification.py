"""The ledger's invariants, each a query that must find nothing."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.db import connection

from rewards import appendonly


@dataclass(frozen=True, slots=True)
class Check:
    """One invariant, how many rows break it, and a few of them for whoever looks."""

    name: str
    violations: int
    examples: tuple[str, ...] = ()


_POSTED = """
    SELECT t.purchase_id, a.member_id, a.unit_id, a.kind, SUM(t.signed) AS amount
    FROM (
        SELECT purchase_id, to_account_id AS account_id, amount AS signed
        FROM rewards_transfer WHERE purchase_id IS NOT NULL
        UNION ALL
        SELECT purchase_id, from_account_id, -amount
        FROM rewards_transfer WHERE purchase_id IS NOT NULL
    ) t
    JOIN rewards_account a ON a.id = t.account_id AND a.member_id IS NOT NULL
    GROUP BY t.purchase_id, a.member_id, a.unit_id, a.kind
"""

_AWARDED = """
    SELECT p.id AS purchase_id, s.member_id, w.unit_id,
           CASE WHEN r.status = 'validated'
               AND (w.held_until IS NULL OR w.held_until <= s.settled_at)
               THEN 'available' ELSE 'pending' END AS kind,
           -w.granted AS amount
    FROM rewards_purchase p
    JOIN rewards_settlement s ON s.id = p.settlement_id
    JOIN rewards_report r ON r.id = s.report_id
    JOIN rewards_award w ON w.settlement_id = s.id
"""

QUERIES: dict[str, str] = {
    "every transfer has a positive amount": """
        SELECT id FROM rewards_transfer WHERE amount <= 0
    """,
    "every transfer joins two accounts of one unit": """
        SELECT t.id FROM rewards_transfer t
        JOIN rewards_account f ON f.id = t.from_account_id
        JOIN rewards_account g ON g.id = t.to_account_id
        WHERE f.id = g.id OR f.unit_id <> g.unit_id
    """,
    "every balance is the sum of its transfers": """
        SELECT a.id FROM rewards_account a
        LEFT JOIN (
            SELECT account_id, SUM(signed) AS total FROM (
                SELECT to_account_id AS account_id, amount AS signed
                FROM rewards_transfer
                UNION ALL
                SELECT from_account_id, -amount FROM rewards_transfer
            ) m GROUP BY account_id
        ) t ON t.account_id = a.id
        WHERE a.member_id IS NOT NULL AND a.balance <> COALESCE(t.total, 0)
    """,
    "no balance is negative, and none is available and in debt": """
        SELECT a.id FROM rewards_account a WHERE a.balance < 0
        UNION ALL
        SELECT a.id FROM rewards_account a
        JOIN rewards_account d ON d.member_id = a.member_id
            AND d.unit_id = a.unit_id AND d.kind = 'debt' AND d.balance > 0
        WHERE a.kind = 'available' AND a.balance > 0
    """,
    "what is posted for a purchase is what its current awards say": f"""
        SELECT DISTINCT purchase_id FROM (
            SELECT * FROM ({_POSTED}) x
            UNION ALL SELECT * FROM ({_AWARDED}) y
        ) z
        GROUP BY purchase_id, member_id, unit_id, kind HAVING SUM(amount) <> 0
    """,
    "no unit grants more than its rules wanted": """
        SELECT DISTINCT settlement_id FROM rewards_award
        GROUP BY settlement_id, unit_id HAVING SUM(granted) > SUM(wanted)
    """,
    "every budget is the sum of the awards that it paid": """
        SELECT b.id FROM rewards_budget b
        LEFT JOIN (
            SELECT w.rule, w.unit_id, SUM(w.granted) AS total
            FROM rewards_purchase p
            JOIN rewards_award w ON w.settlement_id = p.settlement_id
            GROUP BY w.rule, w.unit_id
        ) t ON t.rule = b.rule AND t.unit_id = b.unit_id
        WHERE b.used <> COALESCE(t.total, 0)
    """,
    "a final purchase never changed state": """
        SELECT s.purchase_id FROM rewards_settlement s
        JOIN rewards_report r ON r.id = s.report_id AND r.status <> 'pending'
        JOIN rewards_settlement l ON l.purchase_id = s.purchase_id AND l.id > s.id
        JOIN rewards_report q ON q.id = l.report_id AND (q.status <> r.status
            OR q.order_total <> r.order_total OR q.commission <> r.commission)
        WHERE NOT EXISTS (
            SELECT 1 FROM rewards_settlement d
            JOIN rewards_decision v ON v.id = d.decision_id
                AND v.kind IN ('resolve', 'undo_rerun')
            WHERE d.purchase_id = s.purchase_id AND d.id > s.id AND d.id <= l.id
        )
    """,
    "every purchase shows its last report": """
        SELECT p.id FROM rewards_purchase p
        LEFT JOIN rewards_report r ON r.id = p.report_id AND r.purchase_id = p.id
        WHERE r.id IS NULL OR r.status <> p.status
    """,
}


def checks() -> Iterator[Check]:
    """Check every invariant in turn."""
    for name, query in QUERIES.items():
        yield _check(name, query)
    bare = tuple(appendonly.missing())
    yield Check("history can't be rewritten", len(bare), bare)


def _check(name: str, query: str) -> Check:
    with connection.cursor() as cursor:
        cursor.execute(query)
        ids = [id for (id,) in cursor.fetchall()]
    return Check(name, len(ids), tuple(f"#{id}" for id in ids[:5]))
