"""Made-up shoppers, who leave, order, change their minds, and come again."""

from random import Random
from threading import Event, Thread
from types import TracebackType
from typing import Self

from ingestion.button.sandbox.button import Sandbox
from ingestion.button.sandbox.catalogue import LIVE
from ingestion.button.sandbox.orders import PENDING, Refused, Transaction

PAUSE = 20.0  # seconds between two things one shopper does, on average
KEPT = 50  # orders that a shopper may still change


class Traffic:
    """``shoppers`` people, each doing something every ``pause`` seconds or so."""

    def __init__(
        self, sandbox: Sandbox, *, shoppers: int, seed: int = 0, pause: float = PAUSE
    ) -> None:
        self.sandbox, self.shoppers, self.pause = sandbox, shoppers, pause
        self.chance = Random(f"{seed}:traffic:{sandbox.state.count()}")
        self.placed: list[str] = []
        self._stopping = Event()
        self._thread = Thread(target=self._run, name="sandbox-traffic", daemon=True)

    def __enter__(self) -> Self:
        if self.shoppers:
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopping.set()
        if self.shoppers:
            self._thread.join()

    def _run(self) -> None:
        rate = self.shoppers / self.pause
        while not self._stopping.wait(self.chance.expovariate(rate)):
            self.step()

    def step(self) -> Transaction | None:
        """One shopper does one thing; None where it comes to nothing."""
        what = self.chance.random()
        if what < 0.6 or not self.placed:
            return self._order()
        order_id = self.chance.choice(self.placed)
        try:
            return self._change(order_id, what)
        except Refused:
            return None

    def _order(self) -> Transaction:
        shopper = f"shopper-{self.chance.randrange(self.shoppers) + 1:03d}"
        brand = self.chance.choice(LIVE)
        order = self.sandbox.place(
            customer=shopper,
            store=brand.id,
            pub_ref=self.sandbox.own_server.leave(shopper, store=brand.id),
            discount=500 if self.chance.random() < 0.1 else 0,
        )
        self.placed = [*self.placed[-KEPT:], order.order_id]
        return order

    def _change(self, order_id: str, what: float) -> Transaction | None:
        order = self.sandbox.find(order_id)
        if order.status != PENDING:
            return None
        if what < 0.8:
            return self.sandbox.return_part(order_id)
        if what < 0.9:
            return self.sandbox.adjust(order_id, total=order.order_total * 9 // 10)
        return self.sandbox.decline(order_id)
