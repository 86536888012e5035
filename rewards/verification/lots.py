"""Lots: every credit makes them, every debit draws from them."""

from collections.abc import Iterator

from rewards.ledger.lots import expiry
from rewards.models import Lot
from rewards.program.editions import Editions, compiled
from rewards.verification.checking import Broken

_CHUNK = 5_000

QUERIES: dict[str, str] = {
    "what is available is what its open lots hold": """
        SELECT a.id, a.member_id, NULL FROM rewards_account a
        LEFT JOIN (
            SELECT account_id, SUM(remaining) AS total FROM rewards_lot
            GROUP BY account_id
        ) l ON l.account_id = a.id
        WHERE a.kind = 'available' AND a.balance <> COALESCE(l.total, 0)
    """,
    "every move of a balance names its lots": """
        SELECT t.id, COALESCE(f.member_id, g.member_id), NULL
        FROM rewards_transfer t
        JOIN rewards_account f ON f.id = t.from_account_id
        JOIN rewards_account g ON g.id = t.to_account_id
        LEFT JOIN (
            SELECT transfer_id, SUM(amount) AS total FROM rewards_lot
            GROUP BY transfer_id
        ) l ON l.transfer_id = t.id
        LEFT JOIN (
            SELECT transfer_id, SUM(amount) AS total FROM rewards_draw
            GROUP BY transfer_id
        ) d ON d.transfer_id = t.id
        WHERE CASE
            WHEN f.kind = 'reserved' OR (f.kind = 'available' AND g.kind <> 'available')
                THEN COALESCE(d.total, 0) <> t.amount OR l.total IS NOT NULL
            WHEN g.kind = 'available'
                THEN COALESCE(l.total, 0) + COALESCE(d.total, 0) <> t.amount
            ELSE COALESCE(l.total, d.total) IS NOT NULL END
    """,
    "every lot is as its transfer made it": """
        SELECT l.id, a.member_id, NULL FROM rewards_lot l
        LEFT JOIN rewards_transfer t ON t.id = l.transfer_id
        LEFT JOIN rewards_account a ON a.id = l.account_id
        WHERE t.id IS NULL OR t.to_account_id <> l.account_id
            OR t.recorded_at <> l.since OR a.kind <> 'available'
            OR COALESCE(t.purchase_id, 0) <> COALESCE(l.purchase_id, 0)
            OR COALESCE(t.adjustment_id, 0) <> COALESCE(l.adjustment_id, 0)
            OR l.amount <= 0 OR l.remaining < 0 OR l.remaining > l.amount
            OR (l.days IS NULL AND l.expires_at IS NOT NULL)
            OR (l.days IS NOT NULL AND l.expires_at IS NULL)
    """,
    "every draw is from a lot of the member and unit that its transfer moves": """
        SELECT d.id, COALESCE(a.member_id, f.member_id, g.member_id), NULL
        FROM rewards_draw d
        LEFT JOIN rewards_lot l ON l.id = d.lot_id
        LEFT JOIN rewards_account a ON a.id = l.account_id
        LEFT JOIN rewards_transfer t ON t.id = d.transfer_id
        LEFT JOIN rewards_account f ON f.id = t.from_account_id
        LEFT JOIN rewards_account g ON g.id = t.to_account_id
        WHERE l.id IS NULL OR t.id IS NULL OR d.amount <= 0
            OR COALESCE(f.member_id, g.member_id, 0) <> a.member_id
            OR f.unit_id <> a.unit_id
    """,
    "what remains of every lot is what was not drawn": """
        SELECT l.id, a.member_id, NULL FROM rewards_lot l
        JOIN rewards_account a ON a.id = l.account_id
        LEFT JOIN (
            SELECT d.lot_id, SUM(CASE
                WHEN f.kind = 'available' THEN d.amount
                WHEN g.kind = 'available' THEN -d.amount ELSE 0 END) AS total
            FROM rewards_draw d
            JOIN rewards_transfer t ON t.id = d.transfer_id
            JOIN rewards_account f ON f.id = t.from_account_id
            JOIN rewards_account g ON g.id = t.to_account_id
            GROUP BY d.lot_id
        ) o ON o.lot_id = l.id
        WHERE l.remaining <> l.amount - COALESCE(o.total, 0)
    """,
    "only what was over expired": """
        SELECT t.id, a.member_id, NULL FROM rewards_transfer t
        JOIN rewards_draw d ON d.transfer_id = t.id
        JOIN rewards_lot l ON l.id = d.lot_id
        JOIN rewards_account a ON a.id = l.account_id
        WHERE t.source = 'expiry'
            AND (l.expires_at IS NULL OR l.expires_at > t.recorded_at)
    """,
    "no more of a lot is revived than expired": """
        SELECT l.id, a.member_id, NULL FROM rewards_lot l
        JOIN rewards_account a ON a.id = l.account_id
        JOIN (
            SELECT d.lot_id, SUM(CASE t.source WHEN 'expiry' THEN d.amount
                WHEN 'revival' THEN -d.amount ELSE 0 END) AS total
            FROM rewards_draw d JOIN rewards_transfer t ON t.id = d.transfer_id
            WHERE t.source IN ('expiry', 'revival') GROUP BY d.lot_id
        ) x ON x.lot_id = l.id
        WHERE x.total < 0
    """,
}


def misdated() -> Iterator[Broken]:
    """Lots that don't expire when their days say, in the zone of their program."""
    editions = Editions.load()
    rows = (
        Lot.objects.filter(days__isnull=False)
        .order_by("pk")
        .values_list(
            *("pk", "account__member_id", "since", "days", "expires_at"),
            *("purchase_id", "transfer__settlement__edition_id"),
        )
    )
    for (
        id,
        member_id,
        since,
        days,
        expires_at,
        purchase_id,
        edition_id,
    ) in rows.iterator(_CHUNK):
        held = edition_id if purchase_id else editions.at(since)
        zone = compiled(held).time_zone if held else "UTC"
        if expiry(since, days=days, zone=zone) != expires_at:
            yield Broken(id, member_id)
