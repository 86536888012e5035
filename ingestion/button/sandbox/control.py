"""JSON for tests and scripts beside Button's own API: what happens, and the truth."""

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from typing import Any
from urllib.parse import unquote

from ingestion.button.sandbox.api import Answer, Api, Failure, Request, ok
from ingestion.button.sandbox.faults import Faults
from ingestion.button.sandbox.lifecycle import Lifecycle
from ingestion.button.sandbox.orders import Refused, Transaction
from ingestion.button.sandbox.paging import BadQuery
from ingestion.button.sandbox.webhooks import Webhooks
from ingestion.button.sandbox.wire import from_ms

INSTANTS = ("at", "purchased_at")


class Control:
    """Answers what starts with /sandbox/ and is not a page. It needs the key."""

    def __init__(
        self, api: Api, lifecycle: Lifecycle, webhooks: Webhooks, faults: Faults
    ) -> None:
        self.api, self.lifecycle = api, lifecycle
        self.webhooks, self.faults = webhooks, faults
        self.actions: dict[str, Callable[..., Transaction]] = {
            name: getattr(lifecycle, name)
            for name in (
                *("adjust", "return_part", "validate", "decline"),
                *("second_transaction", "second_account"),
            )
        }
        self.routes: dict[tuple[str, str], Callable[[Request], Answer]] = {
            ("GET", "/sandbox/truth"): self.truth,
            ("GET", "/sandbox/deliveries"): self.deliveries,
            ("GET", "/sandbox/faults"): lambda _: ok(object=faults.settings()),
            ("POST", "/sandbox/faults"): self.put_faults,
            ("POST", "/sandbox/orders"): self.place,
            ("POST", "/sandbox/installs"): self.install,
            ("GET", "/sandbox/webhooks"): lambda _: self.status(),
            ("POST", "/sandbox/webhooks/pause"): self.pause,
            ("POST", "/sandbox/webhooks/resume"): self.resume,
            ("POST", "/sandbox/webhooks/ping"): self.ping,
        }

    def answer(self, request: Request) -> Answer:
        try:
            self.api.check_key(request)
            return self._route(request)
        except Failure as failure:
            return failure.answer()
        except (ValueError, TypeError) as error:
            return Failure(400, str(error)).answer()
        except Refused as refusal:
            return Failure(409, str(refusal), type="Refused").answer()

    def _route(self, request: Request) -> Answer:
        if handler := self.routes.get((request.method, request.path)):
            return handler(request)
        match [unquote(part) for part in request.path.strip("/").split("/")]:
            case ["sandbox", "orders", reference]:
                return self._shown(self.lifecycle.find(reference))
            case ["sandbox", "orders", reference, action] if request.method == "POST":
                return self._act(reference, action, _options(request))
        raise Failure(404, "Not found.")

    def truth(self, request: Request) -> Answer:
        rows = [asdict(one) for one in self.lifecycle.state.truth()]
        for row in rows:
            row["purchased_at"] = row["purchased_at"].isoformat()
        return ok(objects=rows)

    def place(self, request: Request) -> Answer:
        options = {"customer": None, **_options(request)}
        return self._shown(self.lifecycle.place(**options))

    def install(self, request: Request) -> Answer:
        options = {"customer": None, **_options(request)}
        return self._shown(self.lifecycle.install(**options))

    def _act(self, reference: str, action: str, options: dict[str, Any]) -> Answer:
        transaction = self.lifecycle.find(reference)
        if action == "replay":
            self.webhooks.replay(transaction.key)
        elif action == "delay":
            self.webhooks.hold(transaction.key, **options)
        elif action == "release":
            self.webhooks.release(transaction.key)
        elif action in self.actions:
            transaction = self.actions[action](reference, **options)
        else:
            raise Failure(404, "Nothing of that name can happen to an order.")
        return self._shown(transaction)

    def _shown(self, transaction: Transaction) -> Answer:
        t = transaction
        return ok(
            object={
                "order_id": t.order_id,
                "transaction_id": t.id,
                "account": t.account,
                "customer": t.customer,
                "store": t.store,
                "category": t.category,
                "status": t.status,
                "currency": t.currency,
                "order_total": t.order_total,
                "commission": t.commission,
                "purchased_at": t.purchased_at.isoformat(),
                "modified_at": t.modified_at.isoformat(),
                "lines": [{**asdict(line), "total": line.total} for line in t.lines],
            }
        )

    def deliveries(self, request: Request) -> Answer:
        """The newest deliveries (of ``?key=``), with what each is waiting for."""
        query = request.query
        rows = self.webhooks.newest(
            most=int(query.get("most", "100")), key=query.get("key", "")
        )
        for row in rows:
            row["created"] = from_ms(row["created"]).isoformat()
        return ok(objects=rows)

    def put_faults(self, request: Request) -> Answer:
        given = request.json()
        if not given:
            self.faults.clear()
        self.faults.put(given)
        return ok(object=self.faults.settings())

    def status(self) -> Answer:
        waiting, paused = self.webhooks.waiting(), self.webhooks.paused
        return ok(
            object={
                "receiver": self.webhooks.receiver,
                "waiting": waiting,
                "paused": paused,
            }
        )

    def pause(self, request: Request) -> Answer:
        self.webhooks.pause()
        return self.status()

    def resume(self, request: Request) -> Answer:
        self.webhooks.resume()
        return self.status()

    def ping(self, request: Request) -> Answer:
        self.webhooks.ping()
        return self.status()


def _options(request: Request) -> dict[str, Any]:
    """The body's fields, times read. Raises BadQuery."""
    options = request.json()
    for name in INSTANTS:
        if name in options:
            options[name] = _instant(name, options[name])
    return options


def _instant(name: str, text: Any) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise BadQuery(f"{name}: write a time such as 2031-03-04T00:00:00Z.") from None
    if at.tzinfo is None:
        raise BadQuery(f"{name}: its offset is missing.")
    return at
