"""Closes are drawn up in order, and sealed: by us, and by a program of its own."""

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from rewards.closing import closes, days, journal, seals, transfers, verify_seal
from rewards.models import Close, Member
from rewards.refusals import Refused
from tests.builders import NOW, rule
from tests.rewards.closing import (
    DAY,
    FIRST,
    SECOND,
    THIRD,
    WORTH,
    at,
    change,
    close,
    order,
    publish,
    three_days,
)
from tests.staff import make_superuser

pytestmark = pytest.mark.django_db


def verify(*files: Path) -> tuple[int, str]:
    """Run the program as anybody would who has files and Python, and nothing else."""
    program = [sys.executable, "-I", "-S", verify_seal.__file__, *map(str, files)]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def written(directory: Path) -> list[Path]:
    """The journal files of every close."""
    files = []
    for found in Close.objects.order_by("day"):
        files.append(directory / journal.file_name(found))
        files[-1].write_bytes(b"".join(journal.file(found)))
    return files


@pytest.fixture
def three() -> list[Close]:
    three_days()
    return [close(day) for day in (FIRST, SECOND, THIRD)]


def test_a_day_is_closed_a_while_after_its_end_and_once() -> None:
    publish(rule())
    order("one")
    ends = at(SECOND, hour=0)
    assert list(days.closable(at=ends + days.SETTLES - timedelta(seconds=1))) == []
    with pytest.raises(Refused, match="not over"):
        close(FIRST, at=ends + timedelta(minutes=14))
    assert list(days.closable(at=ends + days.SETTLES)) == [FIRST]
    close(FIRST)
    with pytest.raises(Refused, match="closed already"):
        close(FIRST)
    assert Close.objects.count() == 1


def test_days_are_closed_one_after_another() -> None:
    publish(rule())
    order("one")
    close(FIRST)
    with pytest.raises(Refused, match="2026-11-21 has to be closed first"):
        close(THIRD)
    assert list(days.closable(at=at(THIRD) + DAY)) == [SECOND, THIRD]


def test_without_a_transfer_there_is_nothing_to_close() -> None:
    publish(rule())
    assert list(days.closable(at=NOW + 9 * DAY)) == []


def test_a_day_is_one_of_the_programs_time_zone() -> None:
    publish(rule(), time_zone="America/New_York")
    order("one")
    order("two", day=SECOND, told=at(SECOND, hour=4))  # 23:00 of the day before
    order("three", day=SECOND, told=at(SECOND, hour=5))
    found = close(FIRST, at=at(SECOND, hour=6))
    assert found.until == at(SECOND, hour=5)
    assert found.transfers == 2
    assert close(SECOND, at=at(THIRD, hour=6)).transfers == 1


def test_what_comes_later_with_an_earlier_clock_is_of_the_day_after() -> None:
    publish(rule())
    order("one")
    first = close(FIRST)
    order("late", day=FIRST)
    second = close(SECOND)
    assert (first.transfers, second.transfers) == (1, 1)
    assert second.figures["rows"][0]["purchases"] == 2
    assert second.figures["held"]["points"]["pending"] == 182
    assert seals.broken() == []


def test_every_seal_is_intact(three: list[Close]) -> None:
    assert seals.broken() == []
    assert [one.previous for one in three] == ["", three[0].digest, three[1].digest]
    assert [one.transfers for one in three] == [9, 2, 3]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE rewards_transfer SET amount = amount + 1",
        "UPDATE rewards_transfer SET recorded_at = recorded_at, reference = 'x'",
        "DELETE FROM rewards_draw",
        "UPDATE rewards_lot SET days = 3",
        "UPDATE rewards_close SET transfers = transfers + 1",
        "UPDATE rewards_close SET digest = previous",
    ],
)
def test_a_change_in_the_books_breaks_the_seal_of_its_day(
    three: list[Close], statement: str
) -> None:
    table = statement.split()[1] if statement[0] == "U" else statement.split()[2]
    change(f"{statement} WHERE id IN (SELECT MAX(id) FROM {table})")
    broken = seals.broken()
    assert broken
    assert str(THIRD) in broken or str(SECOND) in broken
    assert str(FIRST) not in broken


def test_another_figure_or_difference_breaks_the_seal(three: list[Close]) -> None:
    three[1].figures["rows"][0]["buckets"]["margin"] -= 1
    three[1].save()
    Close.objects.filter(day=THIRD).update(differences=[{"account": "x"}])
    assert seals.broken() == [str(SECOND), str(THIRD)]


def test_erasing_a_name_and_what_comes_later_break_none(three: list[Close]) -> None:
    Member.objects.filter(customer_id="bob").update(customer_id="erased-1")
    order("more", day=THIRD, customer_id="alice", status="validated")
    assert seals.broken() == []


def test_the_separate_program_finds_the_files_right(
    three: list[Close], tmp_path: Path
) -> None:
    files = written(tmp_path)
    code, said = verify(*reversed(files))
    assert code == 0, said
    assert said.splitlines() == [
        f"right  {one.day}, {one.transfers} transfers, {one.digest}" for one in three
    ]
    assert verify(files[1])[0] == 0  # alone, without what was before
    assert verify()[0] == 2
    assert verify(tmp_path / "none")[0] == 2


def test_the_separate_program_finds_every_byte_that_was_changed(
    three: list[Close], tmp_path: Path
) -> None:
    first, second, third = written(tmp_path)
    content = second.read_bytes()
    for place in range(0, len(content), len(content) // 8):
        other = bytes([content[place] ^ 1])
        second.write_bytes(content[:place] + other + content[place + 1 :])
        code, said = verify(first, second, third)
        assert (code, "WRONG" in said, "Traceback" in said) == (1, True, False), place


def test_the_separate_program_finds_a_day_that_is_missing_or_sealed_anew(
    three: list[Close], tmp_path: Path
) -> None:
    first, second, third = written(tmp_path)
    assert "does not follow 2026-11-20" in verify(first, third)[1]
    lines = second.read_bytes().splitlines(keepends=True)
    row = json.loads(lines[1])
    row[transfers.COLUMNS.index("amount")] += 1
    lines[1] = f"{json.dumps(row, sort_keys=True, separators=(',', ':'))}\n".encode()
    seal = json.dumps({"digest": journal.digest(lines[:-1]), "kind": "seal"})
    second.write_bytes(b"".join(lines[:-1]) + seal.encode() + b"\n")
    assert verify(first, second)[0] == 1  # its lots and balances are others
    assert verify(second, third)[0] == 1


def test_an_unsigned_close_is_drawn_up_anew(three: list[Close]) -> None:
    assert closes.take_back(three[1]) == 2
    assert [str(one.day) for one in Close.objects.all()] == [str(FIRST)]
    assert close(SECOND).digest == three[1].digest  # the same books
    order("more", day=THIRD)
    assert close(THIRD).digest != three[2].digest
    assert seals.broken() == []


def test_two_who_close_at_once_close_once(monkeypatch: pytest.MonkeyPatch) -> None:
    publish(rule())
    order("one")
    worked_out = closes.figures

    def meanwhile(cut: days.Cut) -> Any:
        monkeypatch.setattr(closes, "figures", worked_out)
        close(FIRST)
        return worked_out(cut)

    monkeypatch.setattr(closes, "figures", meanwhile)
    with pytest.raises(Refused, match="meanwhile"):
        close(FIRST)
    assert Close.objects.count() == 1


def test_a_signed_close_stays(three: list[Close]) -> None:
    Close.objects.filter(day=SECOND).update(signed_by=make_superuser(), signed_at=NOW)
    with pytest.raises(Refused, match="2026-11-21 is signed off"):
        closes.take_back(three[0])
    assert closes.take_back(three[2]) == 1


def test_units_of_an_older_edition_keep_their_worth() -> None:
    publish(rule())
    order("one")
    before = close(FIRST).figures["rows"]
    publish(
        rule(unit="miles", limits={}),
        unit={**WORTH, "code": "miles", "name": "mile", "name_plural": "miles"},
        published=at(SECOND),
    )
    assert close(SECOND).figures["rows"] == before
