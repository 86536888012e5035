"""Polling through real HTTP: what Button has is settled, whatever happens."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from ingestion import polling, windows
from ingestion.accounts import discover
from ingestion.button.client import ButtonClient
from ingestion.button.errors import Broken, ButtonError, Failing, Rejected, Unauthorized
from ingestion.button.sandbox import Sandbox, wire
from ingestion.models import Alarm, InboundEvent, Poll, Sighting, Window
from ingestion.windows import OutOfTime, Reading
from rewards import leases
from rewards.leases import Busy, Lease, LeaseLost, hold
from rewards.models import Purchase, Report, Transfer
from tests.builders import balances, post_webhook, publish_program, webhook_body

pytestmark = pytest.mark.django_db(transaction=True)

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def poll(client: ButtonClient, *, at: datetime | None = None, **reading: Any) -> Poll:
    """Poll the dollar account once, as the worker does."""
    polls = discover(client, at=at or now())
    dollars = next(p for p in polls if p.account.currency == "USD")
    dollars.refresh_from_db()
    with hold(dollars) as lease:
        polling.poll_now(dollars, Reading(client, lease, **reading), at=at or now())
    return dollars


def test_what_button_has_is_settled(
    button: Sandbox, client_of_button: ButtonClient
) -> None:
    publish_program()
    for customer in ("alice", "bob", "alice", "carol"):
        order = button.place(customer=customer, total=5000, at=now() - HOUR)
    button.validate(order.id)
    poll(client_of_button)
    assert balances("alice") == {("points", "pending"): 100}
    assert balances("carol") == {("points", "available"): 50}
    assert Purchase.objects.count() == 4
    assert set(Report.objects.values_list("source", flat=True)) == {"poll"}


def test_polling_again_changes_nothing(
    button: Sandbox, client_of_button: ButtonClient
) -> None:
    publish_program()
    button.place(customer="alice", total=5000, at=now() - HOUR)
    poll(client_of_button)
    before = (InboundEvent.objects.count(), Sighting.objects.count())
    poll(client_of_button)
    assert (InboundEvent.objects.count(), Sighting.objects.count()) == before
    assert balances("alice") == {("points", "pending"): 50}


def test_a_state_that_a_webhook_brought_is_known_to_a_poll(
    client: Any, button: Sandbox, client_of_button: ButtonClient
) -> None:
    publish_program()
    order = button.place(customer="alice", total=5000, at=now() - HOUR)
    poll(client_of_button)
    assert (
        post_webhook(
            client,
            webhook_body(wire.webhook_data(order, organization=button.organization)),
        ).status_code
        == 200
    )
    call_command("process_events")
    assert balances("alice") == {("points", "pending"): 50}
    assert Transfer.objects.count() == 1
    webhook = InboundEvent.objects.get(source="webhook")
    assert webhook.purchase == Purchase.objects.get()
    assert webhook.purchase.order_number == order.order_number


def test_the_mark_is_the_newest_time_that_was_read(
    button: Sandbox, client_of_button: ButtonClient
) -> None:
    changed = now() - 3 * DAY
    button.place(customer="alice", at=changed)
    button.place(customer="alice", at=changed - DAY)
    assert poll(client_of_button).mark == changed
    # A day later nothing is new, and the mark stays where the network put it.
    assert poll(client_of_button, at=now() + DAY).mark == changed


def test_a_mark_of_tomorrow_hides_nothing_of_today(
    button: Sandbox, client_of_button: ButtonClient
) -> None:
    button.place(customer="alice", at=now() + 20 * HOUR)
    poll(client_of_button)
    button.place(customer="bob", at=now())
    poll(client_of_button)
    assert Purchase.objects.count() == 2


def test_a_first_poll_reaches_thirty_days_back(
    button: Sandbox, client_of_button: ButtonClient
) -> None:
    button.place(customer="old", at=now() - 31 * DAY)
    button.place(customer="recent", at=now() - 29 * DAY)
    poll(client_of_button)
    assert [p.customer_id for p in Purchase.objects.all()] == ["recent"]


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("html", Broken),
        ("truncated", ButtonError),
        ("reset", ButtonError),
        ("broken", Failing),
        ("unauthorized", Unauthorized),
        ("throttled", ButtonError),
        ("repeated", Broken),
    ],
)
def test_trouble_loses_nothing_and_does_not_move_the_mark(
    button: Sandbox,
    client_of_button: ButtonClient,
    fault: str,
    error: type[Exception],
) -> None:
    publish_program()
    for _ in range(10):
        button.place(customer="alice", total=1000, at=now() - HOUR)
    times = 3 if fault == "repeated" else 1  # a page that comes twice is no loop yet
    where = "" if fault == "repeated" else "/v1/affiliation/accounts/"
    discover(client_of_button, at=now())
    button.faults.set(fault, next=times, only=where)
    with pytest.raises(error):
        poll(client_of_button)
    assert not Poll.objects.exclude(mark=None).exists()
    assert not Window.objects.filter(finished_at__isnull=False, rows__gt=0).exists()
    poll(client_of_button)
    assert balances("alice") == {("points", "pending"): 100}
    assert Purchase.objects.count() == 10


def test_an_interrupted_window_goes_on_where_it_was(
    button: Sandbox, client_of_button: ButtonClient
) -> None:
    for _ in range(10):
        button.place(customer="alice", at=now() - HOUR)
    with pytest.raises(OutOfTime):
        poll(client_of_button, expired=lambda: Purchase.objects.count() >= 6)
    left = Window.objects.get(finished_at=None)
    assert (left.pages, left.rows) == (2, 6)
    assert Purchase.objects.count() == 6
    poll(client_of_button)
    left.refresh_from_db()
    assert (left.pages, left.rows) == (4, 10)
    assert Purchase.objects.count() == 10


def test_an_expired_cursor_starts_its_window_over(
    button: Sandbox, client_of_button: ButtonClient
) -> None:
    for _ in range(10):
        button.place(customer="alice", at=now() - HOUR)
    with pytest.raises(OutOfTime):
        poll(client_of_button, expired=lambda: Purchase.objects.count() >= 6)
    button.faults.set("expired", next=1)
    poll(client_of_button)
    window = Window.objects.get(rows__gt=0)
    assert (window.restarts, window.rows) == (1, 10)
    assert Purchase.objects.count() == 10


def test_a_next_page_elsewhere_is_read_at_home_and_alarmed(
    button: Sandbox, client_of_button: ButtonClient
) -> None:
    for _ in range(7):
        button.place(customer="alice", at=now() - HOUR)
    button.faults.set("elsewhere", probability=1)
    poll(client_of_button)
    assert Purchase.objects.count() == 7
    alarm = Alarm.objects.get(kind="foreign_next")
    assert alarm.ended_at is None


def test_two_pollers_never_run_one_account(
    button: Sandbox, client_of_button: ButtonClient
) -> None:
    dollars = poll(client_of_button)
    with hold(dollars), pytest.raises(Busy):
        poll(client_of_button)
    Poll.objects.update(due_at=None)
    with hold(dollars):
        assert not polling.attempt(dollars, client_of_button, at=now())


def test_whoever_lost_the_lease_writes_nothing_more(
    button: Sandbox, client_of_button: ButtonClient
) -> None:
    for _ in range(7):
        button.place(customer="alice", at=now() - HOUR)

    def usurp(window: Window) -> None:
        if window.rows:
            Poll.objects.update(held_by="somebody else")

    with pytest.raises(LeaseLost):
        poll(client_of_button, progressed=usurp)
    window = Window.objects.get(finished_at=None)
    assert (window.pages, window.rows) == (1, 3)
    assert Poll.objects.get(account__currency="USD").held_by == "somebody else"


def test_a_dead_poller_only_delays(
    button: Sandbox,
    client_of_button: ButtonClient,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dollars = poll(client_of_button)
    monkeypatch.setattr(leases, "LEASE", timedelta(seconds=-1))
    leases.Lease(dollars).take()  # and dies
    monkeypatch.undo()
    button.place(customer="alice", at=now())
    poll(client_of_button)
    dollars.refresh_from_db()
    assert dollars.held_by == ""
    assert Purchase.objects.count() == 1


def test_a_row_that_nobody_understands_stops_no_other(
    button: Sandbox, client_of_button: ButtonClient
) -> None:
    publish_program()
    button.place(customer="alice", total=1000, category="mystery", at=now() - HOUR)
    button.place(customer="alice", total=1000, at=now() - HOUR)
    poll(client_of_button)
    assert balances("alice") == {("points", "pending"): 10}
    bad = InboundEvent.objects.get(outcome="quarantined")
    assert bad.source == "poll"
    assert "mystery" in bad.reason


def test_pages_settle_while_the_next_is_fetched(
    button: Sandbox, client_of_button: ButtonClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(6):
        button.place(customer="alice", at=now() - HOUR)
    asked: list[str] = []
    settled: list[int] = []
    fetch = windows._fetch

    def watched(window: Window, client: ButtonClient, cursor: str) -> Any:
        asked.append(cursor)
        return fetch(window, client, cursor)

    monkeypatch.setattr(windows, "_fetch", watched)
    poll(client_of_button, progressed=lambda w: settled.append(len(asked)))
    assert settled[-2:] == [len(asked), len(asked)]


@pytest.mark.parametrize(("events", "minutes"), [(0, 30), (1, 5)])
def test_the_pace_follows_the_traffic(
    button: Sandbox, client_of_button: ButtonClient, events: int, minutes: int
) -> None:
    for _ in range(events):
        button.place(customer="alice", at=now())
    polled = poll(client_of_button)
    assert polled.due_at
    wait = polled.due_at - (polled.read_at or now())
    assert timedelta(minutes=minutes) <= wait <= timedelta(minutes=minutes * 1.1)


def test_an_order_wakes_a_quiet_account(
    client: Any, button: Sandbox, client_of_button: ButtonClient
) -> None:
    quiet = poll(client_of_button)
    assert not polling.is_due(quiet, at=now() + timedelta(minutes=6))
    order = button.place(customer="alice", at=now())
    data = wire.webhook_data(order, organization=button.organization)
    post_webhook(client, webhook_body(data))
    call_command("process_events")
    assert not polling.is_due(quiet, at=now() + timedelta(minutes=4))
    assert polling.is_due(quiet, at=now() + timedelta(minutes=6))


def test_a_window_that_always_fails_does_not_starve_following(
    button: Sandbox, client_of_button: ButtonClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    dollars = poll(client_of_button)
    polling.ask_for(
        dollars.account,
        purpose=Window.Purpose.BACKFILL,
        start=now() - 300 * DAY,
        end=now() - 299 * DAY,
        at=now(),
    )
    fetch = windows._fetch

    def refused(window: Window, client: ButtonClient, cursor: str) -> Any:
        if window.purpose == "backfill":
            raise Rejected("The window is too old.", status=400)
        return fetch(window, client, cursor)

    monkeypatch.setattr(windows, "_fetch", refused)
    button.place(customer="alice", at=now())
    for minutes in range(40):
        polling.poll_due(client_of_button, at=now() + timedelta(minutes=minutes))
    assert Purchase.objects.count() == 1
    failing = Window.objects.get(purpose="backfill")
    assert "too old" in failing.note
    assert Poll.objects.get(account=dollars.account).error == ""


def test_a_wider_stretch_reads_more_than_a_narrower_one_left(
    button: Sandbox, client_of_button: ButtonClient
) -> None:
    dollars = poll(client_of_button)
    start = now() - 60 * DAY
    account, backfill = dollars.account, Window.Purpose.BACKFILL
    first, last = start + 28 * DAY, start + 32 * DAY
    narrow = polling.ask_for(
        account, purpose=backfill, start=first, end=last, at=now() - HOUR
    )
    wide = polling.ask_for(account, purpose=backfill, start=start, end=now(), at=now())
    assert not {w.pk for w in narrow} & {w.pk for w in wide}
    assert wide[0].start == start
    again = polling.ask_for(
        account, purpose=backfill, start=start, end=wide[-1].end, at=now() + HOUR
    )
    assert [w.pk for w in again] == [w.pk for w in wide]


@pytest.mark.parametrize("status", [400, 404, 410])
def test_a_dead_cursor_is_given_up_however_it_is_refused(
    button: Sandbox,
    client_of_button: ButtonClient,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
) -> None:
    for _ in range(10):
        button.place(customer="alice", at=now() - HOUR)
    with pytest.raises(OutOfTime):
        poll(client_of_button, expired=lambda: Purchase.objects.count() >= 6)
    dead = [Window.objects.get(finished_at=None).cursor]
    fetch = windows._fetch

    def refused(window: Window, client: ButtonClient, cursor: str) -> Any:
        if cursor in dead:
            dead.remove(cursor)
            raise Broken("An answer without an envelope.", status=status)
        return fetch(window, client, cursor)

    monkeypatch.setattr(windows, "_fetch", refused)
    poll(client_of_button)
    window = Window.objects.get(rows__gt=0)
    assert (window.restarts, window.rows, Purchase.objects.count()) == (1, 10, 10)


def test_a_cursor_that_waited_for_hours_is_not_even_tried(
    button: Sandbox, client_of_button: ButtonClient
) -> None:
    for _ in range(10):
        button.place(customer="alice", at=now() - HOUR)
    with pytest.raises(OutOfTime):
        poll(client_of_button, expired=lambda: Purchase.objects.count() >= 6)
    Window.objects.filter(finished_at=None).update(read_at=now() - 2 * HOUR)
    poll(client_of_button)
    window = Window.objects.get(rows__gt=0)
    assert (window.restarts, window.rows, Purchase.objects.count()) == (1, 10, 10)


def test_a_long_pause_that_button_asks_for_is_kept(
    button: Sandbox, client_of_button: ButtonClient
) -> None:
    dollars = poll(client_of_button)
    Poll.objects.update(due_at=None)
    button.faults.set("throttled", next=1, seconds=600)
    at = now()
    polling.attempt(dollars, client_of_button, at=at)
    dollars.refresh_from_db()
    assert dollars.due_at == at + timedelta(seconds=600)


def test_a_row_without_an_account_belongs_to_the_list_it_stood_in(
    button: Sandbox, client_of_button: ButtonClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unnamed(order: Any, **kwargs: Any) -> dict[str, Any]:
        return {**api_row(order, **kwargs), "account_id": None}

    api_row = wire.api_row
    monkeypatch.setattr(wire, "api_row", unnamed)
    button.place(customer="alice", at=now() - HOUR)
    poll(client_of_button)
    assert Purchase.objects.get().account.external_id == button.account("USD")


class TestCommand:
    """`poll_transactions`, as operators and black-box checks use it."""

    def test_it_polls_every_account_and_settles(self, button: Sandbox) -> None:
        publish_program()
        button.place(customer="alice", total=1000, at=now() - HOUR)
        button.place(customer="bob", total=2000, currency="GBP", at=now() - HOUR)
        call_command("poll_transactions")
        assert balances("alice") == {("points", "pending"): 10}
        assert balances("bob") == {("points", "pending"): 20}

    def test_one_account_alone(self, button: Sandbox) -> None:
        button.place(customer="alice", at=now() - HOUR)
        button.place(customer="bob", currency="GBP", at=now() - HOUR)
        call_command("poll_transactions", account=button.account("GBP"))
        assert Purchase.objects.get().customer_id == "bob"

    def test_a_backfill_reads_its_stretch_and_leaves_the_mark(
        self, button: Sandbox
    ) -> None:
        start = now().replace(hour=0, minute=0, second=0) - 100 * DAY
        for days in (0, 50, 99, 100):
            button.place(customer=f"day{days}", at=start + days * DAY)
        end = start + 100 * DAY
        call_command("poll_transactions", f"--start={start:%F}", f"--end={end:%F}")
        found = set(Purchase.objects.values_list("customer_id", flat=True))
        assert found == {"day0", "day50", "day99"}
        assert set(Poll.objects.values_list("mark", flat=True)) == {None}

    def test_an_interrupted_backfill_goes_on(
        self, button: Sandbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        start = now().replace(hour=0, minute=0, second=0) - 40 * DAY
        for days in range(0, 40, 5):
            button.place(customer=f"day{days}", at=start + days * DAY)
        given = [
            f"--start={start:%F}",
            f"--end={start + 40 * DAY:%F}",
            f"--account={button.account('USD')}",
        ]
        keep = windows._keep_place

        def die_at_the_third(window: Window, lease: Lease, **place: Any) -> None:
            if Window.objects.filter(finished_at__isnull=False).count() == 2:
                raise KeyboardInterrupt
            keep(window, lease, **place)

        monkeypatch.setattr(windows, "_keep_place", die_at_the_third)
        with pytest.raises(KeyboardInterrupt):
            call_command("poll_transactions", *given)
        monkeypatch.undo()
        asked = Window.objects.count()
        call_command("poll_transactions", *given)
        assert Window.objects.count() == asked
        assert not Window.objects.filter(finished_at=None).exists()
        assert Purchase.objects.count() == 8

    def test_it_fails_where_an_account_could_not_be_read(self, button: Sandbox) -> None:
        button.place(customer="alice", at=now() - HOUR)
        button.faults.set("forbidden", probability=1, only="/v1/affiliation/accounts/")
        with pytest.raises(CommandError) as failed:
            call_command("poll_transactions")
        assert failed.value.returncode == 1
        assert Poll.objects.exclude(error="").exists()

    @pytest.mark.parametrize(
        "given",
        [
            ["--start=2026-01-02", "--end=2026-01-01"],
            ["--account=acc-unknown"],
            ["--start=yesterday"],
        ],
    )
    def test_wrong_use_exits_2(self, button: Sandbox, given: list[str]) -> None:
        with pytest.raises(CommandError) as failed:
            call_command("poll_transactions", *given)
        assert failed.value.returncode in (1, 2)
        assert not Window.objects.exists()

    def test_without_a_key_it_says_so(self, settings: Any) -> None:
        settings.BUTTON_API_KEY = ""
        with pytest.raises(CommandError, match="BUTTON_API_KEY"):
            call_command("poll_transactions")
