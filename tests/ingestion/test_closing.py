"""Closing days against Button: asked first, and closed without it in the end."""

from datetime import UTC, date, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from ingestion import closing, sweeps
from ingestion.button.client import ButtonClient
from ingestion.button.sandbox import Sandbox
from ingestion.models import Job, Poll, Reconciliation
from rewards.closing import closes, days
from rewards.leases import hold
from rewards.models import Close, NetworkAccount, Transfer
from tests.builders import publish_program, report, rule, settle_reports

pytestmark = pytest.mark.django_db(transaction=True)

DAY = timedelta(days=1)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


def today() -> datetime:
    """The beginning of the day on which everything was told."""
    told = Transfer.objects.latest("recorded_at").recorded_at
    return told.replace(hour=0, minute=0, second=0, microsecond=0)


def next_morning() -> datetime:
    return today() + DAY + 20 * MINUTE


@pytest.fixture
def placed(button: Sandbox) -> list[Any]:
    """Four orders of today, polled."""
    publish_program()
    now = datetime.now(UTC).replace(microsecond=0)
    orders = [button.place(customer="alice", total=1000 + n, at=now) for n in range(4)]
    call_command("poll_transactions")
    return orders


def work(client: ButtonClient, *, at: datetime) -> list[date]:
    """Two ticks of the clock, and the comparisons between them."""
    first = closing.close_days(at=at)
    sweeps.compare_next(client, at=at)
    return first + closing.close_days(at=at)


def test_a_day_is_closed_once_it_was_compared(
    placed: list[Any], client_of_button: ButtonClient
) -> None:
    assert closing.close_days(at=next_morning()) == []
    asked = Reconciliation.objects.get()
    assert (asked.start, asked.end) == (today(), today() + DAY)
    assert closing.close_days(at=next_morning()) == []
    assert Reconciliation.objects.count() == 1
    sweeps.compare_next(client_of_button, at=next_morning())
    assert closing.close_days(at=next_morning()) == [today().date()]
    found = Close.objects.get()
    assert (found.differences, found.figures["network"]) == ([], "")
    assert sum(row["purchases"] for row in found.figures["rows"]) == 4
    assert closing.close_days(at=next_morning()) == []


def test_what_differs_is_listed_by_order(
    button: Sandbox, placed: list[Any], client_of_button: ButtonClient
) -> None:
    lost = button.place(customer="bob", total=5000, at=placed[0].created_at)
    declined = placed[1]
    button.decline(declined.id, at=declined.modified_at + timedelta(seconds=5))
    with button.state.change() as db:
        db.execute("DELETE FROM transactions WHERE id = ?", (placed[2].id,))
    assert work(client_of_button, at=next_morning()) == [today().date()]
    (found,) = Close.objects.get().differences
    assert found["unexplained"] == 0
    assert sorted(found["orders"]) == sorted(
        [
            [lost.order_id, lost.commission, "missing here"],
            [declined.order_id, -declined.commission, "different"],
            [placed[2].order_id, -placed[2].commission, "missing at the network"],
        ]
    )
    assert found["difference"] == sum(order[1] for order in found["orders"])


def test_without_a_key_a_day_is_closed_all_the_same(
    placed: list[Any], settings: Any
) -> None:
    settings.BUTTON_API_KEY = ""
    assert closing.close_days(at=next_morning()) == [today().date()]
    assert Close.objects.get().figures["network"] == closing.NO_KEY
    assert not Reconciliation.objects.exists()


def test_without_a_polled_account_nothing_is_asked(placed: list[Any]) -> None:
    Poll.objects.update(enabled=False)
    assert closing.close_days(at=next_morning()) == [today().date()]
    assert Close.objects.get().figures["network"] == closing.NO_ACCOUNT


def test_a_network_that_fails_is_waited_for_a_day(
    button: Sandbox, placed: list[Any], client_of_button: ButtonClient
) -> None:
    button.faults.set("broken", probability=1)
    assert work(client_of_button, at=next_morning()) == []
    assert closing.close_days(at=next_morning() + 23 * HOUR) == []
    assert closing.close_days(at=next_morning() + DAY)[0] == today().date()
    assert Close.objects.get(day=today().date()).figures["network"] == closing.NO_ANSWER


def test_a_part_of_an_answer_is_no_answer(
    button: Sandbox, placed: list[Any], client_of_button: ButtonClient
) -> None:
    other = NetworkAccount.objects.create(
        network="button", external_id="acc-unknown", first_seen_at=next_morning()
    )
    Poll.objects.create(account=other, enabled=True)
    assert work(client_of_button, at=next_morning()) == []
    done = Reconciliation.objects.get()
    assert done.finished_at
    assert done.error
    assert closing.close_days(at=next_morning() + 59 * MINUTE) == []
    assert Reconciliation.objects.count() == 1
    assert closing.close_days(at=next_morning() + 61 * MINUTE) == []
    assert Reconciliation.objects.count() == 2


def test_days_that_were_missed_are_closed_one_after_another(
    placed: list[Any], settings: Any
) -> None:
    settings.BUTTON_API_KEY = ""
    assert closing.close_days(at=next_morning() + 3 * DAY) == [
        (today() + n * DAY).date() for n in range(4)
    ]


def close_by_hand() -> list[str]:
    out = StringIO()
    call_command("close_days", stdout=out)
    return [line.rsplit(",", 1)[0] for line in out.getvalue().splitlines()]


@pytest.fixture
def three_days_ago() -> date:
    """The last three days are to be closed, with three transfers on the first."""
    publish_program(rule())
    today = (datetime.now(UTC) - days.SETTLES).replace(hour=12)
    at = today - 3 * DAY
    settle_reports(
        *(report(order_id=f"o{n}", transaction_id=f"t{n}") for n in range(3)), at=at
    )
    return at.date()


def test_by_hand_every_day_is_closed_however_long_it_takes(
    three_days_ago: date,
) -> None:
    names = [f"{three_days_ago + n * DAY}, {n + 1} of 3" for n in range(3)]
    closed = [f"{name}: closed, 0 transfers" for name in names]
    closed[0] = f"{names[0]}: closed, 3 transfers"
    assert close_by_hand() == closed
    assert close_by_hand() == ["No day is to be closed."]
    assert Close.objects.count() == 3


def test_by_hand_button_is_asked_first(button: Sandbox, three_days_ago: date) -> None:
    call_command("poll_transactions")
    assert len(close_by_hand()) == 3
    assert set(Close.objects.values_list("figures__network", flat=True)) == {""}
    assert Reconciliation.objects.exclude(finished_at=None).count() == 3


def test_by_hand_a_day_that_button_does_not_tell_of_waits(
    button: Sandbox, three_days_ago: date
) -> None:
    call_command("poll_transactions")
    button.faults.set("broken", probability=1)
    with pytest.raises(CommandError, match=f"{three_days_ago} could not be compared"):
        close_by_hand()
    assert not Close.objects.exists()


def test_stopped_by_hand_it_leaves_whole_days_and_goes_on(
    three_days_ago: date, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[object] = []

    def stop(close: Close, *args: Any, **kwargs: Any) -> None:
        begun.append(close)
        if len(begun) == 2:
            raise KeyboardInterrupt
        fill(close, *args, **kwargs)

    fill = closes._fill
    monkeypatch.setattr(closes, "_fill", stop)
    with pytest.raises(KeyboardInterrupt):
        close_by_hand()
    assert Close.objects.get().day == three_days_ago
    assert Job.objects.get().held_until is None
    assert len(close_by_hand()) == 2


def test_by_hand_and_by_a_worker_it_is_done_by_one(three_days_ago: date) -> None:
    with (
        hold(Job.objects.create(name=Job.CLOSES)),
        pytest.raises(CommandError, match="A worker is closing days"),
    ):
        close_by_hand()
    assert not Close.objects.exists()
