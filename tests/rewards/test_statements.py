"""Balances, statements and liability, as of any time and as known at any time."""

from collections import defaultdict
from datetime import timedelta

import pytest
from django.db import transaction
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from rewards import ledger
from rewards.ledger.postings import Posting, Pot
from rewards.ledger.statements import Held, balances, liability, statement
from rewards.models import Account, Member, Terms, Transfer, Unit
from tests.builders import NOW, make_member, publish_program, rule
from tests.rewards.spending import DAYS, LATER, earn, spend, take_back

EVER = {"start": DAYS[0] - timedelta(days=999), "end": NOW + timedelta(days=999)}


@pytest.fixture
def points(db) -> Unit:
    publish_program(rule())
    return Unit.objects.get(code="points")


def alice() -> Member:
    return Member.objects.get(customer_id="alice")


def test_what_is_told_late_is_in_an_earlier_day_but_was_not_known_then(points):
    earn(modified_at=DAYS[3], at=DAYS[8])
    held = Held(available=91)

    def read(**times):
        return balances(alice(), **times).get(points.pk, Held())

    assert read(as_of=DAYS[5]) == held
    assert read(as_of=DAYS[5], known_on=DAYS[5]) == Held()
    assert read(as_of=DAYS[5], known_on=DAYS[9]) == held
    assert read(as_of=DAYS[3]) == Held()  # it happened at that very instant
    assert read(known_on=DAYS[8]) == Held()
    assert read() == held
    assert liability(as_of=DAYS[5], known_on=DAYS[5]) == {}
    assert liability(as_of=DAYS[5]) == {points.pk: held}


def test_a_debt_is_what_is_owed(points):
    earn()
    spend(60)
    take_back()
    assert balances(alice())[points.pk] == Held(debt=60)
    assert balances(alice(), as_of=EVER["end"])[points.pk] == Held(debt=60)
    assert balances(alice(), as_of=LATER)[points.pk] == Held(available=31)


def test_liability_is_of_all_members(points):
    earn()
    earn("2", 1000, customer_id="bob", status="pending")
    earn("3", 500, customer_id="carol")
    spend(41)
    held = Held(pending=10, available=55)
    assert liability() == liability(known_on=EVER["end"]) == {points.pk: held}


def test_a_statement_runs_from_its_opening_to_its_closing(points):
    earn(at=DAYS[1], modified_at=DAYS[1])
    earn("2", 1000, at=DAYS[4], modified_at=DAYS[4])
    spend(20, at=DAYS[6])
    told = statement(alice(), unit=points, start=DAYS[2], end=DAYS[6])
    lines, following = told.page(size=9)
    assert (told.opening, told.closing) == (Held(available=91), Held(available=101))
    assert [(line.available, line.changes) for line in lines] == [
        (101, {"available": 10})
    ]
    assert following is None
    rest = statement(alice(), unit=points, start=DAYS[6], end=NOW)
    assert rest.opening == told.closing
    assert rest.closing == Held(available=81)


def test_a_statement_as_known_earlier_leaves_out_what_came_later(points):
    earn(at=DAYS[1], modified_at=DAYS[1])
    earn("2", 1000, at=DAYS[8], modified_at=DAYS[2])
    told = statement(alice(), unit=points, start=DAYS[0], end=DAYS[5], known_on=DAYS[5])
    lines, _ = told.page(size=9)
    assert (told.closing, len(lines)) == (Held(available=91), 1)
    now = statement(alice(), unit=points, start=DAYS[0], end=DAYS[5])
    lines, _ = now.page(size=9)
    assert [line.available for line in lines] == [101, 91]


def test_pages_of_a_statement_join_up(points):
    for number in range(7):
        earn(str(number), 100 * (number + 1), modified_at=DAYS[number // 3], at=DAYS[9])
    told = statement(alice(), unit=points, **EVER)
    whole, _ = told.page(size=99)
    joined, before = told.page(size=2)
    while before:
        lines, before = told.page(before=before, size=2)
        joined += lines
    assert joined == whole
    assert [line.available for line in whole] == [28, 21, 15, 10, 6, 3, 1]


class AnyHistory(TestCase):
    """Whatever is posted, a statement says the sums of a naive recount."""

    @classmethod
    def setUpTestData(cls) -> None:
        publish_program(rule())
        cls.points = Unit.objects.get(code="points")
        Terms.objects.create(unit=cls.points, forgive_below=2)

    @given(
        st.lists(
            st.tuples(
                st.sampled_from(["pending", "available"]),
                st.integers(-9, 9).filter(bool),
                st.integers(0, 9),
                st.integers(0, 3),
            ),
            max_size=8,
        ),
        st.integers(0, 11),
        st.integers(0, 11),
        st.one_of(st.none(), st.integers(0, 11)),
    )
    def test_adds_up(self, moves, one, other, known) -> None:
        member = make_member()
        _post(moves, member, self.points)
        start, end = DAYS[min(one, other)], DAYS[max(one, other)]
        known_on = None if known is None else DAYS[known]
        told = statement(
            member, unit=self.points, start=start, end=end, known_on=known_on
        )
        assert told.opening == _recount(member, start, known_on)
        assert told.closing == _recount(member, end, known_on)
        lines, _ = told.page(size=99)
        running = told.opening.available
        for line in reversed(lines):
            running += line.changes.get("available", 0)
            assert line.available == running
        assert running == told.closing.available
        now = balances(member).get(self.points.pk, Held())
        assert now == _recount(member, EVER["end"], None)


def _post(moves, member: Member, unit: Unit) -> None:
    at = DAYS[0]
    for number, (kind, amount, happened, pause) in enumerate(moves):
        at += timedelta(days=pause)
        pending = Account.objects.filter(member=member, kind="pending").first()
        if kind == "pending" and amount < 0:
            amount = -min(-amount, pending.balance if pending else 0)
        if amount:
            changes = {Pot(member.pk, unit.pk, kind): amount}
            source, when = Transfer.Source.PURCHASE, DAYS[happened]
            with transaction.atomic():
                ledger.post(
                    [Posting(changes, source, str(number), effective_at=when)], at=at
                )


def _recount(member: Member, as_of, known_on) -> Held:
    held: dict[str, int] = defaultdict(int)
    for t in Transfer.objects.select_related("from_account", "to_account"):
        known = known_on is None or t.recorded_at < known_on
        if known and t.effective_at < as_of:
            for account, change in ((t.from_account, -1), (t.to_account, 1)):
                if account.member_id == member.pk:
                    sign = -1 if account.kind == "debt" else 1
                    held[account.kind] += sign * change * t.amount
    return Held(**held)
