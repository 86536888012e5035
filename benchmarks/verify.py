"""Every invariant over five million transfers, against reading the tables once.

`make bench-verify`. The ledger is made inside PostgreSQL: orders that were pending and
then validated, in two units, of which some were redeemed and some expired. Only what
reports say is digested here, as settling does it.
"""

import argparse
import os
import resource
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from benchmarks import world

PURCHASES, SHORT = 1_000_000, 10_000  # five transfers each
MEMBERS_IN = 10  # purchases to a member
GOAL = 180  # seconds, on two cores
SETTLED = datetime(2026, 6, 1, 9, tzinfo=UTC)
REPORTS = (
    *("id", "purchase_id", "settlement_id", "transaction_id", "status"),
    *("order_total", "commission", "customer_id", "modified_at", "confirmed"),
    *("content", "digest", "source", "received_at"),
)
READ = {
    "rewards_transfer": "amount",
    "rewards_lot": "remaining",
    "rewards_draw": "amount",
    "rewards_award": "granted",
    "rewards_settlement": "commission",
    "rewards_report": "length(content::text)",
    "rewards_purchase": "commission",
    "rewards_account": "balance",
}

# Of purchase p: settlings and reports 2p-1 and 2p, awards and transfers 4p-3 to 4p.
# Points 50 + p % 100, dollars 100 + p % 50. Accounts of member m: 100 + 6m and on.
STATEMENTS = """
INSERT INTO rewards_member (id, customer_id, status, email, locale, segments, joined_at)
SELECT m, 'member-' || m, 'active', '', '', '[]', {start}
FROM generate_series(1, {members}) m;

INSERT INTO rewards_account (id, member_id, unit_id, kind, balance)
SELECT 94 + 6 * m + 3 * u + k, m, u + 1,
    (ARRAY['pending','available','reserved'])[k + 1], 0
FROM generate_series(1, {members}) m, generate_series(0, 1) u,
    generate_series(0, 2) k;

INSERT INTO rewards_account (id, unit_id, kind)
SELECT 10 * k + u, u, (ARRAY['issued','redeemed','expired'])[k + 1]
FROM generate_series(1, 2) u, generate_series(0, 2) k;

INSERT INTO rewards_purchase (id, account_id, order_key, status, category, merchant_id,
    member_id, customer_id, order_number, order_total, order_currency, commission,
    currency, attributed_at, modified_at, report_id, settlement_id, review, flags, twin,
    first_seen_at)
SELECT p, 1, 'order-' || p, 'validated', 'new-user-order', 1, {member},
    'member-' || {member}, '', 100 * (50 + p % 100), 'USD', 200 + 2 * (p % 50), 'USD',
    {start}, {start} + interval '1 day', 2 * p, 2 * p, '', '[]', false, {start}
FROM generate_series(1, {purchases}) p;

INSERT INTO rewards_settlement (id, purchase_id, report_id, edition_id, member_id,
    facts, pinned, status, commission, currency, in_review, settled_at)
SELECT 2 * p - 1 + n, p, 2 * p - 1 + n, {edition}, {member},
    '{{"joined_at": "2026-06-01T09:00:00+00:00"}}', false,
    (ARRAY['pending','validated'])[n + 1], 200 + 2 * (p % 50), 'USD', false,
    {start} + n * interval '1 day'
FROM generate_series(1, {purchases}) p, generate_series(0, 1) n;

INSERT INTO rewards_award (id, settlement_id, rule, unit_id, wanted, granted, why,
    expires_after_days)
SELECT 4 * p - 3 + 2 * n + u, 2 * p - 1 + n, (ARRAY['points','cash'])[u + 1], u + 1,
    {amount}, {amount}, '', 30
FROM generate_series(1, {purchases}) p, generate_series(0, 1) n,
    generate_series(0, 1) u;

INSERT INTO rewards_transfer (id, from_account_id, to_account_id, amount,
    settlement_id, purchase_id, source, reference, effective_at, recorded_at)
SELECT 4 * p - 3 + 2 * n + u,
    CASE n WHEN 0 THEN 1 + u ELSE 94 + 6 * {member} + 3 * u END,
    94 + 6 * {member} + 3 * u + n, {amount}, 2 * p - 1 + n, p, 'purchase',
    (2 * p - 1 + n) || '.' || u, {start} + n * interval '1 day',
    {start} + n * interval '1 day'
FROM generate_series(1, {purchases}) p, generate_series(0, 1) n,
    generate_series(0, 1) u;

INSERT INTO rewards_lot (id, account_id, transfer_id, purchase_id, amount, remaining,
    days, expires_at, since)
SELECT 2 * p - 1 + u, 95 + 6 * {member} + 3 * u, 4 * p - 1 + u, p, {amount},
    CASE WHEN p % 4 = 0 OR (p % 4 = 1 AND u = 0) THEN 0 ELSE {amount} END, 30,
    date_trunc('day', {start} + interval '1 day', 'UTC') + interval '31 days',
    {start} + interval '1 day'
FROM generate_series(1, {purchases}) p, generate_series(0, 1) u;

INSERT INTO rewards_transfer (id, from_account_id, to_account_id, amount, source,
    reference, effective_at, recorded_at)
SELECT 4 * {purchases} + p / 2 - 1 + u, 95 + 6 * {member} + 3 * u, 21 + u, {amount},
    'expiry', (2 * p - 1 + u) || '.0.0', {start} + interval '40 days',
    {start} + interval '40 days'
FROM generate_series(4, {purchases}, 4) p, generate_series(0, 1) u;

INSERT INTO rewards_draw (lot_id, transfer_id, amount)
SELECT 2 * p - 1 + u, 4 * {purchases} + p / 2 - 1 + u, {amount}
FROM generate_series(4, {purchases}, 4) p, generate_series(0, 1) u;

INSERT INTO rewards_redemption (id, public_id, member_id, reward_id, amount, status,
    why, key, request_digest, asked_at, needs_approval, ended_at, reference,
    payout_hint)
SELECT p, 'rdm-' || p, {member}, 1, 50 + p % 100, 'fulfilled', '', 'key-' || p, '',
    {start} + interval '2 days', false, {start} + interval '3 days', '', ''
FROM generate_series(1, {purchases}, 4) p;

INSERT INTO rewards_redemptionstep (redemption_id, status, reason, taken_at)
SELECT p, (ARRAY['reserved','fulfilled'])[n + 1], '',
    {start} + (2 + n) * interval '1 day'
FROM generate_series(1, {purchases}, 4) p, generate_series(0, 1) n ORDER BY p, n;

INSERT INTO rewards_transfer (id, from_account_id, to_account_id, amount, redemption_id,
    source, reference, effective_at, recorded_at)
SELECT 5 * {purchases} + 2 * p + n,
    95 + 6 * {member} + n, CASE n WHEN 0 THEN 96 + 6 * {member} ELSE 11 END,
    50 + p % 100, p, 'redemption', p || (ARRAY['.reserve.0','.fulfil.0'])[n + 1],
    {start} + (2 + n) * interval '1 day', {start} + (2 + n) * interval '1 day'
FROM generate_series(1, {purchases}, 4) p, generate_series(0, 1) n;

INSERT INTO rewards_draw (lot_id, transfer_id, amount)
SELECT 2 * p - 1, 5 * {purchases} + 2 * p + n, 50 + p % 100
FROM generate_series(1, {purchases}, 4) p, generate_series(0, 1) n;

UPDATE rewards_account a SET balance = t.total FROM (
    SELECT account_id, sum(amount) AS total FROM (
        SELECT to_account_id AS account_id, amount FROM rewards_transfer
        UNION ALL SELECT from_account_id, -amount FROM rewards_transfer
    ) m GROUP BY account_id
) t WHERE t.account_id = a.id AND a.member_id IS NOT NULL
"""


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="fifty thousand only")
    options = parser.parse_args(arguments)
    purchases = SHORT if options.short else PURCHASES
    with world.database():
        prepare(purchases, members=purchases // MEMBERS_IN)
        seconds = measure()
    return 0 if options.short else int(seconds > GOAL)


def prepare(purchases: int, *, members: int) -> None:
    """Publish a program and write the ledger that it would have given."""
    from merchants.models import Merchant
    from rewards.models import NetworkAccount, Reward, Unit
    from rewards.program import draft, editions, vocabulary

    draft.replace(vocabulary.parse(program()))
    edition = editions.publish(now=SETTLED)
    Merchant.objects.create(network="button", external_id="org-1", name="Store")
    NetworkAccount.objects.create(
        network="button", external_id="acc-1", first_seen_at=SETTLED
    )
    points = Unit.objects.get(code="points")
    Reward.objects.create(key="r", name="R", kind="manual", unit=points, minimum=1)
    with world.connect() as connection:
        # As a replica would: no trigger guards the history, no foreign key asks.
        connection.execute("SET session_replication_role = replica")
        for statement in STATEMENTS.split(";\n"):
            connection.execute(
                statement.format(
                    purchases=purchases,
                    members=members,
                    member=f"(1 + p % {members})",
                    amount="CASE u WHEN 0 THEN 50 + p % 100 ELSE 100 + p % 50 END",
                    start=f"timestamptz '{SETTLED.isoformat()}'",
                    edition=edition.pk,
                )
            )
        write_reports(connection, purchases, members)
        connection.execute("VACUUM ANALYZE")


def write_reports(connection: psycopg.Connection, purchases: int, members: int) -> None:
    from rewards.reports import VALIDATED

    with connection.cursor() as cursor:
        statement = f"COPY rewards_report ({', '.join(REPORTS)}) FROM STDIN"
        with cursor.copy(statement) as copy:
            for p in range(1, purchases + 1):
                for n, status in enumerate(("pending", VALIDATED)):
                    copy.write_row(report_row(p, n, status, 1 + p % members))


def report_row(p: int, n: int, status: str, member: int) -> tuple[Any, ...]:
    from rewards.reports import PurchaseReport

    told = PurchaseReport(
        network="button",
        account="acc-1",
        transaction_id=f"tx-{p}",
        order_id=f"order-{p}",
        status=status,
        category="new-user-order",
        modified_at=SETTLED + timedelta(days=n),
        attributed_at=SETTLED,
        merchant="org-1",
        customer_id=f"member-{member}",
        currency="USD",
        commission=200 + 2 * (p % 50),
        order_currency="USD",
        order_total=100 * (50 + p % 100),
    )
    number = 2 * p - 1 + n
    return (
        *(number, p, number, told.transaction_id, status),
        *(told.order_total, told.commission, told.customer_id, told.modified_at, 0),
        *(told.content, told.digest, "webhook", SETTLED + timedelta(days=n)),
    )


def program() -> dict[str, Any]:
    content: dict[str, Any] = world.program()
    reward = {"kind": "per_amount", "points": "1", "per": "1.00", "of": "order_total"}
    half = {"kind": "share", "percent": "50", "of": "commission"}
    content["rules"] = [
        {"key": "points", "unit": "points", "reward": reward},
        {"key": "cash", "unit": "USD", "reward": half},
    ]
    for rule in content["rules"]:
        rule |= {"label": rule["key"], "group": "base", "expires_after_days": 30}
    return content


def measure() -> float:
    """Print how long it takes, beside the floor; the seconds."""
    begun = time.perf_counter()
    slowest = list(timed())
    seconds = time.perf_counter() - begun
    read = floor()
    with world.connect() as connection:
        row = connection.execute("SELECT count(*) FROM rewards_transfer").fetchone()
    transfers = row[0] if row else 0
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{transfers:,} transfers, every invariant, PostgreSQL: {seconds:.1f} s"
        f" (goal {GOAL} s for {5 * PURCHASES:,}); reading the tables once {read:.1f} s,"
        f" ratio {read / seconds:.2f}; memory {memory:.0f} MB; load"
        f" {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors"
    )
    for waited, name in sorted(slowest, reverse=True)[:5]:
        print(f"  {waited:6.1f} s until {name}")
    return seconds


def timed() -> Iterator[tuple[float, str]]:
    """Each check with the seconds that passed before it was there."""
    from rewards.verification import checks

    last = time.perf_counter()
    for check in checks():
        assert not check.violations, check
        now = time.perf_counter()
        yield now - last, check.name
        last = now


def floor() -> float:
    """Seconds in which the server reads all that is checked, once."""
    begun = time.perf_counter()
    with world.connect() as connection:
        for table, column in READ.items():
            connection.execute(f"SELECT sum({column}) FROM {table}")
    return time.perf_counter() - begun


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
