"""The storm's history, with events, codes, payouts, files and closes."""

import json
import logging
from contextlib import suppress
from datetime import timedelta

import time_machine
from django.contrib.auth.models import User
from django.db import connection

from ingestion.button.envelope import webhook_delivery
from ingestion.inbox import store
from ingestion.processing import drain
from rewards.bulks import checking, deciding, working
from rewards.closing import closes, days, signing
from rewards.models import Bulk, Close, Reward
from rewards.redemptions import codes, fulfilment, payout_files, payouts
from rewards.refusals import Refused
from tests.builders import NOW, transaction, webhook_body
from tests.ingestion.storms import Storm
from tests.rewards.money_machine import NAMES

CODES, CARD, ORDERS = 60, 25, 60


def write(seed: int, steps: int) -> None:
    """Write it to the default database, which is empty."""
    logging.disable(logging.CRITICAL)
    one = History(seed)
    one.blow(steps)
    one.close_days()
    one.blow(steps // 6)
    one.erase_one()
    one.blow(steps // 6)
    one.close_days(signed=False)
    one.rolled_back.__exit__(None, None, None)  # kept, where tests take it back
    connection.close()


class History(Storm):
    """The storm, with what is kept beside the ledger and bound to it."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.payer: User = self.approver
        card, bank = (
            Reward.objects.create(
                key=kind, name=kind, kind=kind, unit=self.unit, **changes
            )
            for kind, changes in (
                ("gift_code", {"minimum": CARD, "maximum": CARD}),
                ("payout", {"minimum": 1, "approve_above": 30}),
            )
        )
        texts = [f"CARD-{number:08}" for number in range(CODES)]
        codes.add(card, texts, by=self.author, at=NOW)
        self.rewards = [self.reward, card, bank, bank]
        for number, name in enumerate(NAMES):
            payouts.put_details(
                self.member(name),
                method="bank",
                details=f"DE021203{number:04}",
                at=NOW - timedelta(days=30),
            )

    def try_to_redeem(self, name: str, amount: int, key: int) -> None:
        self.reward = self.chance.choice(self.rewards)
        if self.reward.kind == "gift_code":
            amount = CARD
        super().try_to_redeem(name, amount, key)

    def step(self, kind: int) -> None:
        super().step(kind)
        if kind < 40:
            self.chance.choice(
                [
                    self.deliver,
                    self.deliver,
                    self.export,
                    self.look_at_one,
                    self.bad_file,
                ]
            )()

    def deliver(self) -> None:
        """A webhook, or something that is none; now and then once more."""
        number, status = (
            self.chance.randrange(8),
            self.chance.choice(["pending", "pending", "validated"]),
        )
        at = f"{self.tick():%Y-%m-%dT%H:%M:%SZ}"
        body = webhook_body(
            transaction(
                id=f"tx-event-{number}",
                button_order_id=f"btnorder-event-{number}",
                publisher_customer_id=self.chance.choice(NAMES),
                status=status,
                modified_date=at,
                validated_date=at if status == "validated" else None,
            )
        )
        if self.chance.random() < 0.2:
            body = json.dumps([at]).encode()
        with time_machine.travel(self.tick(), tick=False):
            store(webhook_delivery(body), at=self.now)
            drain()

    def export(self) -> None:
        payout_files.export(again=False, by=self.payer, at=self.tick())

    def look_at_one(self) -> None:
        """A redemption is held and goes on, or is approved."""
        which, found = self.chance.randrange(99), self.open_redemptions()
        waiting = found.filter(needs_approval=True, approved_at=None)
        self.pick(waiting, which, fulfilment.approve)
        under_way = found.filter(status="reserved")
        self.pick(under_way, which, fulfilment.hold, reason="Why?")
        self.pick(found.filter(status="review"), which, fulfilment.resume, reason="So.")

    def bad_file(self) -> None:
        """A file that is refused, and one that is dropped or taken back."""
        for name in ("nobody", "alice"):
            with suppress(Refused):
                line = f"{name},points,{next(self.ids)}"
                content = f"customer_id,unit,amount\n{line}\n".encode()
                checking.check(
                    content,
                    name="points.csv",
                    reason="campaign",
                    note="Spring",
                    by=self.author,
                    at=self.tick(),
                )
        which = self.chance.randrange(99)
        waiting = Bulk.objects.filter(state="checked", approved_by=None)
        self.pick(waiting.order_by("pk"), which, deciding.drop)
        self.undo_a_file(which)

    def undo_a_file(self, which: int) -> None:
        applied = Bulk.objects.filter(state="applied").order_by("pk")
        if which % 3 == 0:
            self.pick(applied, which, deciding.undo, reason="A mistake.")
            working.work(at=self.tick())

    def close_days(self, *, signed: bool = True) -> None:
        """Close every day that is over; sign off as far as that is possible."""
        for _ in range(ORDERS):
            self.resolve_one()
        for day in days.closable(at=self.now):
            closes.draw_up(day, network="", at=self.now)
        for close in Close.objects.filter(signed_at=None).order_by("day"):
            if signed:
                with suppress(Refused):
                    signing.sign(close, by=self.approver, note="", at=self.tick())
