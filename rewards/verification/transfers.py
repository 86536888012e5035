"""Transfers and the balances that are their sums."""

_ROUTES = """
    CASE t.source
    WHEN 'purchase' THEN t.purchase_id IS NOT NULL AND t.settlement_id IS NOT NULL
        AND f.kind IN ('issued', 'pending', 'available', 'debt')
        AND g.kind IN ('issued', 'pending', 'available', 'debt')
    WHEN 'adjustment' THEN t.adjustment_id IS NOT NULL
        AND f.kind IN ('adjusted', 'available', 'debt')
        AND g.kind IN ('adjusted', 'available', 'debt')
    WHEN 'redemption' THEN t.redemption_id IS NOT NULL
        AND (f.kind || '-' || g.kind) IN ('available-reserved', 'reserved-available',
            'reserved-redeemed', 'available-debt')
    WHEN 'expiry' THEN f.kind = 'available' AND g.kind = 'expired'
    WHEN 'revival' THEN f.kind = 'expired' AND g.kind = 'available'
    WHEN 'forgiveness' THEN f.kind = 'written_off' AND g.kind = 'debt'
    WHEN 'erasure' THEN (f.kind = 'written_off' OR g.kind = 'written_off')
    ELSE 1 = 0 END
"""

_ORIGINS = """
    CASE t.source
    WHEN 'purchase' THEN t.redemption_id IS NULL AND t.adjustment_id IS NULL
    WHEN 'adjustment' THEN t.redemption_id IS NULL AND t.purchase_id IS NULL
    WHEN 'redemption' THEN t.adjustment_id IS NULL AND t.purchase_id IS NULL
    ELSE t.adjustment_id IS NULL AND t.purchase_id IS NULL
        AND (t.redemption_id IS NULL OR t.source = 'erasure') END
"""

_MOVED = """
    SELECT account_id, SUM(signed) AS total FROM (
        SELECT to_account_id AS account_id, SUM(amount) AS signed
        FROM rewards_transfer GROUP BY to_account_id
        UNION ALL
        SELECT from_account_id, -SUM(amount) FROM rewards_transfer
        GROUP BY from_account_id
    ) m GROUP BY account_id
"""

QUERIES: dict[str, str] = {
    "every transfer has a positive amount": """
        SELECT id, NULL, purchase_id FROM rewards_transfer WHERE amount <= 0
    """,
    "every transfer was recorded once it had happened": """
        SELECT id, NULL, purchase_id FROM rewards_transfer
        WHERE effective_at > recorded_at
    """,
    "every transfer joins two accounts of one unit": """
        SELECT t.id, COALESCE(f.member_id, g.member_id), t.purchase_id
        FROM rewards_transfer t
        LEFT JOIN rewards_account f ON f.id = t.from_account_id
        LEFT JOIN rewards_account g ON g.id = t.to_account_id
        WHERE f.id IS NULL OR g.id IS NULL OR f.id = g.id OR f.unit_id <> g.unit_id
            OR f.member_id <> g.member_id
            OR (f.member_id IS NULL AND g.member_id IS NULL)
    """,
    "every transfer goes where its source may move it": f"""
        SELECT t.id, COALESCE(f.member_id, g.member_id), t.purchase_id
        FROM rewards_transfer t
        JOIN rewards_account f ON f.id = t.from_account_id
        JOIN rewards_account g ON g.id = t.to_account_id
        WHERE NOT ({_ROUTES}) OR NOT ({_ORIGINS})
    """,
    "every transfer of a purchase is of its settling": """
        SELECT t.id, NULL, t.purchase_id FROM rewards_transfer t
        LEFT JOIN rewards_settlement s ON s.id = t.settlement_id
        WHERE t.source = 'purchase' AND (s.id IS NULL
            OR s.purchase_id <> t.purchase_id OR s.settled_at <> t.recorded_at
            OR t.reference NOT LIKE CAST(s.id AS varchar(20)) || '.%')
    """,
    "every other transfer is named by what moved it": """
        SELECT t.id, COALESCE(f.member_id, g.member_id), NULL
        FROM rewards_transfer t
        JOIN rewards_account f ON f.id = t.from_account_id
        JOIN rewards_account g ON g.id = t.to_account_id
        LEFT JOIN rewards_redemption r ON r.id = t.redemption_id
        LEFT JOIN rewards_reward w ON w.id = r.reward_id
        LEFT JOIN rewards_adjustment j ON j.id = t.adjustment_id
        WHERE t.source IN ('redemption', 'adjustment') AND (
            t.reference NOT LIKE CAST(COALESCE(t.redemption_id, t.adjustment_id)
                AS varchar(20)) || '.%'
            OR COALESCE(r.member_id, j.member_id, 0)
                <> COALESCE(f.member_id, g.member_id)
            OR COALESCE(w.unit_id, j.unit_id, 0) <> f.unit_id)
    """,
    "every balance is the sum of its transfers": f"""
        SELECT a.id, a.member_id, NULL FROM rewards_account a
        LEFT JOIN ({_MOVED}) t ON t.account_id = a.id
        WHERE a.member_id IS NOT NULL AND (a.balance IS NULL
            OR a.balance <> COALESCE(t.total, 0)
                * CASE WHEN a.kind = 'debt' THEN -1 ELSE 1 END)
    """,
    "members have members' accounts, and the program's have no balance": """
        SELECT id, member_id, NULL FROM rewards_account
        WHERE (member_id IS NULL AND (balance IS NOT NULL
                OR kind IN ('pending', 'available', 'reserved', 'debt')))
            OR (member_id IS NOT NULL
                AND kind NOT IN ('pending', 'available', 'reserved', 'debt'))
    """,
    "no balance is negative, and none is available and in debt": """
        SELECT a.id, a.member_id, NULL FROM rewards_account a WHERE a.balance < 0
        UNION ALL
        SELECT a.id, a.member_id, NULL FROM rewards_account a
        JOIN rewards_account d ON d.member_id = a.member_id
            AND d.unit_id = a.unit_id AND d.kind = 'debt' AND d.balance > 0
        WHERE a.kind = 'available' AND a.balance > 0
    """,
    "what members hold is what was issued and not redeemed, expired or given up": f"""
        SELECT u.id, NULL, NULL FROM rewards_unit u
        JOIN rewards_account a ON a.unit_id = u.id
        LEFT JOIN ({_MOVED}) t ON t.account_id = a.id AND a.member_id IS NULL
        GROUP BY u.id
        HAVING COALESCE(SUM(CASE WHEN a.kind = 'debt' THEN -a.balance
            ELSE a.balance END), 0) + COALESCE(SUM(t.total), 0) <> 0
    """,
}
