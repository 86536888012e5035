"""The balance page's money, and the statement: what moved, and what was then there."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from django.utils.formats import date_format

from rewards.models import Unit
from rewards.pages.activity import PAGE_SIZE
from tests.builders import (
    make_api_key,
    publish_program,
    purchase,
    report,
    rule,
    settle_reports,
)
from tests.rewards.spending import LATER, earn, make_transfers, spend, take_back
from tests.rewards.visitors import sign_in, text_of
from tests.staff import count_queries

pytestmark = pytest.mark.django_db


@pytest.fixture
def now():
    """Pages are of the real day."""
    return timezone.now().replace(microsecond=0)


@pytest.fixture
def points(now) -> Unit:
    publish_program(rule(expires_after_days=30), now=now - timedelta(days=99))
    return Unit.objects.get(code="points")


def read(path: str) -> str:
    return text_of(sign_in("alice").get(path))


def test_the_balance_says_what_expires_and_when(points, now):
    earn(at=now)
    day = (now + timedelta(days=30)).date()
    said = f"91 points to use by {date_format(day)}"
    assert said in read("/")


def test_the_balance_names_the_purchase_of_a_debt(points, now):
    earn(at=now)
    spend(60, at=now)
    take_back(at=now)
    said = read("/")
    assert (
        "Your order of Nov. 10, 2026 at Lumen & Oak was returned, so 91 points was"
        " taken back; 60 points of it is still open and comes off what you earn next."
    ) in said
    assert "Open 60 points comes off what you earn next" in said


def test_who_owes_nothing_reads_nothing_of_debts(points, now):
    earn(at=now)
    assert "comes off" not in read("/")


def test_a_statement_says_each_movement_and_what_was_available(points, now):
    earn(at=now, modified_at=now)
    spend(60, at=now)
    said = read("/statement/")
    assert "At the end available: 31 points" in said
    assert "\u221260 points available: 31 points" in said
    assert "Available Order of Nov. 10, 2026 at Lumen & Oak +91 points" in said
    assert "At the start available: 0 points" in said


def test_what_is_pending_moves_nothing_available(points, now):
    settle_reports(report(modified_at=now), at=now)
    said = read("/statement/")
    assert "Pending Order of" in said
    assert "Lumen & Oak 91 points available: 0 points" in said


def test_a_statement_is_of_the_chosen_period(points, now):
    earn(at=now, modified_at=now.replace(year=now.year - 1, month=6, day=15))
    assert "At the start available: 91 points" in read("/statement/")
    said = read(f"/statement/?unit=points&period={now.year - 1}")
    assert "At the start available: 0 points" in said
    assert "At the end available: 91 points" in said
    assert "+91 points" in said


def test_the_purchase_says_what_of_it_is_owed(points, now):
    earn("1", at=now)
    earn("2", 4000, at=now)
    spend(131, at=now)
    take_back("1", at=now)
    assert "91 points of it is still open" in read(f"/activity/{purchase().pk}/")
    other = purchase("btnorder-2")
    assert "still open" not in read(f"/activity/{other.pk}/")


@pytest.mark.parametrize(
    "query",
    ["unit=x", "period=x", "before=x", "before=9-9", "unit=%00&period=%00&before=%00"],
)
def test_an_address_that_is_none_of_ours_shows_the_newest(points, now, query):
    earn(at=now, modified_at=now)
    assert "At the" in read(f"/statement/?{query}")


def test_nobody_sees_the_statement_of_another(points, now):
    earn(at=now, modified_at=now)
    said = text_of(sign_in("bob").get("/statement/"))
    assert "Nothing moved in this period." in said
    assert "91" not in said


def test_a_stranger_signs_in_first(client):
    for path in ("/statement/", "/redeem/", "/redeem/payout/", "/redeem/for/x/"):
        assert client.get(path).url.startswith("/sign-in/")


def test_a_statement_is_read_page_by_page(points, now):
    earn(at=now, modified_at=now)
    make_transfers(PAGE_SIZE)
    alice = sign_in("alice")
    this_year = f"/statement/?period={now.year}"
    first = alice.get(this_year)
    assert len(first.context["entries"]) == PAGE_SIZE
    rest = alice.get(f"{this_year}&before={first.context['following']}")
    assert len(rest.context["entries"]) + PAGE_SIZE == PAGE_SIZE + 1
    assert "Back to the newest" in text_of(rest)


def test_the_number_of_queries_does_not_grow(points):
    earn()
    make_transfers(9)
    alice, host = sign_in("alice"), Client(headers={"Authorization": bearer()})
    asks = [(alice, "/"), (alice, f"/statement/?period={LATER.year}")]
    asks += [(host, f"/api/v1/members/alice/balances/{q}") for q in ("", f"?{THEN}")]
    asks += [(host, f"/api/v1/members/alice/statement/?unit=points&{YEAR}")]
    assert host.get("/api/v1/merchants/").status_code == 200  # notes the key's use
    few = [count_queries(*ask) for ask in asks]
    make_transfers(100_000, start=9)
    assert [count_queries(*ask) for ask in asks] == few
    assert max(few) <= 20


THEN = "as_of=2027-01-01&known_on=2027-01-01"
YEAR = "start=2026-01-01&end=2027-01-01"


def bearer() -> str:
    return f"Bearer {make_api_key()}"
