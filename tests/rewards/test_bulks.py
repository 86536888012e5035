"""Adjustments by a file: checked, approved by another, applied once, undone."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, OperationalError, transaction

from rewards import adjustments
from rewards.bulks import checking, deciding, reading, working
from rewards.leases import hold
from rewards.models import Adjustment, Bulk, Freeze, Lot, Member, Transfer, Unit
from rewards.refusals import Refused
from rewards.verification import checks
from tests.builders import NOW, balances, make_member
from tests.rewards.adjusting import (
    AVAILABLE,
    DEBT,
    adjust,
    apply,
    check,
    clerk,
    make_units,
    program_gave,
    undo,
)
from tests.staff import make_staff

pytestmark = pytest.mark.django_db
GOOD = (
    "customer_id,unit,amount,member_note,expires_after_days\r\n"
    'alice,points,500,"For you, with thanks",30\r\n'
    "bob,USD,3.02,,\r\n"
    "bob,points,-20,,\r\n"
)
HEADER = "customer_id,unit,amount\n"


@pytest.fixture(autouse=True)
def invariants_hold_afterwards() -> object:
    yield
    broken = [check for check in checks() if check.violations]
    assert not broken


@pytest.fixture
def ann() -> User:
    return clerk("ann")


@pytest.fixture
def bea() -> User:
    return clerk("bea")


@pytest.fixture(autouse=True)
def people() -> list[Member]:
    make_units()
    return [make_member(name) for name in ("alice", "bob", "carol")]


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(working, "BATCH", 2)


def test_a_dry_run_moves_nothing_and_says_what_would_happen(ann: User) -> None:
    bulk = check(GOOD, by=ann)
    assert (bulk.state, bulk.lines, bulk.faults) == ("checked", 3, [])
    assert bulk.sums == {
        "points": {"gains": [1, 500], "losses": [1, -20]},
        "USD": {"gains": [1, 302]},
    }
    lines = bulk.adjustments.order_by("line")
    assert list(lines.values_list("line", "amount", "state", "needs_approval")) == [
        (2, 500, "waiting", True),
        (3, 302, "waiting", True),
        (4, -20, "waiting", True),
    ]
    assert lines[0].member_note == "For you, with thanks"
    assert lines[0].expires_after_days == 30
    assert (lines[1].reason, lines[1].note) == ("campaign", "Spring campaign")
    assert not Transfer.objects.exists()


def test_a_dry_run_counts_what_members_do_not_have(ann: User, bea: User) -> None:
    for name, amount in (("bob", 10), ("carol", 30)):
        adjust(Member.objects.get(customer_id=name), amount, by=bea)
    lines = "alice,points,-5\nbob,points,-20\ncarol,points,-30\nbob,USD,3.02\n"
    bulk = check(HEADER + lines, by=ann)
    points = Unit.objects.get(code="points")
    assert checking.unavailable(bulk) == [(points, 2, -25)]
    adjust(Member.objects.get(customer_id="bob"), 10, by=bea)
    assert checking.unavailable(bulk) == [(points, 1, -5)], "as it is now"
    apply(bulk, by=bea)
    assert (bulk.failed, checking.unavailable(bulk)) == (1, [])


def test_a_file_is_applied_and_undone_to_nothing(ann: User, bea: User) -> None:
    adjust(Member.objects.get(customer_id="bob"), 50, by=bea)
    before = list(Lot.objects.values())
    bulk = apply(check(GOOD, by=ann), by=bea)
    assert (bulk.state, bulk.done, bulk.failed) == ("applied", 3, 0)
    assert balances() == {AVAILABLE: 500}
    assert balances("bob") == {AVAILABLE: 30, ("USD", "available"): 302}
    line = bulk.adjustments.get(line=2)
    assert (line.approved_by, line.approved_at, line.asked_by) == (bea, NOW, ann)
    assert line.transfers.get().reference == f"{line.pk}.0"
    assert Lot.objects.get(adjustment=line).days == 30
    undo(bulk, by=bea)
    assert (bulk.state, bulk.done, bulk.why_ended) == (
        "undone",
        3,
        "The wrong list.",
    )
    assert balances() == {}
    assert balances("bob") == {AVAILABLE: 50}
    assert list(Lot.objects.filter(remaining__gt=0).values()) == before
    assert program_gave() == 50


FAULTS = [
    ("dave,points,5", "No member has the id “dave”"),
    (",points,5", "No member has the id “”"),
    (" alice,points,5", "No member has the id “ alice”"),
    ("ALICE,points,5", "No member has the id “ALICE”"),
    ("alice,pts,5", "There is no unit “pts”"),
    ("alice,,5", "There is no unit “”"),
    ("alice,points,", "“” is no amount"),
    ("alice,points,0", "The amount is nothing"),
    ("alice,points,1.5", "“1.5” is no amount of points: write it like 302"),
    ("alice,USD,1.5", "“1.5” is no amount of USD: write it like 3.02"),
    ("alice,USD,5", "“5” is no amount of USD"),
    ('alice,USD,"1,50"', "“1,50” is no amount of USD"),
    ("alice,USD,1.234", "“1.234” is no amount"),
    ("alice,points,1e3", "“1e3” is no amount"),
    ("alice,points,+5", "“+5” is no amount"),
    ("alice,points,=2+3", "“=2+3” is no amount"),
    ("alice,points,99999999999999999999", "is no amount"),
    ("alice,points,٣", "is no amount"),
    ("alice,points", "It has 2 columns, and the header 3"),
    ("alice,points,5,6", "It has 4 columns"),
    ("alice\x00,points,5", "characters that can't be seen"),
    ("alice,points,5\x1b", "characters that can't be seen"),
    ("\ufeffalice,points,5", "characters that can't be seen"),
    ('"alice"x,points,5', "From here on it can't be read"),
    ('alice,points,"5', "From here on it can't be read"),
    ("x" * 140_000 + ",points,5", "From here on it can't be read"),
    ("bob,points,6", "Line 2 already says something about bob in points"),
]


@pytest.mark.parametrize(("line", "said"), FAULTS)
def test_a_bad_line_is_named_and_nothing_is_imported(
    ann: User, bea: User, line: str, said: str
) -> None:
    bulk = check(f"{HEADER}bob,points,5\n{line}\n", by=ann)
    assert (bulk.state, bulk.lines) == ("refused", 2)
    [[number, fault]] = bulk.faults
    assert number == 3
    assert said in fault
    assert not Adjustment.objects.exists()
    with pytest.raises(Refused, match="not waiting"):
        deciding.approve(bulk, by=bea, at=NOW)
    for step in (deciding.apply, deciding.drop):
        with pytest.raises(Refused, match="has bad lines"):
            step(bulk, by=ann, at=NOW)


UNREADABLE = [
    (b"", "empty"),
    (b"\r\n\r\n", "empty"),
    (HEADER.encode(), "no line after it"),
    (b"alice,points,5\n", "has to name the columns"),
    (b"customer_id,unit\nalice,points\n", "has to name the columns"),
    (b"customer_id,unit,amount,amount\nalice,points,5,5\n", "each once"),
    (b"Customer_ID,unit,amount\nalice,points,5\n", "has to name the columns"),
    (b"customer_id,unit,amount,expires\nalice,points,5,1\n", "has to name"),
    (b"customer_id;unit,amount\nalice;points,5\n", "has to name the columns"),
    (b"customer_id\tunit\tamount\nalice\tpoints\t5\n", "has to name the columns"),
    (b"sep=,\n" + HEADER.encode() + b"alice,points,5\n", "has to name the columns"),
    (b"\xef\xbb\xbf\xef\xbb\xbf" + HEADER.encode(), "has to name the columns"),
    (f"{HEADER}alice,points,5\n".encode("utf-16"), r"not UTF-8 \(line 1\)"),
    (f"{HEADER}alice,points,5\nzoë,points,5\n".encode("latin-1"), r"\(line 3\)"),
    (HEADER.encode() + b"alice,points,5\n\xed\xa0\x80,points,5", r"\(line 3\)"),
    (b'"customer_id,unit,amount\nalice,points,5\n', "can't be read"),
    (b"PK\x03\x04\x14\x00\x06\x00\x08\x00!\x00", "has to name the columns"),
    (b"x" * 10_000_001, "more than 10000000 bytes"),
    (HEADER.encode() + b"alice,points,5\n" * 100_001, "more than 100000 lines"),
]


@pytest.mark.parametrize(("content", "said"), UNREADABLE)
def test_a_file_that_cannot_be_read_is_refused_whole(
    ann: User, content: bytes, said: str
) -> None:
    with pytest.raises(Refused, match=said):
        check(content, by=ann)
    assert not Bulk.objects.exists()
    assert not Adjustment.objects.exists()


def test_every_bad_line_is_told_by_number(ann: User) -> None:
    lines = [line for line, _ in FAULTS if '"' not in line and len(line) < 100]
    bulk = check(HEADER + "bob,points,5\n" + "\n".join(lines), by=ann)
    assert [number for number, _ in bulk.faults] == list(range(3, 3 + len(lines)))


def test_lines_are_numbered_as_an_editor_does(ann: User) -> None:
    said = (
        "customer_id,unit,amount,member_note\n"
        'alice,points,5,"two\nlines"\n\n'
        "nobody,points,5,\n"
    )
    assert check(said, by=ann).faults[0][0] == 5


def test_closed_and_own_accounts_are_bad_lines(ann: User) -> None:
    Freeze.objects.create(
        member=Member.objects.get(customer_id="alice"), check_name="x", frozen_at=NOW
    )
    Member.objects.filter(customer_id="bob").update(user=ann)
    Member.objects.filter(customer_id="carol").update(status="erased")
    lines = "alice,points,1\nbob,points,1\ncarol,points,1\n"
    faults = check(HEADER + lines, by=ann).faults
    assert [fault for _, fault in faults] == [
        "The balance of alice is frozen.",
        "That is your own account: somebody else must decide.",
        "No member has the id “carol”.",
    ]


VARIANTS = [
    GOOD.replace("\r\n", "\n"),
    GOOD.replace("\r\n", "\r"),
    "\ufeff" + GOOD,
    GOOD.rstrip(),
    GOOD + "\r\n\r\n",
    "unit;customer_id;expires_after_days;amount;member_note\n"
    "points;bob;;-20;\n"
    "points;alice;30;500;For you, with thanks\n"
    "USD;bob;;3.02;\n",
]


@pytest.mark.parametrize("again", VARIANTS)
def test_the_same_file_again_is_recognised(ann: User, bea: User, again: str) -> None:
    first = check(GOOD.replace("bob,points,-20", "carol,points,20"), by=ann)
    apply(first, by=bea)
    again = again.replace("bob,points,-20", "carol,points,20").replace(
        "points;bob;;-20", "points;carol;;20"
    )
    for by in (ann, bea):
        with pytest.raises(Refused, match=rf"{first} \(march.csv, applied\)"):
            check(again, by=by, name="other.csv", reason="other", note="Other")
    assert Bulk.objects.count() == 1
    assert balances() == {AVAILABLE: 500}
    undo(first, by=bea)
    with pytest.raises(Refused, match="undone"):
        check(again, by=ann)


def test_a_dropped_or_a_refused_file_may_come_again(ann: User, bea: User) -> None:
    bad = f"{HEADER}dave,points,5\n"
    assert check(bad, by=ann).state == "refused"
    make_member("dave")
    first = check(bad, by=ann)
    deciding.drop(first, reason="Wait", by=ann, at=NOW)
    assert first.adjustments.get().state == "dropped"
    apply(check(bad, by=ann), by=bea)
    assert balances("dave") == {AVAILABLE: 5}


def test_another_note_makes_it_another_file(ann: User, bea: User) -> None:
    for month in ("March", "April"):
        said = f"customer_id,unit,amount,member_note\nalice,points,5,{month}\n"
        apply(check(said, by=ann), by=bea)
    assert balances() == {AVAILABLE: 10}


def test_a_second_person_approves_whatever_the_sum(ann: User, bea: User) -> None:
    bulk = check(f"{HEADER}alice,points,1\n", by=ann)
    with pytest.raises(Refused, match="second person"):
        deciding.apply(bulk, by=ann, at=NOW)
    bulk.asked_by = bea  # in memory only
    with pytest.raises(Refused, match="can't approve"):
        deciding.approve(bulk, by=ann, at=NOW)
    own = Bulk.objects.filter(pk=bulk.pk)
    for changes in ({"approved_by": ann}, {"state": "applying"}, {"state": "applied"}):
        with pytest.raises(IntegrityError), transaction.atomic():
            own.update(**changes)
    with pytest.raises(Refused, match="part of"):
        adjustments.approve(bulk.adjustments.get(), by=bea, at=NOW)
    with pytest.raises(Refused, match="part of"):
        adjustments.drop(bulk.adjustments.get(), by=bea, at=NOW)
    deciding.approve(bulk, by=bea, at=NOW)
    with pytest.raises(Refused, match="approved already"):
        deciding.approve(bulk, by=clerk("cid"), at=NOW)
    assert balances() == {}


def test_nobody_decides_about_a_file_with_their_own_account(
    ann: User, bea: User
) -> None:
    bulk = check(GOOD, by=ann)
    Member.objects.filter(customer_id="bob").update(user=bea)
    for decide in (deciding.approve, deciding.drop):
        with pytest.raises(Refused, match="Your own account"):
            decide(bulk, by=bea, at=NOW)
    apply(bulk, by=clerk("cid"))
    with pytest.raises(Refused, match="Your own account"):
        deciding.undo(bulk, reason="So", by=bea, at=NOW)


def test_without_the_permission_nothing_is_decided(ann: User, bea: User) -> None:
    eve = make_staff("rewards.view_bulk", "rewards.change_bulk", username="eve")
    with pytest.raises(Refused, match="You may not"):
        check(GOOD, by=eve)
    bulk = check(GOOD, by=ann)
    for step in (
        lambda: deciding.approve(bulk, by=eve, at=NOW),
        lambda: deciding.apply(bulk, by=eve, at=NOW),
        lambda: deciding.drop(bulk, by=eve, at=NOW),
        lambda: deciding.undo(bulk, reason="So", by=eve, at=NOW),
    ):
        with pytest.raises(Refused, match="You may not"):
            step()
    assert Bulk.objects.get().state == "checked"


def test_each_step_is_taken_once(ann: User, bea: User) -> None:
    bulk = apply(check(f"{HEADER}alice,points,5\n", by=ann), by=bea)
    for step in (
        lambda: deciding.apply(bulk, by=ann, at=NOW),
        lambda: deciding.drop(bulk, by=ann, at=NOW),
    ):
        with pytest.raises(Refused, match="It is applied"):
            step()
    assert working.work(at=NOW) == 0
    with pytest.raises(Refused, match="Say why"):
        deciding.undo(bulk, reason=" ", by=bea, at=NOW)
    undo(bulk, by=bea)
    with pytest.raises(Refused, match="It is undone"):
        deciding.undo(bulk, reason="So", by=bea, at=NOW)
    assert balances() == {}


def test_a_line_that_cannot_be_posted_stops_no_other(
    ann: User, bea: User, small_batches: None
) -> None:
    lines = "alice,points,5\nbob,points,-20\nbob,USD,1.00\ncarol,points,7\n"
    bulk = check(HEADER + lines, by=ann)
    carol = Member.objects.get(customer_id="carol")
    freeze = Freeze.objects.create(member=carol, check_name="x", frozen_at=NOW)
    apply(bulk, by=bea)
    assert (bulk.state, bulk.done, bulk.failed) == ("applied", 4, 2)
    failed = bulk.adjustments.filter(state="failed").order_by("line")
    said = [line.failure.replace("\u00a0", " ") for line in failed]
    assert said == [
        "bob has 0 points available: 20 points can't be taken.",
        "The member's balance is frozen until staff have looked at it.",
    ]
    assert balances() == {AVAILABLE: 5}
    assert balances("bob") == {("USD", "available"): 100}
    freeze.lifted_at = NOW
    freeze.save()
    undo(bulk, by=bea)
    assert (bulk.state, bulk.done, bulk.failed) == ("undone", 2, 0)
    assert program_gave() == 0


def test_what_could_not_be_taken_back_is_tried_again(ann: User, bea: User) -> None:
    bulk = apply(check(f"{HEADER}alice,points,5\nbob,points,6\n", by=ann), by=bea)
    bob = Member.objects.get(customer_id="bob")
    freeze = Freeze.objects.create(member=bob, check_name="x", frozen_at=NOW)
    undo(bulk, by=bea)
    assert (bulk.state, bulk.failed) == ("applied", 1)
    assert bulk.adjustments.get(state="posted").failure.startswith("The member's")
    freeze.lifted_at = NOW
    freeze.save()
    undo(bulk, by=bea)
    assert (bulk.state, bulk.done, program_gave()) == ("undone", 1, 0)


@pytest.mark.parametrize("job", ["post", "take_back"])
def test_a_killed_worker_is_followed_by_another(
    ann: User,
    bea: User,
    small_batches: None,
    monkeypatch: pytest.MonkeyPatch,
    job: str,
) -> None:
    names = [make_member(f"m{n}").customer_id for n in range(7)]
    said = HEADER + "".join(f"{name},points,10\n" for name in names)
    bulk = check(said, by=ann)
    deciding.approve(bulk, by=bea, at=NOW)
    deciding.apply(bulk, by=ann, at=NOW)
    if job == "take_back":
        working.work(at=NOW)
        deciding.undo(bulk, reason="So", by=bea, at=NOW)
    with hold(bulk):
        assert working.work(at=NOW) == 0  # somebody else is at it
    real, calls = getattr(adjustments, job), []

    def killed(*args: Any, **kwargs: Any) -> None:
        calls.append(args)
        real(*args, **kwargs)
        if len(calls) in (2, 4):
            raise OperationalError("the server closed the connection")

    monkeypatch.setattr(adjustments, job, killed)
    for done in (2, 4):
        with pytest.raises(OperationalError):
            working.work(at=NOW)
        bulk.refresh_from_db()
        assert bulk.done == done
    monkeypatch.undo()
    monkeypatch.setattr(working, "BATCH", 2)
    assert working.work(at=NOW) == 3
    bulk.refresh_from_db()
    assert (bulk.done, bulk.failed) == (7, 0)
    given = 0 if job == "take_back" else 70
    assert program_gave() == given
    assert Transfer.objects.count() == (14 if job == "take_back" else 7)


def test_work_stops_when_its_time_is_over(
    ann: User, bea: User, small_batches: None
) -> None:
    lines = "alice,points,1\nbob,points,1\ncarol,points,1\n"
    bulk = check(HEADER + lines, by=ann)
    deciding.approve(bulk, by=bea, at=NOW)
    deciding.apply(bulk, by=ann, at=NOW)
    looks = iter([False, True])
    assert working.work(at=NOW, expired=lambda: next(looks)) == 2
    bulk.refresh_from_db()
    assert (bulk.state, bulk.done) == ("applying", 2)


def test_a_broken_line_is_listed_and_the_log_says_why(
    ann: User, bea: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    bulk = check(f"{HEADER}alice,points,5\nbob,points,6\n", by=ann)
    post = adjustments.post

    def broken(lines: Any, **kwargs: Any) -> None:
        if any(line.member.customer_id == "bob" for line in lines):
            raise TypeError("broken")
        post(lines, **kwargs)

    monkeypatch.setattr(adjustments, "post", broken)
    apply(bulk, by=bea)
    assert (bulk.state, bulk.failed) == ("applied", 1)
    assert "the log says" in bulk.adjustments.get(state="failed").failure
    assert balances() == {AVAILABLE: 5}


def test_a_spent_gain_becomes_a_debt(ann: User, bea: User) -> None:
    bulk = apply(check(f"{HEADER}alice,points,500\n", by=ann), by=bea)
    adjust(Member.objects.get(customer_id="alice"), -400, by=bea)
    undo(bulk, by=bea)
    assert balances() == {DEBT: 400}


@pytest.mark.once
def test_a_hundred_thousand_lines_are_read(ann: User) -> None:
    lines = b"".join(b"m%d,points,5\n" % n for n in range(reading.MOST_LINES))
    found, faults = reading.read(HEADER.encode() + lines)
    assert (len(found), faults, found[-1].number) == (100_000, [], 100_001)


def test_two_uploads_at_once_are_one(
    ann: User, bea: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The constraint holds where both were checked before either was stored."""
    first = check(GOOD, by=ann)
    with pytest.raises(IntegrityError), transaction.atomic():
        Bulk.objects.create(digest=first.digest, asked_by=bea, asked_at=NOW)
    assert checking.UPLOADING == "rewards.add_bulk"
