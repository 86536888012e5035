"""Redemptions: each moved exactly what it says, and went where its steps say."""

from collections.abc import Iterator

from django.db.models import F

from rewards.models import Redemption, RedemptionStep
from rewards.redemptions.requests import digest
from rewards.verification.checking import APART, Broken

_CHUNK = 2_000

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
    "every redemption stays ended once it has": """
        SELECT DISTINCT r.id, r.member_id, CAST(NULL AS bigint)
        FROM rewards_redemptionstep e
        JOIN rewards_redemptionstep s ON s.redemption_id = e.redemption_id
            AND s.id > e.id AND s.status <> e.status
        JOIN rewards_redemption r ON r.id = e.redemption_id
        WHERE e.status IN ('fulfilled', 'cancelled')
    """,
    "no step of a redemption was taken twice": """
        SELECT MIN(s.id), r.member_id, CAST(NULL AS bigint)
        FROM rewards_redemptionstep s
        JOIN rewards_redemption r ON r.id = s.redemption_id
        GROUP BY s.redemption_id, r.member_id, s.status, s.taken_at, s.taken_by_id
        HAVING COUNT(*) > 1
    """,
    "every approval of a redemption is one of its steps, and so is its payout file": """
        SELECT r.id, r.member_id, NULL FROM rewards_redemption r
        WHERE ((r.approved_at IS NOT NULL OR r.approved_by_id IS NOT NULL)
                AND (NOT r.needs_approval OR NOT EXISTS (
                    SELECT 1 FROM rewards_redemptionstep s
                    WHERE s.redemption_id = r.id AND s.status = 'reserved'
                    AND s.taken_at = r.approved_at
                    AND s.taken_by_id = r.approved_by_id)))
            OR (r.exported_at IS NOT NULL AND NOT EXISTS (
                SELECT 1 FROM rewards_redemptionstep s
                WHERE s.redemption_id = r.id AND s.taken_at = r.exported_at))
    """,
    "every gift code was given to a redemption of its reward": """
        SELECT c.id, NULL, NULL FROM rewards_giftcode c
        LEFT JOIN rewards_redemption r ON r.id = c.redemption_id
        WHERE c.redemption_id IS NOT NULL
            AND (r.id IS NULL OR r.reward_id <> c.reward_id)
    """,
}


def steps_out_of_turn() -> Iterator[Broken]:
    """Steps of a time before their redemption was asked for. They name no member: a
    clock that was wrong is no reason to freeze one for ever."""
    early = RedemptionStep.objects.filter(
        taken_at__lt=F("redemption__asked_at") - APART
    ).order_by()
    for id in early.values_list("pk", flat=True):
        yield Broken(id)


def asked_for_something_else() -> Iterator[Broken]:
    """Redemptions of another reward or amount than their key was first used for."""
    rows = Redemption.objects.exclude(request_digest=b"").order_by("pk")
    for id, member_id, key, amount, told in rows.values_list(
        "pk", "member_id", "reward__key", "amount", "request_digest"
    ).iterator(_CHUNK):
        if digest(key or "", amount) != bytes(told):
            yield Broken(id, member_id)
