"""Several rows at once, which make up for each other, and rules that are taken away."""

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from django.db import connection, models
from django.db.models import F, Max

from benchmarks.corruptions.copies import past_every_rule
from benchmarks.corruptions.corrupting import Corruption, about, delete
from rewards import appendonly
from rewards.models import (
    Account,
    Adjustment,
    Award,
    Close,
    Draw,
    Lot,
    Purchase,
    Report,
    Settlement,
    Transfer,
)

GIFT = 500
# Of each database, some rule that can be dropped alone.
_RULES = {
    "sqlite": [
        ("rewards_purchase", "purchase_first_of_its_order"),
        ("rewards_freeze", "freeze_once_per_member"),
        ("rewards_bulk", "bulk_once_per_content"),
    ],
    "postgresql": [
        ("rewards_transfer", "transfer_amount_positive"),
        ("rewards_transfer", "transfer_once_per_reference"),
        ("rewards_account", "account_balance_never_negative"),
    ],
}


def two_balances(chance: Random) -> Corruption | None:
    """A step from one member's balance to another's."""
    found = Account.objects.filter(kind="available", balance__gt=0)
    return _shift(found, "balance", "unit_id", chance)


def two_awards(chance: Random) -> Corruption | None:
    """A step from one award to another of the same settling."""
    found = Award.objects.filter(granted__gt=0)
    return _shift(found, "granted", "settlement_id", chance)


def two_lots(chance: Random) -> Corruption | None:
    """A step from one lot to another of the same account."""
    found = Lot.objects.filter(remaining__gt=0, remaining__lt=F("amount"))
    return _shift(found, "remaining", "account_id", chance)


def two_transfers(chance: Random) -> Corruption | None:
    """A step from one transfer to another from the same account."""
    found = Transfer.objects.filter(amount__gt=1)
    return _shift(found, "amount", "from_account_id", chance)


def two_adjustments(chance: Random) -> Corruption | None:
    """A step from one adjustment to another in the same unit."""
    found = Adjustment.objects.filter(state="posted", amount__gt=1)
    return _shift(found, "amount", "unit_id", chance)


def _shift(
    rows: models.QuerySet[Any], column: str, shared: str, chance: Random
) -> Corruption | None:
    """Take a step of one row and give it to another, with which it shares a column."""
    found = list(rows.order_by("pk"))
    pairs = [
        (a, b)
        for a in found
        for b in found
        if a.pk < b.pk and getattr(a, shared) == getattr(b, shared)
    ]
    if not pairs:
        return None
    pair = chance.choice(pairs)
    with past_every_rule():
        for row, change in zip(pair, (1, -1), strict=True):
            own = type(row)._default_manager.filter(pk=row.pk)
            own.update(**{column: F(column) + change})
        return about(pair, f"{column} of two")


def gift(chance: Random) -> Corruption | None:
    """A transfer that nobody asked for, with the lot and the balance it makes."""
    given = Transfer.objects.filter(
        source="adjustment", from_account__kind="adjusted", to_account__kind="available"
    ).first()
    if given is None:
        return None
    with past_every_rule():
        given.pk, given.amount = _next(Transfer), GIFT
        given.reference = f"{given.adjustment_id}.more"
        given.save(force_insert=True)
        Lot.objects.create(
            id=_next(Lot),
            account_id=given.to_account_id,
            transfer=given,
            adjustment_id=given.adjustment_id,
            amount=GIFT,
            remaining=GIFT,
            since=given.recorded_at,
        )
        _add(given.to_account_id, GIFT)
        return about([given], "a gift nobody gave")


def expiry(chance: Random) -> Corruption | None:
    """An expiry that was sealed taken out: its lot and the balance are as before."""
    gone = _sealed(Transfer.objects.filter(source="expiry"), chance)
    if gone is None:
        return None
    with past_every_rule():
        done = about([gone], "an expiry without a trace", *_days(gone))
        for draw in Draw.objects.filter(transfer=gone):
            own = Lot.objects.filter(pk=draw.lot_id)
            own.update(remaining=F("remaining") + draw.amount)
        _add(gone.from_account_id, gone.amount)
        delete(Draw.objects.filter(transfer=gone))
        delete(Transfer.objects.filter(pk=gone.pk))
        return done


def order(chance: Random) -> Corruption | None:
    """A sealed purchase taken out with all that is of it, and the balance of it."""
    pending = Transfer.objects.filter(
        source="purchase", to_account__kind="pending", purchase__status="pending"
    )
    moved = _sealed(pending, chance)
    purchase = moved.purchase if moved else None
    if moved is None or purchase is None:
        return None
    with past_every_rule():
        done = about([moved], "an order without a trace", *_days(moved))
        for transfer in Transfer.objects.filter(purchase=purchase):
            _add(transfer.to_account_id, -transfer.amount)
            _add(transfer.from_account_id, transfer.amount)
        own = Settlement.objects.filter(purchase=purchase)
        delete(Award.objects.filter(settlement__in=own))
        for model in (Transfer, Lot, Report, Settlement):
            delete(model._default_manager.filter(purchase=purchase))
        delete(Purchase.objects.filter(pk=purchase.pk))
        return done


def trigger_dropped(chance: Random) -> Corruption:
    """A trigger of an append-only table is gone."""
    table, event = _trigger(chance)
    _execute(f"DROP TRIGGER {table}_{event}{_on(table)}")
    return _of_database(table, f"{event} trigger dropped")


def trigger_idle(chance: Random) -> Corruption:
    """A trigger is there by name, and does nothing."""
    table, event = _trigger(chance)
    if connection.vendor == "postgresql":
        _execute(f"ALTER TABLE {table} ENABLE REPLICA TRIGGER {table}_{event}")
    else:
        _execute(f"DROP TRIGGER {table}_{event}")
        _execute(
            f"CREATE TRIGGER {table}_{event} BEFORE DELETE ON {table} WHEN 0"
            " BEGIN SELECT 1; END"
        )
    return _of_database(table, f"{event} trigger does nothing")


def rule_dropped(chance: Random) -> Corruption:
    """A constraint of the database is gone."""
    table, name = chance.choice(_RULES[connection.vendor])
    if connection.vendor == "postgresql":
        _execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
    else:
        _execute(f"DROP INDEX {name}")
    return _of_database(f"{table} {name}", "dropped")


ALL: Sequence[Callable[[Random], Corruption | None]] = (
    *(two_balances, two_awards, two_lots, two_transfers, two_adjustments),
    *(gift, expiry, order, trigger_dropped, trigger_idle, rule_dropped),
)


def _sealed(rows: models.QuerySet[Transfer], chance: Random) -> Transfer | None:
    """One of those that are in a close."""
    last = Close.objects.latest("day")
    sealed = rows.filter(pk__lte=last.newest_transfer, recorded_at__lt=last.until)
    found = list(sealed.order_by("pk"))
    return chance.choice(found) if found else None


def _days(transfer: Transfer) -> list[str]:
    """The day in whose seal it is."""
    own = Close.objects.filter(until__gt=transfer.recorded_at).order_by("day")
    return [str(close.day) for close in own[:1]]


def _add(account: int, amount: int) -> None:
    own = Account.objects.filter(pk=account, balance__isnull=False)
    own.update(balance=F("balance") + amount)


def _next(model: type[models.Model]) -> int:
    return model._default_manager.aggregate(last=Max("pk"))["last"] + 1


def _trigger(chance: Random) -> tuple[str, str]:
    return chance.choice(list(appendonly.TABLES)), chance.choice(appendonly.EVENTS)


def _on(table: str) -> str:
    return f" ON {table}" if connection.vendor == "postgresql" else ""


def _of_database(name: str, what: str) -> Corruption:
    return Corruption("(database)", what, name, frozenset([name]))


def _execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)
