"""What was recorded before there were lots, on a server that is older than they are.

A migration gave such rows what they lacked, as well as it could be told afterwards. It
is taken as given where the history reaches that migration; what came later is worked
out from there.
"""

from collections.abc import Iterator
from datetime import datetime
from itertools import islice

from django.db import connection, transaction
from django.db.migrations.recorder import MigrationRecorder
from django.db.models import F, OuterRef, Subquery, Sum
from django.db.models.functions import Coalesce

from ingestion.replaying.scratch import SOURCE
from ingestion.replaying.world import copy
from rewards import bulk
from rewards.models import Award, Draw, Lot, Settlement, Transfer

_MIGRATION = "0005_lots_of_old_credits"
_CHUNK = 2_000
_FILLED = ("id", "status", "commission", "currency", "in_review")


class Cutover:
    """The instant of that migration, where anything had been settled before it.

    The server's own record of migrations tells: it was settled after the tables had
    been made, and before that one. A new server makes both at once.
    """

    def __init__(self) -> None:
        made = MigrationRecorder.Migration.objects.using(SOURCE).filter(app="rewards")
        applied = dict(made.values_list("name", "applied"))
        self._at: datetime | None = applied.get(_MIGRATION)
        if self._at:
            span = (min(applied.values()), self._at)
            settled = Settlement.objects.using(SOURCE)
            if not settled.filter(settled_at__range=span).exists():
                self._at = None

    def reach(self, at: datetime | None) -> None:
        """The history goes on at this instant, or has ended: take over what is due."""
        if self._at and (at is None or at >= self._at):
            with transaction.atomic():
                _take_lots(before=self._at)
                _take_columns(before=self._at)
            self._at = None


def _take_lots(*, before: datetime) -> None:
    """Lots and what was drawn from them until then, instead of those worked out."""
    with connection.cursor() as cursor:
        for model in (Draw, Lot):
            cursor.execute(f"DELETE FROM {model._meta.db_table}")
            rows = model._default_manager.using(SOURCE)
            copy(rows.filter(transfer__recorded_at__lt=before))
    drawn = Draw.objects.filter(lot=OuterRef("pk")).order_by().values("lot")
    total = Subquery(drawn.annotate(total=Sum("amount")).values("total"))
    Lot.objects.update(remaining=F("amount") - Coalesce(total, 0))


def _take_columns(*, before: datetime) -> None:
    """What transfers, awards and settlements were given in their new columns."""
    Transfer.objects.update(effective_at=F("recorded_at"))
    Award.objects.update(expires_after_days=None)
    for rows in _filled(before=before):
        bulk.update(Settlement, _FILLED, rows)


def _filled(*, before: datetime) -> Iterator[list[tuple[object, ...]]]:
    settled = Settlement.objects.using(SOURCE).filter(settled_at__lt=before)
    rows = settled.order_by("pk").values_list(*_FILLED).iterator(_CHUNK)
    while chunk := list(islice(rows, _CHUNK)):
        yield chunk
