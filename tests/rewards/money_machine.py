"""Everything that moves balances, at random; after each step every invariant holds.

A small oracle beside it knows what each member must own in all: what their orders are
worth by the one rule there is, what staff gave, less what was spent, expired and
forgiven. Wherever points may be, they add up to that.
"""

import csv
from collections import Counter
from contextlib import suppress
from datetime import datetime, timedelta
from io import StringIO
from itertools import count
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q, Sum
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from rewards import adjustments, ledger
from rewards.bulks import checking, deciding, working
from rewards.decisions import resolve
from rewards.ledger import expiries
from rewards.members import put_member
from rewards.models import (
    Account,
    Adjustment,
    Bulk,
    Draw,
    Member,
    Purchase,
    Redemption,
    Report,
    Reward,
    Terms,
    Transfer,
    Unit,
)
from rewards.privacy.erasure import erase
from rewards.program import editions
from rewards.redemptions import fulfilment, reserving
from rewards.refusals import Refused
from rewards.verification import checks
from tests.builders import (
    NOW,
    ORDERED,
    make_member,
    publish_program,
    report,
    settle_reports,
)
from tests.builders import rule as program_rule

NAMES = ("alice", "bob", "carol")
ORDERS = 9
KINDS = Account.Kind

members = st.sampled_from(NAMES)
amounts = st.integers(1, 120)
signed = st.integers(-90, 90).filter(bool)
order = st.tuples(
    st.integers(0, ORDERS - 1),
    st.integers(0, 15_000),
    st.sampled_from(["pending", "pending", "validated", "declined"]),
)
steps: Counter[str] = Counter()
"""How often each kind of step was taken, in this process."""


class MoneyMachine(RuleBasedStateMachine):
    """Three members, nine orders, two staff, one reward, a clock."""

    def __init__(self) -> None:
        super().__init__()
        editions.compiled.cache_clear()  # an example's editions are rolled back
        self.rolled_back = transaction.atomic()
        self.rolled_back.__enter__()
        self.now, self.ids = NOW, count(1)
        publish_program(program_rule(expires_after_days=20, hold_days=None))
        self.unit = Unit.objects.get(code="points")
        Terms.objects.create(unit=self.unit, alone_up_to=60)
        for name in NAMES:
            make_member(name)
        self.author, self.approver = (
            User.objects.create_superuser(name) for name in ("author", "approver")
        )
        self.reward = Reward.objects.create(
            key="mug", name="Mug", kind="manual", unit=self.unit, minimum=1, stock=40
        )

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.rolled_back.__exit__(None, None, None)

    @rule(told=st.lists(order, min_size=1, max_size=6))
    def report(self, told: list[tuple[int, int, str]]) -> None:
        self.tell(told)

    def tell(self, told: list[tuple[int, int, str]]) -> None:
        """The network tells of orders; each one has its own member for ever."""
        steps["reports"] += len(told)
        self.tick()
        settle_reports(
            *(
                report(
                    order_id=f"btnorder-{number}",
                    transaction_id=f"tx-{number}",
                    customer_id=NAMES[number % len(NAMES)],
                    order_total=total,
                    status=status,
                    attributed_at=ORDERED,
                    modified_at=self.now + timedelta(seconds=at),
                )
                for at, (number, total, status) in enumerate(told)
            ),
            at=self.now + timedelta(minutes=1),
        )
        self.tick()

    @rule(which=st.integers(0, 99))
    def resolve_a_review(self, which: int) -> None:
        steps["resolve"] += 1
        waiting = list(Purchase.objects.exclude(review="").order_by("pk"))
        if waiting:
            found = waiting[which % len(waiting)]
            final = Report.objects.filter(purchase=found).exclude(status="pending")
            chosen = list(final.order_by("pk"))[which % len(final)]
            resolve(found, report=chosen, reason="Looked.", by=None, at=self.tick())

    @rule(
        name=members, amount=st.integers(-90, 90).filter(bool), days=st.integers(0, 9)
    )
    def adjust(self, name: str, amount: int, days: int) -> None:
        steps["adjust"] += 1
        with suppress(Refused):
            adjustments.adjust(
                self.member(name),
                unit=self.unit,
                amount=amount,
                reason="goodwill",
                note="Because.",
                expires_after_days=days or None,
                by=self.author,
                at=self.tick(),
            )

    @rule(which=st.integers(0, 99), yes=st.booleans())
    def decide_an_adjustment(self, which: int, yes: bool) -> None:
        steps["decide"] += 1
        waiting = Adjustment.objects.filter(state="waiting", bulk=None).order_by("pk")
        self.pick(waiting, which, adjustments.approve if yes else adjustments.drop)

    @rule(which=st.integers(0, 99))
    def undo_an_adjustment(self, which: int) -> None:
        steps["undo"] += 1
        posted = Adjustment.objects.filter(state="posted", bulk=None).order_by("pk")
        self.pick(posted, which, adjustments.undo, reason="A mistake.")

    @rule(name=members, amount=amounts, key=st.integers(0, 30))
    def redeem(self, name: str, amount: int, key: int) -> None:
        self.try_to_redeem(name, amount, key)

    def try_to_redeem(self, name: str, amount: int, key: int) -> None:
        steps["redeem"] += 1
        with suppress(Refused, reserving.KeyReused):
            reserving.redeem(
                self.member(name),
                reward=self.reward,
                amount=amount,
                key=f"key-{key}",
                at=self.tick(),
            )

    @rule(which=st.integers(0, 99))
    def fulfil(self, which: int) -> None:
        steps["fulfil"] += 1
        self.pick(self.open_redemptions(), which, fulfilment.fulfil)

    @rule(which=st.integers(0, 99))
    def cancel(self, which: int) -> None:
        steps["cancel"] += 1
        self.pick(self.open_redemptions(), which, fulfilment.cancel, reason="Gone.")

    @rule(which=st.integers(0, 99))
    def hold(self, which: int) -> None:
        steps["hold"] += 1
        reserved = self.open_redemptions().filter(status="reserved")
        self.pick(reserved, which, fulfilment.hold, by=None, reason="Unknown.")

    @rule(days=st.integers(1, 15))
    def days_pass(self, days: int) -> None:
        steps["clock"] += 1
        self.now += timedelta(days=days)

    @rule()
    def expire(self) -> None:
        steps["expire"] += 1
        expiries.expire(at=self.tick())

    @rule(
        lines=st.lists(
            st.tuples(members, st.integers(-40, 40).filter(bool)),
            min_size=1,
            max_size=4,
        )
    )
    def upload(self, lines: list[tuple[str, int]]) -> None:
        self.apply_file(lines)

    def apply_file(self, lines: list[tuple[str, int]]) -> None:
        steps["bulk lines"] += len(lines)
        with suppress(Refused):
            bulk = checking.check(
                self.file(lines),
                name="points.csv",
                reason="campaign",
                note=f"Number {next(self.ids)}",
                by=self.author,
                at=self.tick(),
            )
            deciding.approve(bulk, by=self.approver, at=self.tick())
            deciding.apply(bulk, by=self.approver, at=self.tick())
            working.work(at=self.tick(), expired=lambda: False)

    @rule(which=st.integers(0, 99))
    def undo_a_bulk(self, which: int) -> None:
        steps["undo bulk"] += 1
        applied = Bulk.objects.filter(state="applied").order_by("pk")
        self.pick(applied, which, deciding.undo, reason="A mistake.")
        working.work(at=self.tick(), expired=lambda: False)

    @rule(below=st.integers(0, 30))
    def change_terms(self, below: int) -> None:
        steps["terms"] += 1
        Terms.objects.update(forgive_below=below)

    @precondition(lambda self: self.now > NOW + timedelta(days=30))
    @rule(name=members, anew=st.booleans())
    def erase(self, name: str, anew: bool) -> None:
        steps["erase"] += 1
        member = Member.objects.filter(customer_id=name).first()
        if member:
            erase(member, by=self.author, at=self.tick())
        if anew:
            put_member(name, at=self.tick())

    @invariant()
    def everything_adds_up(self) -> None:
        broken = {c.name: c.examples for c in checks() if c.violations}
        if broken:
            raise AssertionError(broken)

    @invariant()
    def members_own_what_they_must(self) -> None:
        for member in Member.objects.filter(status=Member.Status.ACTIVE):
            assert self.owned(member) == self.due(member), member

    @invariant()
    def nothing_taken_back_has_expired(self) -> None:
        """An order's points that expired are never more than it is worth.

        Unless they were spent while it was taken back, and given back afterwards.
        """
        given_back = Draw.objects.filter(transfer__to_account__kind=KINDS.AVAILABLE)
        gone = (
            Draw.objects.filter(lot__purchase__isnull=False)
            .exclude(
                lot__in=given_back.exclude(transfer__source="revival").values("lot")
            )
            .order_by()
        )
        sums = gone.values_list("lot__purchase_id").annotate(
            came=Sum("amount", filter=Q(transfer__source="expiry"), default=0),
            back=Sum("amount", filter=Q(transfer__source="revival"), default=0),
        )
        expired = {id: came - back for id, came, back in sums if came > back}
        stands = ledger.posted(list(expired))
        for id, amount in expired.items():
            assert amount <= sum(stands[id].vector.values()), id

    def owned(self, member: Member) -> int:
        """What a member has in all pots, less what it owes."""
        held = dict(member.accounts.values_list("kind", "balance"))
        return sum(held.values()) - 2 * held.get(KINDS.DEBT, 0)

    def due(self, member: Member) -> int:
        """What the orders are worth, and everything else that came and went."""
        worth = sum(
            purchase.order_total // 100
            for purchase in Purchase.objects.filter(member=member, review="")
            if purchase.status != "declined"
        )
        frozen = Transfer.objects.filter(purchase__member=member).exclude(
            purchase__review=""
        )
        return (
            worth
            + self.moved(frozen, KINDS.ISSUED, member)
            + sum(
                self.moved(Transfer.objects.all(), kind, member)
                for kind in (
                    KINDS.ADJUSTED,
                    KINDS.REDEEMED,
                    KINDS.EXPIRED,
                    KINDS.WRITTEN_OFF,
                )
            )
        )

    def moved(self, transfers: Any, kind: str, member: Member) -> int:
        """What a member got from the program's account of this kind, net."""
        got = transfers.filter(from_account__kind=kind, to_account__member=member)
        gave = transfers.filter(to_account__kind=kind, from_account__member=member)
        return (got.aggregate(s=Sum("amount"))["s"] or 0) - (
            gave.aggregate(s=Sum("amount"))["s"] or 0
        )

    def open_redemptions(self) -> Any:
        return Redemption.objects.filter(status__in=Redemption.OPEN).order_by("pk")

    def member(self, name: str) -> Member:
        return Member.objects.filter(customer_id=name).first() or make_member(name)

    def pick(self, rows: Any, which: int, act: Any, **more: Any) -> None:
        """Do something with one of the rows, if there is any and it may be done."""
        found = list(rows)
        if found:
            more.setdefault("by", self.approver)
            with suppress(Refused):
                act(found[which % len(found)], at=self.tick(), **more)

    def file(self, lines: list[tuple[str, int]]) -> bytes:
        text = StringIO()
        writer = csv.writer(text)
        writer.writerow(["customer_id", "unit", "amount", "member_note"])
        for name, amount in lines:
            writer.writerow([name, "points", amount, f"line {next(self.ids)}"])
        return text.getvalue().encode()

    def tick(self) -> datetime:
        self.now += timedelta(minutes=5)
        return self.now
