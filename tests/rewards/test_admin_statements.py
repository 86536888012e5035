"""The member's page and statement for staff: lots, debts, any period, as known then."""

import pytest
from django.db import transaction

from rewards import ledger
from rewards.ledger.postings import Posting, Pot
from rewards.models import Account, Adjustment, Member, Transfer, Unit
from tests.builders import NOW, publish_program, purchase, rule
from tests.rewards.spending import (
    DAYS,
    LATER,
    earn,
    make_transfers,
    points_of,
    spend,
    take_back,
)
from tests.staff import client_of, count_queries, make_superuser, text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def root():
    publish_program(rule(expires_after_days=30))
    return client_of(make_superuser())


def address(page: str = "statement") -> str:
    return f"/admin/rewards/member/{Member.objects.get().pk}/{page}/"


def asking(**changes) -> dict[str, object]:
    """The form, for all of November."""
    values = {
        "unit": Unit.objects.get(code="points").pk,
        **at("start", "2026-11-01"),
        **at("end", "2026-12-01"),
        "zone": "UTC",
    }
    return values | changes


def at(name: str, day: str) -> dict[str, str]:
    return {f"{name}_0": day, f"{name}_1": "00:00:00"}


def rows(page, title: str) -> list[list[str]]:
    [table] = [t for t in page.context["tables"] if str(t.title).startswith(title)]
    return [[str(cell).replace("\u00a0", " ") for cell in row] for row in table.rows]


def test_a_statement_is_as_it_was_known_then(root):
    earn(modified_at=DAYS[3], at=DAYS[8])
    now = root.get(address(), asking())
    assert rows(now, "Balances")[1][:3] == ["At the end", "0 points", "91 points"]
    [line] = rows(now, "Transfers")
    assert line[2] == "Available"
    assert "Order of Nov. 10, 2026 at Lumen &amp; Oak" in line[3]
    assert line[4:6] == ["+91 points", "91 points"]
    then = root.get(address(), asking(**at("known_on", "2026-11-15")))
    assert rows(then, "Balances")[1][2] == "0 points"
    assert rows(then, "Transfers") == []
    early = root.get(address(), asking(**at("end", "2026-11-13")))
    assert rows(early, "Balances")[1][2] == "0 points"


def test_times_are_of_the_chosen_zone(root):
    earn(modified_at=DAYS[3], at=DAYS[8])  # at noon, UTC
    values = asking(end_0="2026-11-13", end_1="13:30:00")
    assert rows(root.get(address(), values), "Transfers")
    values["zone"] = "Europe/Athens"
    assert not rows(root.get(address(), values), "Transfers")


def test_without_a_question_it_shows_the_last_weeks(root):
    earn()
    page = root.get(address())
    assert page.status_code == 200
    assert rows(page, "Balances")


@pytest.mark.parametrize(
    "wrong",
    [
        {"unit": "x"},
        {"unit": "99"},
        {"start_0": "soon"},
        at("start", "2027-01-01"),
        {"zone": "Nowhere"},
        {"zone": "Europe/Paris", "end_0": "2026-03-29", "end_1": "02:30:00"},
    ],
)
def test_what_can_not_be_asked_is_said_in_the_form(root, wrong):
    earn()
    page = root.get(address(), asking(**wrong))
    assert page.status_code == 200
    assert page.context["form"].errors
    assert "tables" not in page.context


def test_a_long_statement_goes_on(root):
    earn(at=LATER)
    make_transfers(60)
    first = root.get(address(), asking())
    assert len(rows(first, "Transfers")) == 50
    rest = root.get(address() + first.context["older"])
    assert len(rows(rest, "Transfers")) == 11
    assert not rest.context["older"]


def test_the_page_lists_lots_and_where_they_are_from(root):
    earn()
    spend(60)
    given = Adjustment.objects.create(
        member=Member.objects.get(),
        unit=Unit.objects.get(code="points"),
        amount=5,
        reason="goodwill",
        asked_by=make_superuser("other"),
        asked_at=NOW,
    )
    _give(given)
    lots = rows(root.get(address("change")), "Lots")
    assert [lot[:2] for lot in lots] == [
        ["31 points", "91 points"],
        ["5 points", "5 points"],
    ]
    assert "2026" in lots[0][2]
    assert f"/admin/rewards/purchase/{purchase().pk}/change/" in lots[0][3]
    assert lots[1][2] == "never"
    assert "Adjustment" in lots[1][3]


def _give(adjustment: Adjustment) -> None:
    pot = points_of("alice")
    posting = Posting(
        {Pot(*pot): adjustment.amount},
        Transfer.Source.ADJUSTMENT,
        "1",
        counter=Account.Kind.ADJUSTED,
        adjustment_id=adjustment.pk,
    )
    with transaction.atomic():
        ledger.post([posting], at=NOW)


def test_the_page_lists_what_is_owed(root):
    earn()
    page = root.get(address("change"))
    assert "Debts" not in text_of(page)
    spend(60)
    take_back()
    [debt] = rows(root.get(address("change")), "Debts")
    assert debt[:2] == ["60 points", "91 points"]
    assert "btnorder-1" in debt[2]


def test_the_number_of_queries_does_not_grow(root):
    earn(at=LATER)
    make_transfers(9)
    pages = [address("change"), address()]
    few = [count_queries(root, page) for page in pages]
    for number in range(2, 12):
        earn(str(number))
    make_transfers(100, start=9)
    assert [count_queries(root, page) for page in pages] == few
