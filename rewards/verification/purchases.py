"""Purchases: what is posted is what their current awards say, and they say it once."""

_POSTED = """
    SELECT t.purchase_id, a.member_id, a.unit_id,
           CASE WHEN a.kind = 'debt' THEN 'available' ELSE a.kind END AS kind,
           SUM(t.signed) AS amount
    FROM (
        SELECT purchase_id, to_account_id AS account_id, amount AS signed
        FROM rewards_transfer WHERE purchase_id IS NOT NULL
        UNION ALL
        SELECT purchase_id, from_account_id, -amount
        FROM rewards_transfer WHERE purchase_id IS NOT NULL
    ) t
    JOIN rewards_account a ON a.id = t.account_id AND a.member_id IS NOT NULL
    GROUP BY t.purchase_id, a.member_id, a.unit_id,
             CASE WHEN a.kind = 'debt' THEN 'available' ELSE a.kind END
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
    "what is posted for a purchase is what its current awards say": f"""
        SELECT DISTINCT purchase_id, CAST(NULL AS bigint), purchase_id FROM (
            SELECT * FROM ({_POSTED}) x
            UNION ALL SELECT * FROM ({_AWARDED}) y
        ) z
        GROUP BY purchase_id, member_id, unit_id, kind HAVING SUM(amount) <> 0
    """,
    "no unit grants more than its rules wanted": """
        SELECT DISTINCT w.settlement_id, CAST(NULL AS bigint), s.purchase_id
        FROM rewards_award w JOIN rewards_settlement s ON s.id = w.settlement_id
        GROUP BY w.settlement_id, s.purchase_id, w.unit_id
        HAVING SUM(w.granted) > SUM(w.wanted)
            OR MIN(w.granted) < 0 OR MIN(w.wanted) < 0
    """,
    "every award is of an evaluation for a member": """
        SELECT w.id, NULL, s.purchase_id FROM rewards_award w
        LEFT JOIN rewards_settlement s ON s.id = w.settlement_id
        WHERE s.id IS NULL OR s.report_id IS NULL OR s.edition_id IS NULL
            OR s.member_id IS NULL
    """,
    "every budget is the sum of the awards that it paid": """
        SELECT b.id, NULL, NULL FROM rewards_budget b
        LEFT JOIN (
            SELECT w.rule, w.unit_id, SUM(w.granted) AS total
            FROM rewards_purchase p
            JOIN rewards_award w ON w.settlement_id = p.settlement_id
            GROUP BY w.rule, w.unit_id
        ) t ON t.rule = b.rule AND t.unit_id = b.unit_id
        WHERE b.used <> COALESCE(t.total, 0)
    """,
    "a final purchase never changed state": """
        SELECT s.purchase_id, NULL, s.purchase_id FROM rewards_settlement s
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
        SELECT p.id, NULL, p.id FROM rewards_purchase p
        LEFT JOIN rewards_report r ON r.id = p.report_id AND r.purchase_id = p.id
        WHERE r.id IS NULL OR r.status <> p.status OR r.order_total <> p.order_total
            OR r.commission <> p.commission OR r.modified_at <> p.modified_at
    """,
    "every purchase stands as its last settling left it": """
        SELECT p.id, NULL, p.id FROM rewards_purchase p
        LEFT JOIN (
            SELECT purchase_id, MAX(id) AS last,
                MAX(CASE WHEN report_id IS NOT NULL THEN id END) AS evaluation
            FROM rewards_settlement GROUP BY purchase_id
        ) m ON m.purchase_id = p.id
        LEFT JOIN rewards_settlement s ON s.id = m.last
        WHERE s.id IS NULL OR s.status <> p.status OR s.commission <> p.commission
            OR s.currency <> p.currency
            OR COALESCE(s.member_id, 0) <> COALESCE(p.member_id, 0)
            OR COALESCE(p.settlement_id, 0) <> COALESCE(m.evaluation, 0)
            OR (s.in_review AND p.review = '') OR (NOT s.in_review AND p.review <> '')
    """,
    "every edition that held was published before, and never withdrawn": """
        SELECT DISTINCT e.id, CAST(NULL AS bigint), CAST(NULL AS bigint)
        FROM rewards_settlement s JOIN rewards_edition e ON e.id = s.edition_id
        WHERE e.published_at > s.settled_at OR e.withdrawn_at IS NOT NULL
    """,
    "every decision about an account or a member was settled at once": """
        SELECT DISTINCT d.id, CAST(NULL AS bigint), CAST(NULL AS bigint)
        FROM rewards_decision d JOIN rewards_settlement s ON s.decision_id = d.id
        WHERE d.kind IN ('confirm_account', 'exclude_account', 'erase')
            AND s.settled_at <> d.decided_at
    """,
    "every settling is of its own purchase's reports": """
        SELECT s.id, NULL, s.purchase_id FROM rewards_settlement s
        LEFT JOIN rewards_report r ON r.id = s.report_id
        LEFT JOIN rewards_purchase p ON p.id = s.purchase_id
        WHERE p.id IS NULL OR (s.report_id IS NOT NULL
            AND (r.id IS NULL OR r.purchase_id <> s.purchase_id))
            OR s.status NOT IN ('pending', 'validated', 'declined')
    """,
    "every report was settled with its purchase": """
        SELECT r.id, NULL, r.purchase_id FROM rewards_report r
        LEFT JOIN rewards_settlement s ON s.id = r.settlement_id
        WHERE s.id IS NULL OR s.purchase_id <> r.purchase_id
            OR r.received_at > s.settled_at
    """,
    "every order has one first purchase": """
        SELECT MIN(id), CAST(NULL AS bigint), MIN(id) FROM rewards_purchase
        GROUP BY order_key HAVING SUM(CASE WHEN twin THEN 0 ELSE 1 END) <> 1
    """,
    "every decision about a purchase was settled": """
        SELECT d.id, NULL, d.purchase_id FROM rewards_decision d
        LEFT JOIN rewards_report r ON r.id = d.report_id
        LEFT JOIN rewards_settlement s ON s.decision_id = d.id
            AND s.purchase_id = d.purchase_id
        WHERE (d.kind IN ('assign', 'resolve') AND (s.id IS NULL
                OR s.settled_at <> d.decided_at))
            OR (d.kind = 'resolve' AND (r.id IS NULL
                OR r.purchase_id <> d.purchase_id))
            OR (d.reason = '' AND NOT EXISTS (
                SELECT 1 FROM rewards_settlement e
                JOIN rewards_decision x ON x.id = e.decision_id AND x.kind = 'erase'
                WHERE e.purchase_id = d.purchase_id))
    """,
    "every decision names what it is about, and nothing else": """
        SELECT id, NULL, purchase_id FROM rewards_decision
        WHERE (purchase_id IS NOT NULL) <> (kind IN ('assign', 'resolve'))
            OR (report_id IS NOT NULL) <> (kind = 'resolve')
            OR (account_id IS NOT NULL)
                <> (kind IN ('confirm_account', 'exclude_account'))
            OR (rerun_id IS NOT NULL) <> (kind IN ('rerun', 'undo_rerun'))
            OR (member_id IS NOT NULL AND kind NOT IN ('assign', 'erase'))
            OR (member_id IS NULL AND kind = 'erase')
    """,
    "every settling that was decided is of what was decided": """
        SELECT s.id, NULL, s.purchase_id FROM rewards_settlement s
        LEFT JOIN rewards_decision d ON d.id = s.decision_id
        WHERE s.decision_id IS NOT NULL AND (d.id IS NULL
            OR s.settled_at < d.decided_at
            OR (d.purchase_id IS NOT NULL AND d.purchase_id <> s.purchase_id))
    """,
    "every account rewards as staff decided last": """
        SELECT a.id, NULL, NULL FROM rewards_networkaccount a
        JOIN (
            SELECT account_id, MAX(id) AS last FROM rewards_decision
            WHERE kind IN ('confirm_account', 'exclude_account') GROUP BY account_id
        ) m ON m.account_id = a.id
        JOIN rewards_decision d ON d.id = m.last
        WHERE a.rewarding IS NULL
            OR (a.rewarding AND d.kind = 'exclude_account')
            OR (NOT a.rewarding AND d.kind = 'confirm_account')
    """,
}
