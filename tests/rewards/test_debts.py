"""What members owe: by purchase, oldest first, paid by what they earn next."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from rewards.decisions import resolve
from rewards.ledger.debts import open_debts
from rewards.models import Account, Member, Report, Terms, Unit
from tests.builders import NOW, make_member, publish_program, purchase, rule
from tests.rewards.spending import DAYS, LATER, earn, spend, take_back

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def points() -> Unit:
    publish_program(rule())
    return Unit.objects.get(code="points")


def debts() -> list[tuple[str, int, int]]:
    """Order, what was taken back, what of it is open."""
    member = Member.objects.get(customer_id="alice")
    return [
        (debt.purchase.order_key.removeprefix("btnorder-"), debt.taken, debt.open)
        for debt in open_debts(member)
    ]


def test_who_owes_nothing_has_no_debt():
    assert open_debts(make_member()) == []
    earn()
    take_back()
    assert debts() == []


def test_a_debt_names_its_purchase_and_what_is_open():
    earn()
    spend(60)
    take_back()
    assert debts() == [("1", 91, 60)]
    [debt] = open_debts(Member.objects.get())
    assert (debt.purchase, debt.since) == (purchase(), LATER)


def test_what_is_earned_next_pays_the_oldest_first():
    earn("1", 5000)
    earn("2", 3000)
    spend(80)
    take_back("2", at=LATER)
    take_back("1", at=LATER)
    assert debts() == [("2", 30, 30), ("1", 50, 50)]
    earn("3", 4500)
    assert debts() == [("1", 50, 35)]
    earn("4", 3500)
    assert debts() == []


def test_a_purchase_that_counts_again_pays_its_own_debt(points):
    earn("1", 5000)
    earn("2", 3000)
    spend(80)
    take_back("2", at=LATER)
    take_back("1", at=LATER)
    restore("1")
    assert debts() == [("2", 30, 30)]


def test_a_debt_that_is_forgiven_is_gone(points):
    Terms.objects.create(unit=points, forgive_below=60)
    earn()
    spend(60)
    take_back()
    assert debts() == []


def restore(order: str) -> None:
    """Staff find that the order holds after all."""
    found = purchase(f"btnorder-{order}")
    first = Report.objects.get(purchase=found, status="validated")
    resolve(found, report=first, reason="It was kept.", by=None, at=LATER)


class AnyLife(TestCase):
    """Debts add up to the debt account, whatever is earned, spent and taken back."""

    @classmethod
    def setUpTestData(cls) -> None:
        publish_program(rule())

    @given(st.lists(st.tuples(st.sampled_from("est"), st.integers(1, 5)), max_size=9))
    def test_adds_up(self, life) -> None:
        member, kept = make_member(), []
        for number, (step, size) in enumerate(life):
            held = Account.objects.filter(member=member, kind="available").first()
            if step == "e":
                earn(str(number), 100 * size, at=NOW)
                kept.append(str(number))
            elif step == "t" and kept:
                take_back(kept.pop(size % len(kept)), at=LATER)
            elif step == "s" and held and held.balance:
                spend(min(size, held.balance), name=str(number), at=DAYS[9])
        owed = Account.objects.filter(member=member, kind="debt").first()
        assert sum(d.open for d in open_debts(member)) == (owed.balance if owed else 0)
        assert all(0 < debt.open <= debt.taken for debt in open_debts(member))
