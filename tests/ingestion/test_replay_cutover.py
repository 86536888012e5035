"""What was settled before there were lots is taken as a migration has left it."""

from datetime import datetime, timedelta
from importlib import import_module
from types import SimpleNamespace

import pytest
from django.apps import apps
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from rewards import appendonly
from rewards.models import Award, Draw, Lot
from tests.ingestion.replays import differences
from tests.ingestion.storms import Storm, storm

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(300)]

LOTS = "0005_lots_of_old_credits"


def order(history: Storm, steps: int) -> None:
    """What there was before: orders, and what staff decide about them."""
    for _ in range(steps):
        history.orders()
        history.chance.choice(
            [
                history.orders,
                history.resolve_one,
                history.assign_one,
                history.rerun,
                history.account,
                lambda: history.later(2),
            ]
        )()


def cut_over() -> None:
    """Take away what the tables had not, and let the migration give it."""
    migration = import_module(f"rewards.migrations.{LOTS}")
    editor = SimpleNamespace(connection=connection)
    with appendonly.lifted():
        Draw.objects.all().delete()
        Lot.objects.all().delete()
        Award.objects.update(expires_after_days=None)
        migration.fill_columns(apps, editor)
        migration.make_lots(apps, editor)
        connection.check_constraints()


def record(**applied: datetime) -> None:
    """Since when the server has had its tables, and since when it has had lots."""
    made = MigrationRecorder.Migration.objects.filter(app="rewards")
    made.update(applied=applied["tables"])
    made.filter(name=LOTS).update(applied=applied["lots"])


@pytest.mark.parametrize("seed", [1, 2])
def test_what_was_before_lots_is_taken_as_given(seed: int) -> None:
    with storm(seed, steps=0) as history:
        began = history.now - timedelta(days=100)
        order(history, 12)
        cut_over()
        record(tables=began, lots=history.tick())
        assert differences() == [], "it ends there"
        expiring = Lot.objects.filter(days__isnull=False)
        assert Lot.objects.exists()
        assert not expiring.exists()
        history.blow(30)
        assert expiring.exists()
        assert Draw.objects.exists()
        assert differences()[:5] == []
        record(tables=began, lots=began)
        assert differences(), "without knowing of it everything differs"
