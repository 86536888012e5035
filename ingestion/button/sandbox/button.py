"""The whole stand-in for Button: one object, to be run by a command or a test."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Thread
from types import TracebackType
from typing import Self

from ingestion.button.sandbox.api import Answer, Api, Request
from ingestion.button.sandbox.control import Control
from ingestion.button.sandbox.faults import Faults
from ingestion.button.sandbox.lifecycle import Lifecycle, account_of
from ingestion.button.sandbox.orders import Truth
from ingestion.button.sandbox.own_server import OwnServer
from ingestion.button.sandbox.pages import Pages
from ingestion.button.sandbox.paging import Pager
from ingestion.button.sandbox.server import HOST, Server
from ingestion.button.sandbox.state import State
from ingestion.button.sandbox.webhooks import HOUR, Webhooks

TICK = 0.25  # seconds between two looks at what has become final


class Sandbox:
    """Accounts, transactions, catalogue, links, webhooks, and a page to play with.

    ``data`` is its SQLite file. ``receiver`` is where webhooks go; None lets them
    wait. ``hour`` and ``month`` are the real seconds that Button's hour of retries,
    and a finalization window of 30 days, take; ``month`` None: nothing becomes final
    by itself. ``cursor_life`` is in seconds. ``server_url`` is our server, to link
    to; ``server_key`` a key of its API, to leave through it, and to show what became
    of an order there.
    """

    def __init__(
        self,
        *,
        data: Path | str = ":memory:",
        port: int = 0,
        api_key: str = "sk-sandbox",
        organization: str = "org-5a4db07a11ce0001",
        secret: str = "sandbox-webhook-secret",  # noqa: S107  (made up)
        receiver: str | None = None,
        hour: float = HOUR,
        month: float | None = None,
        seed: int = 0,
        new_transactions: bool = False,
        cursor_life: float | None = None,
        threads: int = 4,
        server_url: str = "",
        server_key: str = "",
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.api_key, self.organization, self.secret = api_key, organization, secret
        self.state = State(data)
        self.faults = Faults(seed=seed)
        self.webhooks = Webhooks(
            self.state,
            self.faults,
            receiver=receiver,
            secret=secret,
            hour=hour,
            threads=threads,
            clock=clock,
        )
        self.lifecycle = Lifecycle(
            self.state,
            self.webhooks,
            organization=organization,
            seed=seed,
            month=month,
            new_transactions=new_transactions,
            clock=clock,
        )
        pager = Pager(self.state, self.faults, cursor_life=cursor_life)
        self.api = Api(
            self.state, self.faults, pager, key=api_key, organization=organization
        )
        self.control = Control(self.api, self.lifecycle, self.webhooks, self.faults)
        self.own_server = OwnServer(server_url, key=server_key)
        self.pages = Pages(
            self.lifecycle,
            self.webhooks,
            self.faults,
            own_server=self.own_server,
        )
        self.server = Server(self, port)
        self._stopping = Event()
        self._finalizer = Thread(
            target=self._finalize, name="sandbox-final", daemon=True
        )
        self._name_actions()

    def _name_actions(self) -> None:
        """What tests do to orders, under the sandbox's own name."""
        self.place = self.lifecycle.place
        self.install = self.lifecycle.install
        self.adjust = self.lifecycle.adjust
        self.return_part = self.lifecycle.return_part
        self.validate = self.lifecycle.validate
        self.decline = self.lifecycle.decline
        self.second_transaction = self.lifecycle.second_transaction
        self.second_account = self.lifecycle.second_account
        self.find = self.lifecycle.find
        self.load = self.lifecycle.load
        self.made_up = self.lifecycle.made_up
        self.ping = self.webhooks.ping
        self.pause = self.webhooks.pause
        self.resume = self.webhooks.resume

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.server.port}"

    def start(self) -> Self:
        self.webhooks.start()
        self.server.start()
        self._finalizer.start()
        return self

    def stop(self) -> None:
        """Finish the deliveries in hand, and close everything."""
        self._stopping.set()
        self.server.stop()
        self._finalizer.join()
        self.webhooks.stop()
        self.state.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def answer(self, request: Request) -> Answer:
        if request.path.startswith("/v1/"):
            return self.api.answer(request)
        if request.path.startswith("/sandbox/"):
            return self.control.answer(request)
        return self.pages.answer(request)

    def account(self, currency: str = "USD") -> str:
        """The id of the account of a currency."""
        return account_of(self.organization, currency)

    def truth(self) -> Iterator[Truth]:
        """Where every order stands, oldest first."""
        return self.state.truth()

    def replay(self, reference: str) -> int:
        """Send an order's newest webhook once more, under its own id; how many went."""
        return self.webhooks.replay(self.find(reference).key)

    def delay(self, reference: str, *, seconds: float | None = None) -> None:
        """Hold an order's webhooks, until released or for so many seconds."""
        self.webhooks.hold(self.find(reference).key, seconds=seconds)

    def release(self, reference: str) -> None:
        self.webhooks.release(self.find(reference).key)

    def _finalize(self) -> None:
        while not self._stopping.wait(TICK):
            self.lifecycle.finalize_due()
