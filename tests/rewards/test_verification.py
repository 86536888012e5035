"""What the checks of the books find: each case breaks one thing that was sound."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models import F

from rewards import appendonly, vault
from rewards.closing.signing import sign
from rewards.models import (
    Adjustment,
    Budget,
    Bulk,
    Close,
    Edition,
    GiftCode,
    PayoutDetails,
    Redemption,
    RedemptionStep,
)
from rewards.redemptions import fulfilment, payout_files, payouts
from rewards.settling.settlement import settle
from tests.builders import NOW, make_member, publish_program, purchase, rule
from tests.rewards.adjusting import adjust, apply, check, clerk
from tests.rewards.closing import FIRST, SECOND, at, close
from tests.rewards.redeemers import ask, make_pool, make_reward, violations
from tests.rewards.spending import earn
from tests.staff import make_superuser

pytestmark = pytest.mark.django_db

MOMENT, DAY = timedelta(seconds=1), timedelta(days=1)
ENDED = "every redemption stays ended once it has"
TWICE = "no step of a redemption was taken twice"
STEPS = "every approval of a redemption is one of its steps, and so is its payout file"
APPROVED = (
    "every adjustment was approved exactly where it had to be, when it was posted"
)
GONE = "every adjustment ended that was dropped or undone, and no other"
LINES = "every line of a bulk was asked for with it"
BULKS = "every bulk was approved before it was applied, and ended by somebody"
EDITIONS = "every edition is a program, and follows the one before"
BUDGETS = "every budget is of a rule that has one"
ASKED = "every step of a redemption came after its asking"
CODES = "every gift code is the one that was added"
PAYOUTS = "every payout goes where its hint says"
CLOSES = "every day was closed and signed off in turn"
HISTORY = "history can't be rewritten"
RULES = "the database keeps its rules"


@pytest.fixture
def books() -> None:
    """Orders, a code, an approved payout in a file, adjustments, a bulk, two closes."""
    root, ann, bob = make_superuser(), clerk("ann"), clerk("bob")
    limited = rule(limits={"budget": 1_000_000})
    publish_program(limited, now=NOW - DAY)
    publish_program(limited, now=NOW + MOMENT)
    member = make_member()
    payouts.put_details(member, method="bank", details="DE0212030000", at=NOW - 9 * DAY)
    earn("1", 90_000)
    earn("2", 9_100)
    settle(purchases=[purchase().pk], at=NOW + MOMENT)  # and nothing has changed
    ask(make_pool("CARD-0001", "CARD-0002"))
    payout = ask(make_reward("bank", kind="payout", approve_above=50), 200)
    fulfilment.approve(payout, by=root, at=NOW + MOMENT)
    payout_files.export(again=False, by=root, at=NOW + 2 * MOMENT)
    adjust(member, 20, by=ann)
    apply(check("customer_id,unit,amount\nalice,points,30\n", by=ann), by=bob)
    sign(close(FIRST), by=root, note="", at=at(SECOND))
    sign(close(SECOND), by=root, note="", at=at(SECOND) + DAY)


def change(rows: Any, **values: Any) -> Callable[[], None]:
    return lambda: _change(rows.all(), values)


def _change(rows: Any, values: dict[str, Any]) -> None:
    assert rows.update(**values)


def one_more(of: Any, **values: Any) -> Callable[[], None]:
    """The row again, and different in these."""

    def add() -> None:
        row = of.all().get()
        row.pk = None
        for name, value in values.items():
            setattr(row, name, value)
        row.save()

    return add


ended = RedemptionStep.objects.filter(status="fulfilled")
payout = Redemption.objects.exclude(payout=None)
single, line = (
    Adjustment.objects.filter(bulk=None),
    Adjustment.objects.exclude(bulk=None),
)
last_edition = Edition.objects.filter(number=2)
free = GiftCode.objects.filter(redemption=None)
second = Close.objects.filter(day=SECOND)

BROKEN: tuple[tuple[str, Callable[[], None]], ...] = (
    (ENDED, one_more(ended, status="reserved")),
    ("every redemption is what was asked for", change(payout, request_digest=b"x")),
    (TWICE, one_more(ended)),
    (STEPS, change(payout, approved_at=NOW)),
    (STEPS, change(payout, approved_by=None, needs_approval=False)),
    (STEPS, change(payout, exported_at=NOW + 9 * MOMENT)),
    (ASKED, change(RedemptionStep.objects, taken_at=NOW - 2 * DAY)),
    (APPROVED, change(single, approved_at=NOW)),
    (APPROVED, change(single, asked_at=NOW - MOMENT)),
    (APPROVED, change(line, needs_approval=False)),
    (APPROVED, change(line, approved_at=NOW + MOMENT)),
    (GONE, change(single, ended_at=NOW)),
    (GONE, change(line, state="dropped")),
    (LINES, change(line, reason="abuse")),
    (LINES, change(line, line=None)),
    (BULKS, change(Bulk.objects, state="undoing")),
    (BULKS, change(Bulk.objects, approved_at=None)),
    ("every bulk adds up to its sums", change(Bulk.objects, sums=["no sums"])),
    (EDITIONS, change(last_edition, published_at=NOW - 3 * DAY)),
    (BUDGETS, change(Budget.objects, rule="unknown")),
    (CODES, change(free, digest=b"another")),
    (CODES, change(free, hint="9999")),
    (CODES, change(free, sealed=b"not with our key")),
    (CODES, change(free, sealed=vault.seal("CARD-9999"))),
    (PAYOUTS, change(payout, payout=vault.seal("DE9999999999"))),
    (PAYOUTS, change(PayoutDetails.objects, hint="…9999")),
    (CLOSES, change(second, drawn_up_at=at(SECOND))),
    (CLOSES, change(second, signed_at=F("drawn_up_at") - MOMENT)),
    (CLOSES, change(Close.objects.filter(day=FIRST), signed_at=None, signed_by=None)),
)
IDLE = {
    "sqlite": "CREATE TRIGGER rewards_lot_update BEFORE UPDATE ON rewards_lot"
    " WHEN 0 BEGIN SELECT 1; END",
    "postgresql": "CREATE TRIGGER rewards_lot_update BEFORE UPDATE ON rewards_lot"
    " FOR EACH ROW WHEN (false) EXECUTE FUNCTION refuse_change()",
}
HARMLESS = """
CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RETURN NEW;
END $$
"""
SOUND: tuple[Callable[[], None], ...] = (
    one_more(ended, taken_at=NOW + DAY),  # the code was shown again
    change(free, sealed=b"", digest=b"of an erased member's"),
    change(PayoutDetails.objects, sealed=vault.seal("DE0212030000")),  # a newer key
    change(PayoutDetails.objects, sealed=b"of a key that is gone"),
)


def found_after(break_it: Callable[[], None]) -> dict[str, int]:
    """What is violated once somebody has done that who has the database alone."""
    with transaction.atomic():
        with immediately(), appendonly.lifted():
            break_it()
        found = violations()
        transaction.set_rollback(True)
    return found


@contextmanager
def immediately() -> Iterator[None]:
    """PostgreSQL changes no table of which it still has something to check."""
    if connection.vendor == "postgresql":
        execute("SET CONSTRAINTS ALL IMMEDIATE")
    yield


def execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.mark.usefixtures("books")
def test_what_is_broken_is_found(subtests: Any) -> None:
    assert violations() == {}
    for number, (name, break_it) in enumerate(BROKEN):
        with subtests.test(name, number=number):
            assert found_after(break_it)[name]


@pytest.mark.usefixtures("books")
def test_what_only_looks_like_it_is_sound(subtests: Any) -> None:
    for number, touch in enumerate(SOUND):
        with subtests.test(number=number):
            assert found_after(touch) == {}


def test_a_trigger_that_is_gone_or_does_nothing_is_found() -> None:
    on = " ON rewards_lot" if connection.vendor == "postgresql" else ""
    with transaction.atomic():
        execute(f"DROP TRIGGER rewards_lot_update{on}")
        assert violations() == {HISTORY: 1}
        execute(IDLE[connection.vendor])
        assert violations() == {HISTORY: 1}
        transaction.set_rollback(True)
    assert violations() == {}


@pytest.mark.postgres
def test_triggers_that_are_off_or_call_something_else_are_found() -> None:
    for statement, tables in (
        ("ALTER TABLE rewards_lot DISABLE TRIGGER rewards_lot_update", 1),
        ("ALTER TABLE rewards_lot ENABLE REPLICA TRIGGER rewards_lot_update", 1),
        (HARMLESS, len(appendonly.TABLES)),
    ):
        with transaction.atomic():
            execute(statement)
            assert violations() == {HISTORY: tables}
            transaction.set_rollback(True)


def test_a_rule_that_the_database_has_lost_is_found() -> None:
    with transaction.atomic():
        execute("DROP INDEX freeze_once_per_member")
        assert violations() == {RULES: 1}
        transaction.set_rollback(True)
