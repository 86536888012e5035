"""Whatever a file says and whatever happens in between, undoing it leaves nothing."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from rewards.bulks import working
from rewards.models import Account, Lot, Member
from rewards.refusals import Refused
from rewards.verification import checks
from tests.builders import make_member
from tests.rewards.adjusting import (
    adjust,
    apply,
    check,
    make_units,
    program_gave,
    undo,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def people() -> None:
    make_units()
    for name in ("alice", "bob", "carol"):
        make_member(name)


def totals() -> dict[tuple[str, str], int]:
    """What each member has less what it owes, by customer id and unit."""
    found: dict[tuple[str, str], int] = {}
    rows = Account.objects.exclude(member=None).select_related("member", "unit")
    for one in rows:
        key = one.member.customer_id, one.unit.code  # type: ignore[union-attr]
        sign = -1 if one.kind == Account.Kind.DEBT else 1
        found[key] = found.get(key, 0) + sign * (one.balance or 0)
    return {key: amount for key, amount in found.items() if amount}


PEOPLE = st.sampled_from(["alice", "bob", "carol"])
AMOUNTS = st.integers(-300, 300).filter(bool)
LINES = st.dictionaries(
    st.tuples(PEOPLE, st.sampled_from(["points", "USD"])),
    st.tuples(AMOUNTS, st.one_of(st.none(), st.integers(1, 40))),
    min_size=1,
)
HAPPENINGS = st.lists(st.tuples(PEOPLE, AMOUNTS), max_size=4)


@settings(max_examples=15)
@given(before=HAPPENINGS, lines=LINES, between=HAPPENINGS, batch=st.integers(1, 4))
def test_undoing_leaves_exactly_what_would_be_without_it(
    before: list[tuple[str, int]],
    lines: dict[tuple[str, str], tuple[int, int | None]],
    between: list[tuple[str, int]],
    batch: int,
) -> None:
    """Whatever members had, and won or lost in between: nothing of the file is left."""
    with transaction.atomic():
        _try_a_file(before, lines, between, batch)
        assert not [check for check in checks() if check.violations]
        transaction.set_rollback(True)


def _try_a_file(before: Any, lines: Any, between: Any, batch: int) -> None:
    ann, bea = (
        User.objects.create(username=name, is_superuser=True) for name in ("h-a", "h-b")
    )
    happen(before, by=ann)
    lots = list(Lot.objects.order_by("pk").values())
    had, given_before = totals(), program_gave()
    said = "customer_id,unit,amount,expires_after_days\n"
    for (name, unit), (amount, days) in lines.items():
        major = f"{amount / 100:.2f}" if unit == "USD" else amount
        said += f"{name},{unit},{major},{days if days and amount > 0 else ''}\n"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(working, "BATCH", batch)
        bulk = apply(check(said, by=ann), by=bea)
        posted = sum(one.amount for one in bulk.adjustments.filter(state="posted"))
        assert program_gave() == given_before + posted
        won = happen(between, by=ann)
        undo(bulk, by=bea)
    assert bulk.state == "undone"
    assert program_gave() == given_before + sum(won.values())
    both = {key: had.get(key, 0) + won.get(key, 0) for key in {*had, *won}}
    assert totals() == {key: amount for key, amount in both.items() if amount}
    if not won:
        left = Lot.objects.filter(pk__in=[lot["id"] for lot in lots])
        assert list(left.order_by("pk").values()) == lots


def happen(changes: list[tuple[str, int]], *, by: User) -> dict[tuple[str, str], int]:
    """Give or take points by hand, where that is possible; what came of it."""
    done: dict[tuple[str, str], int] = {}
    for name, amount in changes:
        member = Member.objects.get(customer_id=name)
        try:
            adjust(member, amount, by=by)
        except Refused:
            continue
        done[name, "points"] = done.get((name, "points"), 0) + amount
    return done
