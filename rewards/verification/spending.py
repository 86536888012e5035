"""Redemptions and adjustments: each moved exactly what it says, and once."""

from collections.abc import Iterator

from django.db.models import Sum

from rewards.models import Bulk
from rewards.verification.checking import Broken

QUERIES: dict[str, str] = {
    "what is reserved is what open redemptions hold": """
        SELECT a.id, a.member_id, NULL FROM rewards_account a
        LEFT JOIN (
            SELECT r.member_id, w.unit_id, SUM(r.amount) AS total
            FROM rewards_redemption r JOIN rewards_reward w ON w.id = r.reward_id
            WHERE r.status IN ('reserved', 'review')
            GROUP BY r.member_id, w.unit_id
        ) o ON o.member_id = a.member_id AND o.unit_id = a.unit_id
        WHERE a.kind = 'reserved' AND a.balance <> COALESCE(o.total, 0)
    """,
    "every redemption moved its amount as far as its status says": """
        SELECT r.id, r.member_id, NULL FROM rewards_redemption r
        LEFT JOIN rewards_reward w ON w.id = r.reward_id
        LEFT JOIN (
            SELECT t.redemption_id,
                SUM(CASE WHEN g.kind = 'reserved' THEN t.amount ELSE 0 END) AS taken,
                SUM(CASE WHEN g.kind = 'redeemed' THEN t.amount ELSE 0 END) AS spent,
                SUM(CASE WHEN f.kind = 'reserved'
                    AND g.kind IN ('available', 'written_off')
                    THEN t.amount ELSE 0 END) AS returned
            FROM rewards_transfer t
            JOIN rewards_account f ON f.id = t.from_account_id
            JOIN rewards_account g ON g.id = t.to_account_id
            WHERE t.redemption_id IS NOT NULL GROUP BY t.redemption_id
        ) m ON m.redemption_id = r.id
        WHERE w.id IS NULL OR COALESCE(m.taken, 0) <> r.amount
            OR m.spent <> CASE WHEN r.status = 'fulfilled' THEN r.amount ELSE 0 END
            OR m.returned <> CASE WHEN r.status = 'cancelled' THEN r.amount ELSE 0 END
    """,
    "every redemption stands as its last step says": """
        SELECT r.id, r.member_id, NULL FROM rewards_redemption r
        LEFT JOIN (
            SELECT redemption_id, MIN(id) AS first, MAX(id) AS last
            FROM rewards_redemptionstep GROUP BY redemption_id
        ) m ON m.redemption_id = r.id
        LEFT JOIN rewards_redemptionstep a ON a.id = m.first
        LEFT JOIN rewards_redemptionstep s ON s.id = m.last
        WHERE s.id IS NULL OR s.status <> r.status OR a.taken_at <> r.asked_at
            OR a.status <> CASE WHEN r.needs_approval THEN 'review' ELSE 'reserved' END
            OR (r.ended_at IS NULL AND r.status IN ('fulfilled', 'cancelled'))
            OR (r.ended_at IS NOT NULL AND NOT EXISTS (
                SELECT 1 FROM rewards_redemptionstep e WHERE e.redemption_id = r.id
                AND e.status = r.status AND e.taken_at = r.ended_at))
    """,
    "no redemption went on without the approval it needs": """
        SELECT id, member_id, NULL FROM rewards_redemption
        WHERE needs_approval AND approved_at IS NULL
            AND status IN ('reserved', 'fulfilled')
    """,
    "every redeemed gift code is one of its reward, and nobody else has it": """
        SELECT r.id, r.member_id, NULL FROM rewards_redemption r
        JOIN rewards_reward w ON w.id = r.reward_id
        LEFT JOIN rewards_giftcode c ON c.redemption_id = r.id
        WHERE (c.id IS NOT NULL AND (c.reward_id <> r.reward_id
                OR r.status = 'cancelled'))
            OR (c.id IS NULL AND w.kind = 'gift_code' AND r.status <> 'cancelled')
    """,
    "every adjustment moved its amount if it is posted, else nothing": """
        SELECT j.id, j.member_id, NULL FROM rewards_adjustment j
        LEFT JOIN (
            SELECT t.adjustment_id, COUNT(*) AS moves,
                SUM(CASE WHEN f.kind = 'adjusted' THEN t.amount
                    WHEN g.kind = 'adjusted' THEN -t.amount ELSE 0 END) AS given
            FROM rewards_transfer t
            JOIN rewards_account f ON f.id = t.from_account_id
            JOIN rewards_account g ON g.id = t.to_account_id
            WHERE t.adjustment_id IS NOT NULL GROUP BY t.adjustment_id
        ) m ON m.adjustment_id = j.id
        WHERE COALESCE(m.given, 0) <> CASE WHEN j.state = 'posted' THEN j.amount
                ELSE 0 END
            OR (j.state = 'undone' AND m.moves IS NULL)
            OR (j.state IN ('waiting', 'dropped', 'failed')
                AND m.moves IS NOT NULL)
    """,
    "every adjustment was posted when its transfer says": """
        SELECT j.id, j.member_id, NULL FROM rewards_adjustment j
        LEFT JOIN (
            SELECT adjustment_id, MIN(recorded_at) AS first, MAX(recorded_at) AS last
            FROM rewards_transfer WHERE adjustment_id IS NOT NULL
            GROUP BY adjustment_id
        ) m ON m.adjustment_id = j.id
        WHERE (j.posted_at IS NULL AND m.first IS NOT NULL)
            OR (j.posted_at IS NOT NULL AND (m.first IS NULL
                OR m.first <> j.posted_at))
            OR (j.state = 'undone' AND m.last <> j.ended_at)
    """,
    "every adjustment that needs approval has it from another": """
        SELECT j.id, j.member_id, NULL FROM rewards_adjustment j
        LEFT JOIN rewards_bulk b ON b.id = j.bulk_id
        WHERE j.approved_by_id = j.asked_by_id OR b.approved_by_id = b.asked_by_id
            OR (j.state IN ('posted', 'undone') AND j.needs_approval
                AND j.approved_by_id IS NULL AND b.approved_by_id IS NULL)
    """,
    "every bulk has the lines that it counted": """
        SELECT b.id, NULL, NULL FROM rewards_bulk b
        LEFT JOIN (
            SELECT bulk_id, COUNT(*) AS lines,
                SUM(CASE WHEN state = 'waiting' THEN 1 ELSE 0 END) AS waiting,
                SUM(CASE WHEN state = 'posted' THEN 1 ELSE 0 END) AS posted,
                SUM(CASE WHEN state = 'undone' THEN 1 ELSE 0 END) AS undone
            FROM rewards_adjustment WHERE bulk_id IS NOT NULL GROUP BY bulk_id
        ) m ON m.bulk_id = b.id
        WHERE COALESCE(m.lines, 0) <> CASE b.state WHEN 'refused' THEN 0
                ELSE b.lines END
            OR (b.state IN ('applied', 'undoing', 'undone') AND m.waiting > 0)
            OR (b.state = 'undone' AND m.posted > 0)
            OR (b.state IN ('checked', 'dropped') AND m.posted + m.undone > 0)
    """,
}


def missummed() -> Iterator[Broken]:
    """Bulks whose lines don't add up to what was approved."""
    good = Bulk.objects.exclude(state=Bulk.State.REFUSED).defer("faults")
    for bulk in good.iterator():
        rows = bulk.adjustments.order_by().values_list("unit__code")
        sums = dict(rows.annotate(Sum("amount")))
        if _totals(bulk.sums) != sums:
            yield Broken(bulk.pk)


def _totals(sums: dict[str, dict[str, list[int]]]) -> dict[str, int]:
    """Gains and losses together, by unit."""
    return {code: sum(much for _, much in of.values()) for code, of in sums.items()}
