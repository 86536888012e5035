"""Workers on a backtest: any number, killed anywhere, stopped by staff."""

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from rewards import backtests, reruns
from rewards.backtests import history, running
from rewards.backtests.running import run, work, work_on
from rewards.leases import hold
from rewards.models import Backtest, BacktestPart
from rewards.program import draft, gates, vocabulary
from rewards.tasks import work_backtests
from tests.builders import NOW, ORDERED, per_amount, program, publish_program, rule
from tests.rewards.backtesting import content_of, finish, order, unit_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def asked() -> Backtest:
    for n in range(6):
        order(n, f"member-{n}", 1000)
    return backtests.ask(content_of(rule()), at=NOW)


def test_each_member_is_in_one_part(asked):
    rows = [
        row for part in asked.parts.all() for row in history.rows(part, lines=False)
    ]
    assert asked.parts.count() > 1
    assert len({row[2] for row in rows}) == len(rows) == asked.total == 6


def test_a_worker_does_a_part_at_a_time(asked):
    assert work_on(asked)
    assert asked.parts.exclude(finished_at=None).count() == 1
    assert backtests.percent_done(asked) == 16
    asked.refresh_from_db()
    assert asked.result is None


def test_a_part_that_somebody_does_is_left_to_them(asked):
    first = asked.parts.first()
    with hold(first):
        work()
        first.refresh_from_db()
        assert first.finished_at is None
        asked.refresh_from_db()
        assert asked.finished_at is None
    assert unit_of(finish(asked))["draft"] == 60


def test_the_part_of_a_killed_worker_is_done_again(asked):
    dead = asked.parts.first()
    BacktestPart.objects.filter(pk=dead.pk).update(
        held_by="somebody", held_until=NOW - timedelta(days=400), done=1
    )
    assert unit_of(finish(asked))["draft"] == 60


def test_a_worker_that_lost_its_part_writes_nothing(asked, monkeypatch):
    def taken_over(part, **_):
        BacktestPart.objects.filter(pk=part.pk).update(held_by="another")
        yield []

    with monkeypatch.context() as patch:
        patch.setattr(history, "read", taken_over)
        work_on(asked)
    assert not asked.parts.exclude(finished_at=None).exists()


def test_what_is_cancelled_stops_at_the_next_look(asked, monkeypatch):
    read = history.read

    def cancelled_meanwhile(part, **kwargs):
        yield from read(part, **kwargs)
        backtests.cancel(asked, at=NOW)
        yield []

    monkeypatch.setattr(history, "read", cancelled_meanwhile)
    work()
    asked.refresh_from_db()
    assert (asked.cancelled_at, asked.result) == (NOW, None)
    assert not asked.parts.exclude(finished_at=None).exists()
    assert not asked.parts.exclude(held_by="").exists()
    assert gates.evidence(asked.digest).backtest is None
    assert not backtests.cancel(asked, at=NOW)


def test_what_is_finished_can_not_be_cancelled(asked):
    finish(asked)
    assert not backtests.cancel(asked, at=NOW)


def test_a_program_that_can_not_be_tried_ends_with_an_error(asked):
    Backtest.objects.update(content={"format": 1, "rules": [{"key": "broken"}]})
    work()
    asked.refresh_from_db()
    assert "broken" in asked.error
    assert asked.finished_at and asked.result is None
    assert gates.evidence(asked.digest).backtest is None


def test_the_task_does_what_waits(asked):
    assert work_backtests() > 0
    asked.refresh_from_db()
    assert asked.result


def test_whoever_interrupts_the_command_leaves_nothing_to_the_workers(asked):
    def interrupt(percent: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(asked, progressed=interrupt)
    asked.refresh_from_db()
    assert asked.cancelled_at
    assert work() == 0


def test_the_parts_keep_nothing_that_the_whole_has(asked):
    finish(asked)
    assert not asked.parts.exclude(result=None).exists()


def test_nothing_to_try_is_a_result_too():
    assert finish(backtests.ask(content_of(rule()), at=NOW))["earning"] == 0


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_processes_of_their_own_find_the_same(asked, monkeypatch):
    here = finish(asked)
    monkeypatch.setattr(running, "PART", 1)
    monkeypatch.setattr(running.os, "cpu_count", lambda: 2)
    there = backtests.ask(asked.content, at=NOW)
    told = []
    run(there, progressed=told.append)
    there.refresh_from_db()
    assert there.result == here
    assert told[-1] == 100


def test_a_rerun_is_compared_with_what_its_purchases_earn_now():
    publish_program(rule())
    order(1, "alice", 1000, days=0)
    order(2, "bob", 1000, days=1)
    order(3, "bob", 1000, days=9)  # outside of it
    second = publish_program(rule(reward=per_amount("3")))
    rerun = reruns.ask(
        edition=second,
        start=ORDERED,
        end=ORDERED + timedelta(days=5),
        reason="Promised in the newsletter.",
        by=None,
        at=NOW + timedelta(days=1),
    )
    preview = backtests.ask(second.content, rerun=rerun, at=NOW)
    points = unit_of(finish(preview))
    assert (points["baseline"], points["draft"]) == (20, 60)
    assert rerun.preview == preview
    assert gates.evidence(preview.digest).backtest is None  # of a few purchases only


def test_a_second_preview_takes_the_place_of_the_first():
    edition = publish_program(rule())
    rerun = reruns.ask(
        edition=edition,
        start=ORDERED,
        end=NOW,
        reason="Again.",
        by=None,
        at=NOW,
    )
    backtests.ask(edition.content, rerun=rerun, at=NOW)
    second = backtests.ask(edition.content, rerun=rerun, at=NOW)
    assert Backtest.objects.get(rerun=rerun) == second


def test_the_command_prints_what_decides(capsys):
    publish_program(rule())
    order(1, "alice", 1000)
    order(2, "bob", 1000, status="declined")
    draft.replace(vocabulary.parse(program(rule(reward=per_amount("2")))))
    call_command("program", "backtest", "--start", "2026-01-01")
    said = capsys.readouterr().out.replace("\u00a0", " ")
    assert "1 purchases of 1 members may earn; 1 were declined later" in said
    assert "points: 10 points live, 20 points draft (+10 points)" in said
    assert "declined later, and so not paid by the draft: 20 points" in said
    assert "nobody has said what they are worth: points" in said
    assert gates.evidence(vocabulary.digest(draft.export())).backtest


def test_the_command_refuses_a_wrong_draft_and_a_wrong_stretch(capsys):
    from rewards.models import Rule

    with pytest.raises(CommandError) as wrong:
        call_command(
            "program", "backtest", "--start", "2026-02-01", "--end", "2026-01-01"
        )
    assert wrong.value.returncode == 2
    publish_program(rule())
    Rule.objects.update(reward={"kind": "fixed", "points": "none"})
    with pytest.raises(SystemExit) as stopped:
        call_command("program", "backtest")
    assert stopped.value.code == 1
    assert 'rule "base"' in capsys.readouterr().err
