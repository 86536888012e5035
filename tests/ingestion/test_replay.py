"""Settling the whole history again gives the same books; what was altered is named."""

import io
import re
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, connections, models
from django.db.models import Max

from ingestion.replaying import replay
from rewards import appendonly, freezes
from rewards.models import (
    Account,
    Award,
    Draw,
    Freeze,
    Lot,
    Member,
    Purchase,
    Report,
    Settlement,
    Transfer,
)
from rewards.verification import Check, checks
from tests.builders import (
    MERCHANT,
    NOW,
    ORDERED,
    report,
)
from tests.ingestion.delivering import deliver
from tests.ingestion.replays import differences, make_history
from tests.ingestion.storms import storm
from tests.staff import make_superuser

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(300)]

WRITTEN: tuple[type[models.Model], ...] = (
    *(Account, Award, Draw, Lot, Member, Purchase, Report, Settlement, Transfer),
)


def alter(statement: str) -> None:
    """Do what neither the code nor the database's triggers would let anybody do."""
    with appendonly.lifted(), connection.cursor() as cursor:
        cursor.execute(statement)


def all_rows() -> dict[str, tuple[int, int]]:
    """How many rows each table has, and the last id in it."""
    return {
        model.__name__: (model._default_manager.count(), last or 0)
        for model in WRITTEN
        for last in [model._default_manager.aggregate(last=Max("pk"))["last"]]
    }


@pytest.fixture
def history() -> None:
    make_history()


@pytest.mark.parametrize("seed", [1, 2])
def test_a_history_of_everything_gives_the_same_books(seed: int) -> None:
    with storm(seed, steps=60) as history:
        history.erase_one()
        history.blow(8)
        before = all_rows()
        assert {c.name: c.examples for c in checks() if c.violations} == {}
        assert differences()[:5] == []
        assert all_rows() == before, "nothing was written to the real database"


def test_the_real_database_is_the_default_again(history: None) -> None:
    real = connections["default"]
    replay()
    assert connections["default"] is real
    assert Purchase.objects.count() == 3


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        (
            "UPDATE rewards_award SET granted = granted - 1, wanted = wanted - 1"
            " WHERE settlement_id = 2",
            "award of settlement 2",
        ),
        (
            "UPDATE rewards_transfer SET amount = amount - 1 WHERE id = 2",
            "transfer 2 (purchase 1): amount is 90, not 91",
        ),
        (
            "UPDATE rewards_transfer SET effective_at = recorded_at WHERE id = 1",
            "transfer 1 (purchase 1): effective_at",
        ),
        ("UPDATE rewards_settlement SET commission = 0 WHERE id = 1", "settlement 1"),
        ("UPDATE rewards_lot SET expires_at = NULL, days = NULL WHERE id = 2", "lot 2"),
        (
            "UPDATE rewards_purchase SET merchant_id = NULL"
            " WHERE order_key = 'order-3'",
            "purchase 3: merchant_id is None",
        ),
    ],
)
def test_what_was_altered_is_named(history: None, statement: str, said: str) -> None:
    statement = _with_ids(statement)
    alter(statement)
    found = differences()
    assert any(_with_ids(said, told=True) in line for line in found), found


def _with_ids(text: str, *, told: bool = False) -> str:
    """Ids as they are in this database, where sequences go on from test to test."""
    firsts = {
        "rewards_award": Settlement,
        "award of settlement": Settlement,
        "rewards_transfer": Transfer,
        "transfer": Transfer,
        "rewards_settlement": Settlement,
        "settlement": Settlement,
        "rewards_lot": Lot,
        "lot": Lot,
    }
    for word, model in firsts.items():
        if text.startswith(word) or f" {word} " in text:
            ids = model._default_manager.order_by("pk").values_list("pk", flat=True)
            before = rf"{word} " if told else "id = "
            text = re.sub(
                rf"{before}(\d)\b",
                lambda found: f"{found[0][:-1]}{ids[int(found[1]) - 1]}",  # noqa: B023
                text,
            )
            break
    orders = Purchase.objects.order_by("pk").values_list("pk", flat=True)
    text = text.replace("(purchase 1)", f"(purchase {orders[0]})")
    return text.replace("purchase 3:", f"purchase {orders[2]}:")


def test_some_purchases_alone_are_settled_again(history: None) -> None:
    merchant = Purchase.objects.get(order_key="order-3").merchant
    assert replay(merchant=merchant).done == 1
    assert replay(start=ORDERED + timedelta(days=2)).done == 1
    assert replay(end=ORDERED + timedelta(days=2)).done == 4
    other = Transfer.objects.filter(purchase__order_key="order-1").first()
    assert other
    alter(f"UPDATE rewards_transfer SET amount = 1 WHERE id = {other.pk}")
    assert differences(merchant=merchant) == []
    (said,) = differences(end=ORDERED + timedelta(days=2))
    assert said.startswith(f"purchase {other.purchase_id}: posted is")


def test_it_stops_where_time_is_up(history: None) -> None:
    found = replay(expired=lambda: True)
    assert (found.complete, found.done, found.differences) == (False, 0, [])


def run(*arguments: str) -> tuple[int, str]:
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command("replay", *arguments, stdout=out, stderr=err)
    except SystemExit as exit:
        return int(exit.code or 0), out.getvalue() + err.getvalue()
    return 0, out.getvalue() + err.getvalue()


def test_the_command_prints_differences_and_says_so_by_its_exit(history: None) -> None:
    code, said = run()
    assert code == 0
    assert "5  events read again\n" in said
    assert "erased" not in said
    assert "5  settled or moved again" in said
    assert "0  differences" in said
    alter("UPDATE rewards_award SET why = 'Because.'")
    code, said = run("--merchant", MERCHANT, "--start", "2026-11-01")
    assert code == 1
    assert "Because." in said
    with pytest.raises(CommandError, match="No merchant"):
        run("--merchant", "org-nobody")


def test_a_frozen_purchase_waits_in_the_replay_too(history: None) -> None:
    bob = Purchase.objects.get(order_key="order-3")
    later = NOW + timedelta(hours=1)
    freezes.freeze(Check("A check.", 1, (), frozenset(), frozenset({bob.pk})), at=later)
    told = report(
        order_id="order-3",
        transaction_id="tx-3",
        merchant="org-x",
        customer_id="bob",
        attributed_at=ORDERED + timedelta(days=3),
        modified_at=later,
        status="validated",
    )
    deliver(told, at=later + timedelta(minutes=1))
    bob.refresh_from_db()
    assert bob.review
    assert differences() == []
    freezes.lift(
        Freeze.objects.get(),
        reason="Mended.",
        by=make_superuser(),
        at=later + timedelta(hours=1),
    )
    bob.refresh_from_db()
    assert not bob.review
    assert differences() == []
