"""Files of adjustments in the admin: dry run, two people, progress, one undo."""

import csv
from io import StringIO
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from rewards.bulks import working
from rewards.models import Adjustment, Bulk
from tests.builders import NOW, balances, make_member
from tests.rewards.adjusting import ALL, AVAILABLE, make_units
from tests.staff import client_of, count_queries, make_staff, text_of

pytestmark = pytest.mark.django_db
LIST = "/admin/rewards/bulk/"
UPLOAD = f"{LIST}upload/"
GOOD = "customer_id,unit,amount\nalice,points,500\nbob,USD,3.02\nbob,points,-20\n"
VIEW = ("rewards.view_bulk", "rewards.view_adjustment", "rewards.view_member")


@pytest.fixture
def ann() -> Client:
    return client_of(make_staff(*ALL, *VIEW, username="ann"))


@pytest.fixture
def bea() -> Client:
    return client_of(make_staff(*ALL, *VIEW, username="bea"))


@pytest.fixture(autouse=True)
def people() -> None:
    make_units()
    for name in ("alice", "bob"):
        make_member(name)


def page_of(bulk: Bulk, action: str = "change") -> str:
    return reverse(f"admin:rewards_bulk_{action}", args=[bulk.pk])


def upload(client: Client, content: str = GOOD, name: str = "march.csv") -> Any:
    file = SimpleUploadedFile(name, content.encode(), content_type="text/csv")
    filled = {"file": file, "reason": "campaign", "note": "Spring"}
    return client.post(UPLOAD, filled, follow=True)


def offered(client: Client, bulk: Bulk) -> set[str]:
    text = text_of(client.get(page_of(bulk)))
    actions = ("approve", "apply", "undo", "drop")
    return {name for name in actions if f'href="{page_of(bulk, name)}"' in text}


def test_from_a_file_to_balances_and_back(ann: Client, bea: Client) -> None:
    said = text_of(upload(ann))
    bulk = Bulk.objects.get()
    for words in (
        "Given, points",
        "500 points",
        "$3.02",
        "-20 points",
        "Would fail, points",
        "1 member has less available than the file takes",
        "other than ann",
    ):
        assert words in said
    assert balances() == {}
    assert offered(ann, bulk) == {"drop"}
    assert "t approve of it" in text_of(ann.post(page_of(bulk, "approve")))
    assert offered(bea, bulk) == {"approve", "drop"}
    assert "Would fail, points: -20 points" in text_of(
        bea.get(page_of(bulk, "approve"))
    )
    bea.post(page_of(bulk, "approve"))
    assert offered(ann, bulk) == {"apply", "drop"}
    ann.post(page_of(bulk, "apply"))
    assert "0 %" in text_of(ann.get(page_of(bulk)))
    assert "hx-get" in text_of(ann.get(page_of(bulk, "progress")))
    working.work(at=NOW)
    assert ann.get(page_of(bulk, "progress")).headers["HX-Refresh"] == "true"
    said = text_of(ann.get(page_of(bulk)))
    assert "1 line failed and is listed below" in said
    assert "bob has 0 points available" in said
    assert balances() == {AVAILABLE: 500}
    assert offered(bea, bulk) == {"undo"}
    assert "required" in text_of(bea.post(page_of(bulk, "undo"), {"reason": ""}))
    bea.post(page_of(bulk, "undo"), {"reason": "The wrong list"})
    working.work(at=NOW)
    assert balances() == balances("bob") == {}
    assert offered(bea, bulk) == set()


def test_a_file_with_bad_lines_is_told_and_imports_nothing(ann: Client) -> None:
    lines = "".join(f"=x{n},points,5\n" for n in range(150))
    said = text_of(upload(ann, f"customer_id,unit,amount\n{lines}"))
    assert "150 bad lines" in said
    assert "No member has the id “=x49”." in said
    assert "=x50" not in said
    bulk = Bulk.objects.get()
    assert offered(ann, bulk) == set()
    assert not Adjustment.objects.exists()
    answer = ann.get(page_of(bulk, "faults"))
    rows = list(csv.reader(StringIO(answer.content.decode("utf-8-sig"))))
    assert rows[1] == ["2", "No member has the id “=x0”."]
    assert len(rows) == 151


def test_the_same_file_under_another_name_is_refused(ann: Client, bea: Client) -> None:
    upload(ann)
    said = text_of(upload(bea, GOOD.replace("\n", "\r\n"), "april.csv"))
    assert f"This file came before, as {Bulk.objects.get()} (march.csv" in said


@pytest.mark.parametrize(
    ("content", "told"),
    [("", "empty"), ("alice,points,5\n", "has to name the columns")],
)
def test_what_is_no_such_file_is_refused(ann: Client, content: str, told: str) -> None:
    assert told in text_of(upload(ann, content))
    assert not Bulk.objects.exists()


def test_a_page_costs_the_same_with_many_lines(ann: Client) -> None:
    upload(ann, "customer_id,unit,amount\nalice,points,1\n")
    few = count_queries(ann, page_of(Bulk.objects.get()))
    for n in range(40):
        make_member(f"m{n}")
    lines = "".join(f"m{n},points,5\n" for n in range(40))
    upload(ann, f"customer_id,unit,amount\n{lines}")
    newest = Bulk.objects.latest("pk")
    assert count_queries(ann, page_of(newest)) == few
    assert "Adjustment" in text_of(
        ann.get(f"/admin/rewards/adjustment/?bulk__id__exact={newest.pk}")
    )
