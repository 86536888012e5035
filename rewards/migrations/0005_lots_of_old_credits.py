"""Give what was posted before its new columns, and what is available its lots.

What became available before lots existed lives for ever, as it did then.
"""

from collections import deque

from django.db import migrations

_COLUMNS = """
    UPDATE rewards_transfer SET effective_at = recorded_at;
    UPDATE rewards_settlement SET
        status = COALESCE(
            (SELECT r.status FROM rewards_report r
             WHERE r.id = rewards_settlement.report_id),
            (SELECT p.status FROM rewards_purchase p
             WHERE p.id = rewards_settlement.purchase_id)),
        commission = COALESCE(
            (SELECT r.commission FROM rewards_report r
             WHERE r.id = rewards_settlement.report_id),
            (SELECT p.commission FROM rewards_purchase p
             WHERE p.id = rewards_settlement.purchase_id)),
        currency = (SELECT p.currency FROM rewards_purchase p
            WHERE p.id = rewards_settlement.purchase_id);
    UPDATE rewards_settlement SET in_review = {true} WHERE id IN (
        SELECT MAX(s.id) FROM rewards_settlement s
        JOIN rewards_purchase p ON p.id = s.purchase_id AND p.review <> ''
        GROUP BY p.id);
"""


def fill_columns(apps, schema_editor):
    """Past the triggers, which come back after every migrate."""
    connection = schema_editor.connection
    postgresql = connection.vendor == "postgresql"
    with connection.cursor() as cursor:
        for table in ("rewards_transfer", "rewards_settlement"):
            on = f" ON {table}" if postgresql else ""
            cursor.execute(f"DROP TRIGGER IF EXISTS {table}_update{on}")
        for statement in _COLUMNS.format(true="true" if postgresql else "1").split(";"):
            if statement.strip():
                cursor.execute(statement)


def make_lots(apps, schema_editor):
    """A lot for each credit; what went out again took its purchase's own first."""
    models = {name: apps.get_model("rewards", name) for name in ("Lot", "Draw")}
    Account = apps.get_model("rewards", "Account")
    for account in Account.objects.filter(kind="available").iterator():
        _lots_of(account, apps.get_model("rewards", "Transfer"), **models)


def _lots_of(account, Transfer, Lot, Draw):
    lots, draws = [], []
    open_lots: deque = deque()
    rows = Transfer.objects.filter(to_account=account) | Transfer.objects.filter(
        from_account=account
    )
    for transfer in rows.order_by("id").iterator():
        if transfer.to_account_id == account.pk:
            lot = Lot(
                account_id=account.pk,
                transfer_id=transfer.pk,
                purchase_id=transfer.purchase_id,
                amount=transfer.amount,
                remaining=transfer.amount,
                since=transfer.recorded_at,
            )
            lots.append(lot)
            open_lots.append(lot)
        else:
            draws += _draw(transfer, open_lots, Draw)
    Lot.objects.bulk_create(lots, batch_size=1_000)
    for draw in draws:
        draw.lot_id = draw.lot.pk
    Draw.objects.bulk_create(draws, batch_size=1_000)


def _draw(transfer, open_lots, Draw):
    """What one debit took, lot by lot."""
    left, drawn = transfer.amount, []
    own_first = sorted(
        open_lots, key=lambda lot: lot.purchase_id != transfer.purchase_id
    )
    for lot in own_first:
        part = min(lot.remaining, left)
        if part:
            lot.remaining -= part
            left -= part
            drawn.append(Draw(lot=lot, transfer_id=transfer.pk, amount=part))
    while open_lots and not open_lots[0].remaining:
        open_lots.popleft()
    return drawn


class Migration(migrations.Migration):
    dependencies = [("rewards", "0004_points_as_money")]

    operations = [
        migrations.RunPython(fill_columns, migrations.RunPython.noop),
        migrations.RunPython(make_lots, migrations.RunPython.noop),
    ]
