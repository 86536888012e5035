"""Where everything that purchases earned stood at a cut, added up by the database.

Only rows that never change are read, so that the same cut gives the same for ever.
What a purchase has of its own is counted up to its newest settling: two workers'
clocks may disagree about midnight, and a purchase is in one state all the same.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from django.db import connection

from rewards.closing.days import Cut

HELD = ("pending", "available", "reserved")
GONE = ("redeemed", "expired", "adjusted", "written_off")
OWED = "owed"
MEMBERS = (*HELD, *GONE, OWED)
"""Where an award can be. ``owed``: what paid a debt, less what was taken back of
members who had spent it."""

RESTS = ("margin", "unattributed", "in_review")
"""What becomes of commission that no award has."""

_STANDING = """
    SELECT n.purchase_id, n.newest, n.valued, p.account_id, s.currency, s.status,
           CASE WHEN s.status = 'declined' THEN 0 ELSE s.commission END AS commission,
           CASE WHEN s.in_review THEN 'in_review'
                WHEN s.member_id IS NULL THEN 'unattributed'
                ELSE 'margin' END AS rest
    FROM (
        SELECT purchase_id, MAX(id) AS newest,
               MAX(CASE WHEN report_id IS NOT NULL THEN id END) AS valued
        FROM rewards_settlement WHERE id <= %(settlement)s AND settled_at < %(until)s
        GROUP BY purchase_id
    ) n
    JOIN rewards_settlement s ON s.id = n.newest
    JOIN rewards_purchase p ON p.id = n.purchase_id
"""

_COMMISSIONS = f"""
    SELECT account_id, currency, rest,
           SUM(commission),
           SUM(CASE WHEN status = 'validated' THEN commission ELSE 0 END),
           SUM(CASE WHEN status = 'declined' THEN 0 ELSE 1 END)
    FROM ({_STANDING}) standing
    GROUP BY account_id, currency, rest
    ORDER BY account_id, currency, rest
"""

_COUNTED = """
    SELECT t.id, t.purchase_id, f.unit_id, t.amount,
           f.kind AS taken_from, g.kind AS given_to,
           t.from_account_id, t.to_account_id
    FROM rewards_transfer t
    JOIN rewards_account f ON f.id = t.from_account_id
    JOIN rewards_account g ON g.id = t.to_account_id
    LEFT JOIN standing s ON s.purchase_id = t.purchase_id
    WHERE CASE WHEN t.settlement_id IS NULL
               THEN t.id <= %(transfer)s AND t.recorded_at < %(until)s
               ELSE t.settlement_id <= s.newest END
"""

_DRAWN = """
    SELECT l.purchase_id, c.unit_id, c.taken_from, c.given_to, d.amount
    FROM rewards_draw d
    JOIN rewards_lot l ON l.id = d.lot_id AND l.purchase_id IS NOT NULL
    JOIN counted c ON c.id = d.transfer_id
    JOIN counted made ON made.id = l.transfer_id
"""

# Whoever was erased had it written off at once, whichever purchase it was of.
_ENDED = """
    SELECT from_account_id AS account_id FROM counted
    WHERE purchase_id IS NULL AND taken_from = 'pending' AND given_to = 'written_off'
"""

# What becomes available makes lots, and those say where it is from then on.
_PLACES = """
    SELECT purchase_id, unit_id,
           CASE WHEN to_account_id IN (SELECT account_id FROM ended)
               THEN 'written_off' ELSE given_to END AS place,
           amount
    FROM counted
    WHERE purchase_id IS NOT NULL AND given_to IN ('pending', 'debt')
    UNION ALL
    SELECT purchase_id, unit_id,
           CASE WHEN from_account_id IN (SELECT account_id FROM ended)
               THEN 'written_off'
               WHEN taken_from = 'pending' THEN 'pending' ELSE 'debt' END,
           -amount
    FROM counted
    WHERE purchase_id IS NOT NULL AND taken_from IN ('pending', 'available', 'debt')
    UNION ALL
    SELECT l.purchase_id, c.unit_id, 'available', l.amount
    FROM rewards_lot l JOIN counted c ON c.id = l.transfer_id
    WHERE l.purchase_id IS NOT NULL
    UNION ALL
    SELECT purchase_id, unit_id, taken_from, -amount FROM drawn
    UNION ALL
    SELECT purchase_id, unit_id,
           CASE WHEN given_to = 'pending' THEN 'debt' ELSE given_to END, amount
    FROM drawn
    UNION ALL
    SELECT s.purchase_id, w.unit_id, 'awarded', w.granted
    FROM standing s JOIN rewards_award w ON w.settlement_id = s.valued
"""


def _sum(*places: str) -> str:
    named = ", ".join(f"'{place}'" for place in places)
    return f"SUM(CASE WHEN place IN ({named}) THEN amount ELSE 0 END)"


_BUCKETS = {**{name: (name,) for name in (*HELD, *GONE)}, OWED: ("debt", "issued")}
_POSITIONS = f"""
    WITH standing AS ({_STANDING}), counted AS ({_COUNTED}), drawn AS ({_DRAWN}),
    ended AS ({_ENDED}), places AS ({_PLACES}),
    purchases AS (
        SELECT purchase_id, unit_id,
               {", ".join(f"{_sum(*of)} AS {name}" for name, of in _BUCKETS.items())},
               {_sum("awarded")} AS awarded
        FROM places GROUP BY purchase_id, unit_id
    )
    SELECT s.account_id, s.currency, s.rest, x.unit_id,
           {", ".join(f"SUM(x.{name})" for name in _BUCKETS)}, SUM(x.awarded),
           SUM(CASE WHEN {" + ".join(f"x.{name}" for name in _BUCKETS)} <> x.awarded
               THEN 1 ELSE 0 END)
    FROM purchases x JOIN standing s ON s.purchase_id = x.purchase_id
    GROUP BY s.account_id, s.currency, s.rest, x.unit_id
    ORDER BY s.account_id, s.currency, s.rest, x.unit_id
"""


class Commission(NamedTuple):
    """Commission of purchases that were not declined, in minor units."""

    account_id: int
    currency: str
    rest: str
    amount: int
    validated: int
    purchases: int


class Position(NamedTuple):
    """What one unit's awards became, in smallest steps.

    ``held`` is by bucket, in the order of MEMBERS. ``wrong`` is how many purchases
    have something else in their buckets than they were awarded.
    """

    account_id: int
    currency: str
    rest: str
    unit_id: int
    held: tuple[int, ...]
    awarded: int
    wrong: int


def commissions(cut: Cut) -> Iterator[Commission]:
    """Commission by account, currency, and what becomes of the rest of it."""
    for account_id, currency, rest, *counts in _rows(_COMMISSIONS, cut):
        yield Commission(account_id, currency, rest, *map(int, counts))


def positions(cut: Cut) -> Iterator[Position]:
    """Where awards are, by account, currency, rest and unit."""
    for account_id, currency, rest, unit_id, *sums in _rows(_POSITIONS, cut):
        *held, awarded, wrong = map(int, sums)
        yield Position(account_id, currency, rest, unit_id, tuple(held), awarded, wrong)


def _rows(query: str, cut: Cut) -> list[Any]:
    until = connection.ops.adapt_datetimefield_value(cut.until)
    with connection.cursor() as cursor:
        cursor.execute(query, {**cut._asdict(), "until": until})
        return cursor.fetchall()
