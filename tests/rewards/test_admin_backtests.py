"""Staff ask for a backtest, watch it, give it up, and read what it found."""

import csv
import io

import pytest
from django.urls import reverse

from rewards import backtests
from rewards.models import Backtest, Rule
from rewards.program import vocabulary
from tests.builders import (
    MERCHANT,
    NOW,
    make_merchant,
    per_amount,
    program,
    publish_program,
    purchase,
    rule,
)
from tests.rewards.backtesting import content_of, finish, order
from tests.staff import (
    client_of,
    count_queries,
    make_staff,
    make_superuser,
    said,
    text_of,
)

pytestmark = pytest.mark.django_db
LIST = "/admin/rewards/backtest/"
MINUS_SUM = "=SUM(A1:A9)"


def page_of(backtest: Backtest, page: str = "change") -> str:
    return reverse(f"admin:rewards_backtest_{page}", args=[backtest.pk])


def made(first: int = 1, last: int = 4) -> Backtest:
    """A finished backtest in which every order gains, at a store of its own."""
    for n in range(first, last):
        make_merchant(f"Store {n}", external_id=f"org-{n}", slug=f"store-{n}")
        order(n, f"member-{n}", 1000 * n, merchant=f"org-{n}")
    backtest = backtests.ask(content_of(rule(reward=per_amount("2"))), at=NOW)
    finish(backtest)
    backtest.refresh_from_db()
    return backtest


@pytest.fixture
def live() -> None:
    publish_program(rule())


@pytest.fixture
def root():
    return client_of(make_superuser())


def test_the_draft_is_tried_on_the_days_asked_for(live, root):
    order(1)
    response = root.post(
        reverse("admin:rewards_backtest_try_draft"),
        {"first": "2026-11-01", "last": "2026-11-30"},
    )
    asked = Backtest.objects.get()
    assert response.url == page_of(asked)
    assert asked.digest == vocabulary.digest(
        content_of(rule(), units=program()["units"])
    )
    assert f"{asked.start:%F} {asked.end:%F}" == "2026-11-01 2026-12-01"
    assert asked.asked_by.username == "root"
    assert finish(asked)["earning"] == 1


def test_the_usual_stretch_is_filled_in_and_may_be_emptied(live, root):
    url = reverse("admin:rewards_backtest_try_draft")
    assert 'type="date"' in text_of(root.get(url))
    root.post(url, {"first": "", "last": ""})
    asked = Backtest.objects.get()
    assert (asked.start, asked.end) == (None, None)


def test_days_the_wrong_way_round_and_a_wrong_draft_are_refused(live, root):
    url = reverse("admin:rewards_backtest_try_draft")
    response = root.post(url, {"first": "2026-11-02", "last": "2026-11-01"})
    assert "The last day is before the first." in text_of(response)
    Rule.objects.update(reward={"kind": "fixed", "points": "none"})
    assert "base" in text_of(root.post(url, {"first": "", "last": ""}))
    assert not Backtest.objects.exists()


def test_the_page_of_one_that_runs_has_a_bar_that_follows_it(live, root):
    order(1)
    asked = backtests.ask(content_of(rule()), at=NOW)
    page = text_of(root.get(page_of(asked)))
    assert 'role="progressbar"' in page
    assert "Stores as CSV" not in page
    assert page_of(asked, "progress") in page
    bar = root.get(page_of(asked, "progress"))
    assert 'aria-valuenow="0"' in text_of(bar)
    assert "<html" not in text_of(bar)
    finish(asked)
    assert root.get(page_of(asked, "progress")).headers["HX-Refresh"] == "true"


def test_one_that_runs_can_be_cancelled(live, root):
    order(1)
    asked = backtests.ask(content_of(rule()), at=NOW)
    response = root.post(reverse("admin:rewards_backtest_cancel", args=[asked.pk]))
    assert said(root.get(response.url)) == ["The backtest is cancelled."]
    asked.refresh_from_db()
    assert asked.cancelled_at
    page = text_of(root.get(page_of(asked)))
    assert "cancelled" in page
    assert 'role="progressbar"' not in page


def test_the_result_says_what_the_draft_would_have_cost(live, root):
    page = text_of(root.get(page_of(made())))
    assert "120 points" in page  # 20, 40 and 60
    assert "+60 points" in page
    assert "3 purchases that may earn are in these figures" in page
    assert "$1.20" in page  # of a commission of $6.00
    assert "20.0 %" in page
    assert "Store 3" in page
    assert "member-3" in page
    assert "btnorder-3" in page
    assert "+10 points to +99 points" in page
    assert "base: 30 points → 60 points" in page
    assert "Stores as CSV" in page


def test_every_store_is_in_the_file_and_none_is_a_formula(live, root):
    make_merchant(MINUS_SUM)
    order(1, total=1000, merchant=MERCHANT)
    backtest = backtests.ask(content_of(rule(reward=per_amount("20"))), at=NOW)
    finish(backtest)
    response = root.get(
        reverse("admin:rewards_backtest_stores_as_csv", args=[backtest.pk])
    )
    assert "attachment" in response.headers["Content-Disposition"]
    text = response.content.decode("utf-8-sig")
    head, row = csv.reader(io.StringIO(text))
    assert head[0] == "Store"
    assert row == [
        *(f"'{MINUS_SUM}", MERCHANT, "USD", "1", "1.00"),
        *("0.00", "2.00", "2.00", "1.00", "-1.00"),
    ]


def test_a_failed_one_says_why(live, root):
    order(1)
    asked = backtests.ask(content_of(rule()), at=NOW)
    Backtest.objects.update(error="ProgramError: it is broken", finished_at=NOW)
    assert "it is broken" in text_of(root.get(page_of(asked)))


def test_members_are_shown_to_nobody_without_the_permission(live):
    backtest = made()
    names = {"change": 403, "progress": 403, "stores_as_csv": 403}
    clerk = client_of(make_staff("rewards.view_purchase"))
    assert {
        name: clerk.get(page_of(backtest, name)).status_code for name in names
    } == names
    assert clerk.get(LIST).status_code == 403
    viewer = client_of(make_staff("rewards.view_backtest", username="viewer"))
    assert viewer.get(page_of(backtest)).status_code == 200
    for page in ("try_draft", "cancel"):
        args = [] if page == "try_draft" else [backtest.pk]
        assert (
            viewer.post(
                reverse(f"admin:rewards_backtest_{page}", args=args)
            ).status_code
            == 403
        )


def test_the_result_asks_as_few_questions_whatever_it_names(live, root):
    few = count_queries(root, page_of(made(1, 3)))
    assert count_queries(root, page_of(made(3, 16))) == few


def test_the_list_asks_as_few_questions_however_many_run(live, root):
    order(1)
    for _ in range(2):
        backtests.ask(content_of(rule()), at=NOW)
    few = count_queries(root, LIST)
    for _ in range(5):
        backtests.ask(content_of(rule()), at=NOW)
    assert count_queries(root, LIST) == few


def test_a_purchase_that_is_named_is_linked(live, root):
    backtest = made(1, 2)
    assert f"/admin/rewards/purchase/{purchase().pk}/change/" in text_of(
        root.get(page_of(backtest))
    )
