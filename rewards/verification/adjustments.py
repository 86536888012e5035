"""Adjustments: each moved exactly what was asked for and approved, and once."""

from collections.abc import Iterator

from django.db.models import Sum

from rewards.models import Bulk
from rewards.verification.checking import Broken

QUERIES: dict[str, str] = {
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
    "every adjustment was approved exactly where it had to be, when it was posted": """
        SELECT j.id, j.member_id, NULL FROM rewards_adjustment j
        LEFT JOIN rewards_bulk b ON b.id = j.bulk_id
        WHERE (j.approved_at IS NULL) <> (j.approved_by_id IS NULL)
            OR (j.state IN ('waiting', 'dropped', 'failed')
                AND (NOT j.needs_approval OR j.approved_at IS NOT NULL))
            OR (j.state IN ('posted', 'undone') AND CASE
                WHEN j.bulk_id IS NOT NULL THEN NOT j.needs_approval
                    OR j.approved_at <> b.approved_at
                    OR j.approved_by_id <> b.approved_by_id
                WHEN j.needs_approval THEN j.approved_at <> j.posted_at
                    OR j.asked_at > j.approved_at
                ELSE j.approved_at IS NOT NULL OR j.asked_at <> j.posted_at END)
    """,
    "every adjustment ended that was dropped or undone, and no other": """
        SELECT id, member_id, NULL FROM rewards_adjustment
        WHERE (ended_at IS NOT NULL) <> (state IN ('dropped', 'undone'))
            OR (state = 'failed' AND bulk_id IS NULL)
    """,
    "every line of a bulk was asked for with it": """
        SELECT j.id, j.member_id, NULL FROM rewards_adjustment j
        LEFT JOIN rewards_bulk b ON b.id = j.bulk_id
        WHERE (j.bulk_id IS NOT NULL) <> (j.line IS NOT NULL)
            OR (j.bulk_id IS NOT NULL AND (b.id IS NULL OR j.reason <> b.reason
                OR j.asked_by_id <> b.asked_by_id OR j.asked_at <> b.asked_at))
    """,
    "every bulk was approved before it was applied, and ended by somebody": """
        SELECT id, NULL, NULL FROM rewards_bulk
        WHERE (approved_at IS NULL) <> (approved_by_id IS NULL)
            OR approved_at < asked_at
            OR (approved_at IS NULL
                AND state IN ('applying', 'applied', 'undoing', 'undone'))
            OR (approved_at IS NOT NULL AND state = 'refused')
            OR (ended_at IS NULL AND state IN ('undoing', 'undone', 'dropped'))
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
        try:
            right = _totals(bulk.sums) == sums
        except (AttributeError, TypeError):  # they are no sums any more
            right = False
        if not right:
            yield Broken(bulk.pk)


def _totals(sums: dict[str, dict[str, list[int]]]) -> dict[str, int]:
    """Gains and losses together, by unit."""
    return {code: sum(much for _, much in of.values()) for code, of in sums.items()}
