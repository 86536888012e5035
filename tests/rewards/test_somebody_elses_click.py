"""A report that names one member and our click of another: a link edited or shared."""

from dataclasses import replace
from typing import Any

import pytest

from rewards.decisions import assign, resolve
from rewards.models import Report
from rewards.reports import PurchaseReport
from tests.builders import (
    NOW,
    balances,
    make_click,
    make_member,
    publish_program,
    purchase,
    report,
    settle_reports,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def edition() -> None:
    publish_program()


def told_by_link(**changes: Any) -> PurchaseReport:
    click = make_click(customer_id="carol")
    return report(customer_id="alice", click_reference=click.reference, **changes)


def test_it_waits_for_staff() -> None:
    settle_reports(told_by_link())
    assert "another member, carol" in purchase().review
    assert balances("alice") == balances("carol") == {}


def test_staff_assign_it() -> None:
    told = told_by_link()
    settle_reports(told)
    member = make_member("alice")
    assign(purchase(), member=member, reason="Shared link.", by=None, at=NOW)
    assert purchase().review == ""
    assert balances("alice") == {("points", "pending"): 91}


def test_staff_resolve_it_once_and_for_all() -> None:
    told = told_by_link()
    settle_reports(told)
    stored = Report.objects.get()
    resolve(purchase(), report=stored, reason="Looked.", by=None, at=NOW)
    assert balances("alice") == {("points", "pending"): 91}
    later = replace(told, status="validated", modified_at=NOW)
    settle_reports(later)
    assert purchase().review == ""
    assert balances("alice") == {("points", "available"): 91}


def test_a_reference_that_is_not_ours_says_nothing() -> None:
    make_click(customer_id="carol", reference="not-signed")
    settle_reports(report(customer_id="alice", click_reference="not-signed"))
    assert purchase().review == ""
    assert balances("alice") == {("points", "pending"): 91}


def test_without_a_customer_id_the_click_names_the_member() -> None:
    click = make_click(customer_id="carol")
    settle_reports(report(customer_id="", click_reference=click.reference))
    assert balances("carol") == {("points", "pending"): 91}
    assert purchase().click == click
