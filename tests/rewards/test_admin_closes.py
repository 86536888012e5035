"""Closes in the admin: read, signed off, taken along as files."""

import csv
import io
import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from merchants.models import Merchant
from rewards.closing import journal
from rewards.closing.network import Answer
from rewards.models import Close, NetworkAccount, Remittance, Transfer
from tests.builders import make_merchant
from tests.rewards.closing import FIRST, SECOND, THIRD, close, three_days
from tests.staff import client_of, make_staff, make_superuser, said, text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def three() -> list[Close]:
    three_days()
    return [close(day) for day in (FIRST, SECOND, THIRD)]


@pytest.fixture
def ann() -> User:
    return make_staff("rewards.sign_close", "rewards.view_close", username="ann")


def page(name: str, *args: Any) -> str:
    return reverse(f"admin:rewards_{name}", args=args)


def table_of(response: Any) -> list[list[str]]:
    """A downloaded file's rows."""
    content = b"".join(response) if response.streaming else response.content
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))


def test_the_page_names_every_bucket_and_their_sum(three: list[Close]) -> None:
    root = client_of(make_superuser())
    text = text_of(root.get(page("close_change", three[2].pk)))
    for shown in ("Members, pending", "In review", "Rounding", "-$0.28", "$25.75"):
        assert shown in text
    assert "Together $25.75; the commission of 6 orders is $25.75." in text
    assert "2026-11-21 has to be signed off first." in text
    assert "wait for a decision: late." in text
    assert "adds up" in text_of(root.get(page("close_changelist")))


def test_a_difference_is_shown_with_what_is_unexplained(three: list[Close]) -> None:
    Close.objects.all().delete()
    found = close(FIRST, network=Answer(frozenset({"acc-1"}), {}))
    root = client_of(make_superuser())
    text = text_of(root.get(page("close_change", found.pk)))
    assert "the network has $0.00, we have $21.20" in text
    assert "no order explains it" in text
    assert "differs" in text_of(root.get(page("close_changelist")))


def test_a_close_is_signed_off_on_its_page(three: list[Close], ann: User) -> None:
    client = client_of(ann)
    refused = client.post(page("close_sign", three[1].pk), {"note": ""})
    assert "2026-11-20 has to be signed off first" in text_of(refused)
    answer = client.post(page("close_sign", three[0].pk), {"note": "Fine"}, follow=True)
    assert said(answer) == ["2026-11-20 is signed off."]
    three[0].refresh_from_db()
    assert (three[0].signed_by, three[0].note) == (ann, "Fine")
    assert page("close_sign", three[0].pk) not in text_of(answer)


def test_no_button_closes_what_is_closed_already(three: list[Close], ann: User) -> None:
    text = text_of(client_of(ann).get(page("close_change", three[0].pk)))
    labels = [" ".join(words.split()) for words in re.findall(r">([^<>]+)<", text)]
    assert "Sign off this day" in labels
    assert "All daily closes" in labels
    assert "Close" not in labels


def test_a_close_is_drawn_up_anew(three: list[Close], ann: User) -> None:
    answer = client_of(ann).post(page("close_take_back", three[1].pk), follow=True)
    assert said(answer) == ["2 closes are taken back. They are drawn up again soon."]
    assert Close.objects.get() == three[0]


def test_the_journal_is_the_sealed_file(three: list[Close], ann: User) -> None:
    answer = client_of(ann).get(page("close_journal", three[1].pk))
    assert "journal-2026-11-21.jsonl" in answer["Content-Disposition"]
    lines = b"".join(answer).splitlines(keepends=True)
    assert journal.digest(lines[:-1]) == three[1].digest
    verifier = client_of(ann).get(page("close_verifier"))
    assert b"".join(verifier).startswith(b'"""Check journal files')


def test_transfers_are_exported_with_ids_that_stay(
    three: list[Close], ann: User
) -> None:
    client = client_of(ann)
    asked = {"first": str(FIRST), "last": str(THIRD)}
    first = table_of(client.post(page("close_rows"), asked))
    again = table_of(client.post(page("close_rows"), asked))
    assert first == again
    assert first[0] == ["Date", "Id", "Debit", "Credit", "Unit", "Amount", "Reference"]
    ids = [row[1] for row in first[1:]]
    assert ids == [f"transfer-{t.pk}" for t in Transfer.objects.order_by("pk")]
    day = table_of(client.get(page("close_day_rows", three[1].pk)))
    assert day[1:] == [row for row in first if row[0] == str(SECOND)]
    assert ["members:reserved", "program:redeemed", "points", "40"] in [
        row[2:6] for row in first
    ]


def test_a_stretch_that_ends_before_it_begins_is_refused(ann: User) -> None:
    asked = {"first": str(SECOND), "last": str(FIRST)}
    answer = client_of(ann).post(page("close_rows"), asked)
    assert "before the first" in text_of(answer)


@pytest.mark.parametrize("name", ["liability", "breakage", "margins", "unpaid"])
def test_every_report_has_something_to_say_before_the_first_order(name: str) -> None:
    root = client_of(make_superuser())
    assert root.get(page(f"close_{name}")).status_code == 200
    assert len(table_of(root.get(page(f"close_{name}"), {"as": "csv"}))) == 1


def test_the_liability_of_a_day_is_shown_and_drawn(three: list[Close]) -> None:
    root = client_of(make_superuser())
    answer = root.get(
        page("close_liability"), {"as_of": str(FIRST), "known_on": str(FIRST)}
    )
    (row,) = answer.context["report"].tables[0].rows
    assert row[1:] == ["91", "233", "0", "0", "324", "$0.97"]
    assert "polyline" in answer.content.decode()
    rows = table_of(root.get(page("close_liability"), {"as": "csv"}))
    assert [row[2:8] for row in rows[1:]] == [
        ["91", "233", "0", "0", "324", "0.97"],
        ["91", "203", "10", "0", "304", "0.91"],
        ["91", "203", "10", "91", "213", "0.63"],
    ]


def test_nonsense_in_the_address_shows_today(three: list[Close]) -> None:
    root = client_of(make_superuser())
    for name in ("liability", "margins"):
        asked = {"as_of": "x", "first": "y", "last": "9999-99-99"}
        assert root.get(page(f"close_{name}"), asked).status_code == 200


def test_breakage_is_by_the_month_of_the_lot(three: list[Close]) -> None:
    root = client_of(make_superuser())
    rows = table_of(root.get(page("close_breakage"), {"as": "csv"}))
    # Five orders of 91; emil's were spent before they were taken back.
    assert rows[1] == ["2026-11", "points", "455", "131", "91", "10", "203", "20", "20"]


def test_a_stores_margin_is_less_what_was_not_paid_back() -> None:
    store = make_merchant("=Lumen", external_id="org-71d0be5529aa4f03")
    three_days()
    root = client_of(make_superuser())
    asked = {"first": "2026-11-01", "last": "2026-11-30", "as": "csv"}
    rows = {row[0]: row[1:] for row in table_of(root.get(page("close_margins"), asked))}
    # pending, spent, adjusted, late and nobody's, less 364 points; 91 were not paid.
    assert rows["'=Lumen"] == ["USD", "5", "21.20", "1.09", "0.27", "19.84", ""]
    assert Merchant.objects.filter(pk=store.pk).exists()
    shown = root.get(
        page("close_margins"), {"first": "2026-11-01", "last": "2026-11-30"}
    )
    assert "$19.84" in text_of(shown)


def test_commission_that_was_not_paid_is_shown(three: list[Close]) -> None:
    account = NetworkAccount.objects.get()
    client: Client = client_of(make_superuser())
    form = {
        "account": account.pk,
        "paid": "10.00",
        "currency": "USD",
        "received_on": str(SECOND),
        "reference": "March",
    }
    answer = client.post(page("remittance_add"), form, follow=True)
    assert answer.status_code == 200
    paid = Remittance.objects.get()
    assert (paid.amount, paid.currency, str(paid.entered_by)) == (1000, "USD", "root")
    rows = table_of(client.get(page("close_unpaid"), {"as": "csv"}))
    # Given: what is available, reserved and redeemed.
    assert rows[1] == ["acc-1", "USD", "18.20", "10.00", "8.20", "1.02", "0.00"]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"paid": "10.001"}, "USD has 2 decimals"),
        ({"paid": "0"}, "no amount"),
        ({"paid": "1e30"}, ""),
        ({"paid": "NaN"}, "Enter a number"),
        ({"currency": "XXX"}, "not one of the available choices"),
        ({"reference": ""}, "required"),
    ],
)
def test_a_remittance_that_makes_no_sense_is_refused(
    three: list[Close], change: dict[str, str], why: str
) -> None:
    form = {
        "account": NetworkAccount.objects.get().pk,
        "paid": "10",
        "currency": "USD",
        "received_on": str(SECOND),
        "reference": "March",
        **change,
    }
    answer = client_of(make_superuser()).post(page("remittance_add"), form)
    assert why in text_of(answer)
    assert not Remittance.objects.exists()


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
def test_the_ends_of_the_calendar_are_refused(day: str) -> None:
    root, asked = client_of(make_superuser()), {"first": day, "last": day}
    for name in ("liability", "margins"):
        text = text_of(root.get(page(f"close_{name}"), {"as_of": day, **asked}))
        assert "Ensure this value is" in text
    assert "Ensure this value is" in text_of(root.post(page("close_rows"), asked))


@pytest.mark.parametrize("name", ["changelist", "liability", "unpaid"])
def test_the_menu_marks_the_page_and_no_other(name: str) -> None:
    address = page(f"close_{name}")
    shown = client_of(make_superuser()).get(address).context["sidebar_navigation"]
    items = [item for group in shown for item in group["items"]]
    assert [str(item["link"]) for item in items if item["active"]] == [address]
