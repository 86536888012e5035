"""The ledger's rows: made once, never changed, always adding up."""

import pytest
from django.core.management import call_command
from django.db import DatabaseError, IntegrityError, connection, transaction
from hypothesis import given
from hypothesis import strategies as st

from rewards import appendonly
from rewards.ledger import difference, post
from rewards.ledger.book import _moves
from rewards.ledger.postings import NotEnough, Posting, Pot
from rewards.models import Account, Edition, Report, Transfer, Unit
from rewards.verification import checks
from tests.builders import (
    NOW,
    balances,
    make_member,
    publish_program,
    report,
    settle_reports,
)

PURCHASE = Transfer.Source.PURCHASE


@pytest.fixture
def earned() -> None:
    publish_program()
    settle_reports(report())


def broken() -> set[str]:
    return {check.name for check in checks() if check.violations}


@pytest.mark.django_db
@pytest.mark.parametrize("table", sorted(appendonly.TABLES))
@pytest.mark.parametrize("statement", ["UPDATE {} SET id = id + 1", "DELETE FROM {}"])
def test_history_refuses_raw_sql(earned: None, table: str, statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT COUNT(*) FROM {table}")
        (before,) = cursor.fetchone()
        if before:
            with (
                pytest.raises(DatabaseError, match="append-only"),
                transaction.atomic(),
            ):
                cursor.execute(statement.format(table))
        cursor.execute(f"SELECT COUNT(*) FROM {table}")
        assert cursor.fetchone() == (before,)


@pytest.mark.django_db
def test_history_refuses_truncation(earned: None) -> None:
    if connection.vendor == "sqlite":
        return  # has no such statement
    with (
        pytest.raises(DatabaseError, match="append-only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # or it refuses for those
        cursor.execute("TRUNCATE rewards_transfer CASCADE")
    assert Transfer.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("reference", ["id", "reference"])
def test_history_refuses_replacement(earned: None, reference: str) -> None:
    if connection.vendor == "postgresql":
        return  # has no such statement
    other = "id + 1" if reference == "reference" else "id"
    with (
        pytest.raises(DatabaseError, match="append-only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(
            "INSERT OR REPLACE INTO rewards_transfer (id, from_account_id,"
            " to_account_id, amount, source, reference, recorded_at)"
            f" SELECT {other}, from_account_id, to_account_id, 1, source, reference,"
            " recorded_at FROM rewards_transfer"
        )
    assert Transfer.objects.get().amount == 91


@pytest.mark.django_db
def test_a_disabled_trigger_is_found(earned: None) -> None:
    if connection.vendor == "sqlite":
        return  # can't disable one
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE rewards_transfer DISABLE TRIGGER USER")
    assert broken() == {"history can't be rewritten"}


@pytest.mark.django_db
def test_history_refuses_the_orm(earned: None) -> None:
    transfer = Transfer.objects.get()
    transfer.amount = 1
    for change in (
        transfer.save,
        transfer.delete,
        lambda: Transfer.objects.update(amount=1),
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            change()
    assert Transfer.objects.get().amount == 91


@pytest.mark.django_db
def test_what_may_change_may(earned: None) -> None:
    assert Report.objects.update(customer_id="erased") == 1
    assert Edition.objects.update(withdrawn_at=NOW) == 1
    with pytest.raises(IntegrityError), transaction.atomic():
        Edition.objects.update(content={})


@pytest.mark.django_db
def test_a_rebuilt_table_gets_its_triggers_back(earned: None) -> None:
    with connection.cursor() as cursor:
        for statement in appendonly._drops(connection, "rewards_transfer"):
            cursor.execute(statement)
    assert broken() == {"history can't be rewritten"}
    call_command("migrate", verbosity=0)
    assert appendonly.missing() == []


@pytest.mark.django_db
@pytest.mark.parametrize("amount", [0, -1])
def test_a_transfer_moves_something(earned: None, amount: int) -> None:
    one = Transfer.objects.get()
    with pytest.raises(IntegrityError), transaction.atomic():
        Transfer.objects.create(
            from_account=one.from_account,
            to_account=one.to_account,
            amount=amount,
            source="purchase",
            reference="x",
            effective_at=NOW,
            recorded_at=NOW,
        )


@pytest.mark.django_db
def test_the_same_reference_posts_once() -> None:
    publish_program()
    unit, member = Unit.objects.get(code="points"), make_member()
    posting = Posting({Pot(member.pk, unit.pk, "pending"): 5}, PURCHASE, "1")
    post([posting], at=NOW)
    with pytest.raises(IntegrityError), transaction.atomic():
        post([posting], at=NOW)
    assert balances() == {("points", "pending"): 5}


@pytest.mark.django_db
def test_a_balance_never_goes_below_zero() -> None:
    publish_program()
    unit, member = Unit.objects.get(code="points"), make_member()
    taken = Posting(
        {Pot(member.pk, unit.pk, "available"): -1}, PURCHASE, "1", may_owe=False
    )
    with pytest.raises(NotEnough), transaction.atomic():
        post([taken], at=NOW)
    assert not Transfer.objects.exists()


@pytest.mark.django_db
def test_a_drifted_balance_is_found(earned: None) -> None:
    Account.objects.exclude(member=None).update(balance=90)
    assert broken() == {
        "every balance is the sum of its transfers",
        "what members hold is what was issued and not redeemed, expired or given up",
    }


@pytest.mark.django_db
def test_a_transfer_that_no_award_explains_is_found(earned: None) -> None:
    one = Transfer.objects.get()
    Transfer.objects.create(
        from_account=one.from_account,
        to_account=one.to_account,
        purchase=one.purchase,
        amount=1,
        source="purchase",
        reference="forged",
        effective_at=NOW,
        recorded_at=NOW,
    )
    assert "what is posted for a purchase is what its current awards say" in broken()


vectors = st.dictionaries(
    st.builds(
        Pot,
        st.integers(1, 3),
        st.integers(1, 2),
        st.sampled_from(["pending", "available", "debt"]),
    ),
    st.integers(-50, 50).filter(bool),
)


@given(vectors)
def test_moves_make_exactly_the_changes_asked_for(changes: dict[Pot, int]) -> None:
    result: dict[Pot, int] = {}
    for move in _moves(Posting(changes, PURCHASE, "1")):
        assert move.amount > 0
        assert move.taken_from.unit_id == move.given_to.unit_id
        assert move.taken_from != move.given_to
        result[move.taken_from] = result.get(move.taken_from, 0) - move.amount
        result[move.given_to] = result.get(move.given_to, 0) + move.amount
    assert {p: a for p, a in result.items() if a and p.member_id} == changes


@given(vectors, vectors)
def test_a_difference_leads_from_one_to_the_other(
    target: dict[Pot, int], current: dict[Pot, int]
) -> None:
    changes = difference(target, current)
    reached = {
        pot: current.get(pot, 0) + changes.get(pot, 0) for pot in {*current, *changes}
    }
    assert {pot: amount for pot, amount in reached.items() if amount} == target
