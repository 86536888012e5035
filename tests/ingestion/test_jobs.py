"""Periodic work: done once however many beats fire, and never lost by a failure."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.core.management import call_command
from django.db import connection

from ingestion import closing, jobs, sweeps
from ingestion.accounts import discover
from ingestion.alarms import EACH_MINUTE, check
from ingestion.button.client import ButtonClient
from ingestion.button.sandbox import Sandbox
from ingestion.models import Alarm, Job, Poll, Reconciliation, Refusal, Window
from ingestion.polling import poll_due
from ingestion.reconciliation import begin
from rewards.leases import hold
from rewards.models import Purchase
from tests.builders import balances, publish_program

pytestmark = pytest.mark.django_db(transaction=True)

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def test_every_job_runs_once_and_then_when_it_is_due(
    button: Sandbox, client_of_button: ButtonClient
) -> None:
    at = now()
    assert set(jobs.run_due(client_of_button, at=at)) == set(jobs.PERIODIC)
    assert not Job.objects.exclude(error="").exists()
    assert jobs.run_due(client_of_button, at=at) == []
    later = jobs.run_due(client_of_button, at=at + timedelta(minutes=1))
    assert set(later) == {"alarms", "comparisons"}


def test_a_job_that_somebody_runs_is_left_alone(
    button: Sandbox, client_of_button: ButtonClient
) -> None:
    job = Job.objects.create(name="accounts")
    with hold(job):
        assert "accounts" not in jobs.run_due(client_of_button, at=now())
    assert not Poll.objects.exists()


def test_a_failure_is_noted_and_tried_again(
    button: Sandbox, client_of_button: ButtonClient
) -> None:
    button.faults.set("broken", probability=1)
    at = now()
    jobs.run_due(client_of_button, at=at)
    failed = Job.objects.get(name="accounts")
    assert "500" in failed.error
    assert failed.due_at == at + jobs.AFTER_TROUBLE
    button.faults.clear()
    assert "accounts" in jobs.run_due(client_of_button, at=at + jobs.AFTER_TROUBLE)
    failed.refresh_from_db()
    assert failed.error == ""
    assert Poll.objects.exists()


@contextmanager
def interrupted_after(seconds: float) -> Iterator[None]:
    """As Celery does it: by a signal, wherever the work is just then."""

    def stop(*_: object) -> None:
        raise SoftTimeLimitExceeded

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


SLOW = {
    "postgresql": "SELECT pg_sleep(20)",
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
    " WHERE i < 3000000) SELECT MAX(i) FROM n",
}


@pytest.mark.parametrize("key", ["sk-test", ""])
def test_work_that_takes_too_long_is_told_with_what_to_do(
    key: str,
    button: Sandbox,
    client_of_button: ButtonClient,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first close of a large database, stopped in the middle of a query."""

    def closes(at: datetime) -> None:
        connection.cursor().execute(SLOW[connection.vendor])

    settings.BUTTON_API_KEY = key
    monkeypatch.setattr(closing, "close_days", closes)
    at = now()
    Job.objects.bulk_create(
        Job(name=name, due_at=at + HOUR)
        for name in jobs.PERIODIC
        if name not in (Job.CLOSES, "pruning")
    )
    with interrupted_after(0.2), pytest.raises(SoftTimeLimitExceeded):
        jobs.run_due(client_of_button, at=at)
    stopped = Job.objects.get(name=Job.CLOSES)
    assert (stopped.due_at, stopped.held_until) == (at + jobs.AFTER_TROUBLE, None)
    check(at=at, looking=EACH_MINUTE)
    alarm = Alarm.objects.get(ended_at=None)
    assert (alarm.kind, alarm.subject) == (Alarm.Kind.JOB_FAILING, Job.CLOSES)
    assert "Run `manage.py close_days` once" in alarm.text
    assert jobs.run_due(client_of_button, at=at) == ["pruning"]
    monkeypatch.undo()
    jobs.run_due(client_of_button, at=at + jobs.AFTER_TROUBLE)
    check(at=at + jobs.AFTER_TROUBLE, looking=EACH_MINUTE)
    assert not Alarm.objects.filter(ended_at=None).exists()


def test_without_a_key_nothing_asks_button(
    settings: Any, button: Sandbox, client_of_button: ButtonClient
) -> None:
    settings.BUTTON_API_KEY = ""
    assert set(jobs.run_due(client_of_button, at=now())) == {
        "alarms",
        "stores",
        "pruning",
        "daily closes",
    }


def test_open_orders_are_read_again(
    button: Sandbox, client_of_button: ButtonClient
) -> None:
    """A change that no webhook told, and whose window had gone by."""
    publish_program()
    order = button.place(customer="alice", total=5000, at=now() - 20 * DAY)
    newer = button.place(customer="bob", at=now() - DAY)
    button.validate(newer.id, at=now() - DAY)  # which moves the mark
    discover(client_of_button, at=now())
    poll_due(client_of_button, at=now())
    button.validate(order.id, at=order.modified_at + timedelta(seconds=1))
    poll_due(client_of_button, at=now() + DAY)
    assert balances("alice") == {("points", "pending"): 50}
    assert sweeps.reread_open_orders(at=now()) == 1
    poll_due(client_of_button, at=now())
    assert balances("alice") == {("points", "available"): 50}
    assert sweeps.reread_open_orders(at=now()) == 0


def test_open_days_are_joined(button: Sandbox, client_of_button: ButtonClient) -> None:
    start = (now() - 25 * DAY).replace(hour=12)
    for days in (0, 1, 2, 10, 20, 20):
        button.place(customer="alice", at=start + days * DAY)
    discover(client_of_button, at=now())
    poll_due(client_of_button, at=now())
    account = Purchase.objects.all()[0].account
    midnight = start.replace(hour=0, minute=0, second=0)
    found = [
        ((first - midnight).days, (last - midnight).days)
        for first, last in sweeps.open_stretches(account)
    ]
    assert found == [(0, 3), (10, 11), (20, 21)]


def test_the_sweep_finds_what_everything_else_missed(
    button: Sandbox, client_of_button: ButtonClient
) -> None:
    publish_program()
    call_command("poll_transactions", f"--start={now() - 390 * DAY:%F}")
    button.place(customer="alice", total=5000, at=now() - 300 * DAY)
    weeks = sweeps.sweep(at=now())
    assert weeks == Reconciliation.objects.count() == 56
    for _ in range(weeks):
        sweeps.compare_next(client_of_button, at=now())
    assert sweeps.compare_next(client_of_button, at=now()) is None
    poll_due(client_of_button, at=now())
    assert balances("alice") == {("points", "pending"): 50}


def test_a_new_server_does_not_pay_for_the_year_before_it(
    button: Sandbox, client_of_button: ButtonClient
) -> None:
    publish_program()
    button.place(customer="alice", total=5000, at=now() - 200 * DAY)
    for minutes in range(70):
        at = now() + timedelta(minutes=minutes)
        jobs.run_due(client_of_button, at=at)
        poll_due(client_of_button, at=at)
    assert Reconciliation.objects.filter(finished_at=None).count() == 0
    assert balances("alice") == {}


def test_a_comparison_that_fails_blocks_no_other(
    button: Sandbox, client_of_button: ButtonClient
) -> None:
    discover(client_of_button, at=now())
    for days in (3, 2):
        begin(start=now() - days * DAY, end=now() - (days - 1) * DAY, at=now())
    button.faults.set("forbidden", next=1, only="/v1/affiliation/accounts/")
    assert sweeps.compare_next(client_of_button, at=now())
    failed, done = Reconciliation.objects.order_by("pk")
    assert failed.error == "Forbidden."
    assert (failed.finished_at, bool(done.finished_at)) == (None, True)
    sweeps.compare_next(client_of_button, at=now() + timedelta(hours=2))
    failed.refresh_from_db()
    assert (bool(failed.finished_at), failed.error) == (True, "")


def test_a_comparison_is_made_by_one_process(
    button: Sandbox, client_of_button: ButtonClient
) -> None:
    discover(client_of_button, at=now())
    asked = begin(start=now() - DAY, end=now(), at=now())
    with hold(asked):
        assert sweeps.compare_next(client_of_button, at=now()) is None
    assert sweeps.compare_next(client_of_button, at=now()) == asked


def test_what_staff_ask_for_comes_before_a_sweep(
    button: Sandbox, client_of_button: ButtonClient
) -> None:
    discover(client_of_button, at=now())
    poll_due(client_of_button, at=now())
    assert sweeps.sweep(at=now())
    asked = begin(start=now() - DAY, end=now(), at=now())
    assert sweeps.compare_next(client_of_button, at=now()) == asked


def test_what_is_old_and_done_is_forgotten(
    button: Sandbox, client_of_button: ButtonClient
) -> None:
    discover(client_of_button, at=now())
    poll_due(client_of_button, at=now())
    Refusal.objects.create(minute=now(), status=401, genuine=True, count=3)
    kept = Window.objects.count()
    assert sweeps.prune(at=now() + 6 * DAY) == 0
    assert sweeps.prune(at=now() + 8 * DAY) == kept + 1
