"""A history of everything that can happen, at random, for what checks histories."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from random import Random
from typing import Any

from rewards.decisions import assign, decide_account
from rewards.members import put_member
from rewards.models import Edition, NetworkAccount, Purchase, Unit
from rewards.program import draft, editions, vocabulary
from rewards.refusals import Refused
from rewards.settling import due
from tests.builders import (
    MERCHANT,
    NOW,
    ORDERED,
    fixed,
    per_amount,
    program,
    report,
    rule,
    share,
)
from tests.ingestion.delivering import deliver
from tests.rewards import rerunning
from tests.rewards.money_machine import NAMES, MoneyMachine

LATE = "dave"
RULES = (
    rule(
        "first",
        when={"first_purchase": "ever", "currencies": ["USD"]},
        reward=per_amount("2"),
        limits={"per_order": 90, "budget": 150},
        hold_days=20,
        expires_after_days=30,
    ),
    rule(
        "daily",
        limits={"per_member": {"amount": 200, "period": "day"}},
        expires_after_days=20,
    ),
    rule("vip", group="bonus", when={"segments": ["vip"]}, reward=fixed("11")),
    rule("twice", group="bonus", limits={"per_member_count": 2}, reward=fixed("7")),
    rule("cash", unit="USD", reward=share("50"), hold_days=3),
)


class Storm(MoneyMachine):
    """The machine of all that moves money, with all that shapes what orders earn."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.chance = Random(seed)
        self.editions = [Edition.objects.get(), self.publish(*RULES)]

    def publish(self, *rules: dict[str, Any]) -> Edition:
        draft.replace(vocabulary.parse(program(*rules)))
        self.now += timedelta(hours=1)
        return editions.publish(now=self.now, at=self.now + timedelta(minutes=30))

    def blow(self, steps: int) -> None:
        """So many steps of any kind."""
        for _ in range(steps):
            self.step(self.chance.randrange(100))

    def step(self, kind: int) -> None:
        any_of = self.chance.randrange
        name = self.chance.choice(NAMES)
        if kind < 35:
            self.orders()
        elif kind < 45:
            self.try_to_redeem(name, any_of(1, 80), any_of(400))
        elif kind < 51:
            self.adjust_by_hand(name, any_of(-60, 90) or 1, any_of(0, 9))
        else:
            self.chance.choice(
                [
                    lambda: self.fulfil_one(any_of(99)),
                    lambda: self.cancel_one(any_of(99)),
                    lambda: self.decide_one(any_of(99)),
                    lambda: self.apply_file([(name, any_of(1, 40))]),
                    lambda: self.later(any_of(1, 6)),
                    lambda: self.later(any_of(1, 6)),
                    self.expire_lots,
                    self.resolve_one,
                    self.assign_one,
                    self.rerun,
                    self.account,
                    lambda: put_member(LATE, at=self.tick()),
                    lambda: put_member(name, segments=["vip"], at=self.tick()),
                    lambda: self.new_terms(any_of(30)),
                ]
            )()

    def orders(self) -> None:
        """Reports of orders old and new, of which some are told of twice."""
        self.tick()
        told = []
        for _ in range(self.chance.randrange(1, 5)):
            number = self.chance.randrange(30)
            at = self.now + timedelta(seconds=self.chance.randrange(60))
            told.append(
                report(
                    account=self.chance.choice(["acc-1", "acc-1", "acc-1", "acc-2"]),
                    order_id=f"btnorder-{number}",
                    transaction_id=f"tx-{number}",
                    customer_id=(*NAMES, LATE)[number % 4],
                    merchant=(MERCHANT, "org-x")[number % 2],
                    order_total=self.chance.randrange(15_000),
                    commission=self.chance.randrange(900),
                    status=self.chance.choice(
                        ["pending", "pending", "validated", "declined"]
                    ),
                    attributed_at=ORDERED + timedelta(hours=13 * number),
                    modified_at=at,
                    country=self.chance.choice(["", "US"]),
                )
            )
        deliver(*told, at=self.now + timedelta(minutes=1))
        self.tick()

    def adjust_by_hand(self, name: str, amount: int, days: int) -> None:
        from rewards import adjustments

        with suppress(Refused):
            adjustments.adjust(
                self.member(name),
                unit=Unit.objects.get(code="points"),
                amount=amount,
                reason="goodwill",
                note="Because.",
                expires_after_days=(days or None) if amount > 0 else None,
                by=self.author,
                at=self.tick(),
            )

    def fulfil_one(self, which: int) -> None:
        from rewards.redemptions import fulfilment

        self.pick(self.open_redemptions(), which, fulfilment.fulfil)

    def cancel_one(self, which: int) -> None:
        from rewards.redemptions import fulfilment

        self.pick(self.open_redemptions(), which, fulfilment.cancel, reason="Gone.")

    def decide_one(self, which: int) -> None:
        from rewards import adjustments
        from rewards.models import Adjustment

        found = Adjustment.objects.filter(bulk=None).order_by("pk")
        waiting, posted = (found.filter(state=s) for s in ("waiting", "posted"))
        self.pick(waiting, which, adjustments.approve)
        if which % 3 == 0:
            self.pick(posted, which, adjustments.undo, reason="A mistake.")

    def later(self, days: int) -> None:
        self.now += timedelta(days=days)
        due.settle_due(at=self.now)

    def expire_lots(self) -> None:
        from rewards.ledger import expiries

        expiries.expire(at=self.tick())

    def resolve_one(self) -> None:
        from rewards.decisions import resolve
        from rewards.models import Report

        waiting = list(Purchase.objects.exclude(review="").order_by("pk"))
        if waiting:
            found = self.chance.choice(waiting)
            chosen = self.chance.choice(list(Report.objects.filter(purchase=found)))
            resolve(found, report=chosen, reason="Looked.", by=None, at=self.tick())

    def assign_one(self) -> None:
        found = self.chance.choice([None, *Purchase.objects.order_by("pk")])
        if found:
            member = self.member(self.chance.choice(NAMES))
            with suppress(Refused):
                assign(found, member=member, reason="Theirs.", by=None, at=self.tick())

    def rerun(self) -> None:
        with suppress(Refused):
            self.now += timedelta(minutes=1)
            done = _apply(self.chance.choice(self.editions), at=self.now)
            if self.chance.random() < 0.5:
                rerunning.undo(done, at=self.tick())

    def account(self) -> None:
        account = self.chance.choice([None, *NetworkAccount.objects.order_by("pk")])
        if account:
            decide_account(
                account,
                rewarding=self.chance.random() < 0.8,
                reason="Looked.",
                by=None,
                at=self.tick(),
            )

    def new_terms(self, below: int) -> None:
        from rewards.models import Terms

        Terms.objects.update(forgive_below=below)

    def erase_one(self) -> None:
        from rewards.privacy.erasure import erase

        erase(self.member("carol"), by=self.author, at=self.tick())


def _apply(edition: Edition, *, at: datetime) -> Any:
    """A re-run from being asked for to its end."""
    from rewards import reruns

    rerun = rerunning.ask(edition, end=ORDERED + timedelta(days=400), at=at)
    rerunning.preview(rerun)
    reruns.apply(rerun, by=None, at=at)
    reruns.work(rerun, at=at)
    return rerun


@contextmanager
def storm(seed: int, *, steps: int) -> Iterator[Storm]:
    """A history, which is gone again afterwards."""
    one = Storm(seed)
    try:
        one.blow(steps)
        yield one
    finally:
        one.teardown()


__all__ = ["NOW", "Storm", "storm"]
