"""The page to play with: place orders, change them, see what was delivered."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlencode

from django.template.loader import render_to_string
from django.utils.translation import gettext as _

from ingestion.button.sandbox import links
from ingestion.button.sandbox.api import Answer, Request
from ingestion.button.sandbox.catalogue import LIVE, brand_of
from ingestion.button.sandbox.faults import (
    API,
    KINDS,
    WEBHOOKS,
    Faults,
    UnknownFault,
)
from ingestion.button.sandbox.lifecycle import CURRENCIES, Lifecycle
from ingestion.button.sandbox.orders import Refused, Transaction
from ingestion.button.sandbox.own_server import OwnServer
from ingestion.button.sandbox.webhooks import Webhooks
from ingestion.button.sandbox.wire import from_ms
from rewards.demo import CUSTOMER_ID
from rewards.money import currency_amount

HTML = "text/html; charset=utf-8"
STYLES = Path(__file__).with_name("sandbox.css").read_bytes()
ORDERS, DELIVERIES = 25, 25
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self';"
    " form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}

Form = Mapping[str, str]


class Pages:
    """Answers everything that is no API. Every form ends in a redirect."""

    def __init__(
        self,
        lifecycle: Lifecycle,
        webhooks: Webhooks,
        faults: Faults,
        *,
        own_server: OwnServer,
    ) -> None:
        self.lifecycle, self.webhooks, self.faults = lifecycle, webhooks, faults
        self.own_server = own_server
        self.actions: dict[str, Callable[[str, Form], object]] = {
            "adjust": self._adjust,
            "return": lambda ref, _form: lifecycle.return_part(ref),
            "validate": lambda ref, _form: lifecycle.validate(ref),
            "decline": lambda ref, _form: lifecycle.decline(ref),
            "replay": lambda ref, _form: webhooks.replay(lifecycle.find(ref).key),
            "second-transaction": lambda ref, _form: lifecycle.second_transaction(ref),
            "second-account": lambda ref, _form: lifecycle.second_account(ref),
            "hold": lambda ref, _form: webhooks.hold(lifecycle.find(ref).key),
            "release": lambda ref, _form: webhooks.release(lifecycle.find(ref).key),
        }
        self.switches: dict[str, Callable[[], object]] = {
            "pause": webhooks.pause,
            "resume": webhooks.resume,
            "ping": webhooks.ping,
        }

    def answer(self, request: Request) -> Answer:
        if request.method in {"GET", "HEAD"}:
            return self._get(request)
        if request.method != "POST":
            return _page("error.html", {"message": _("Not that way.")}, status=405)
        if not from_here(request):
            message = _("That form came from another site.")
            return _page("error.html", {"message": message}, status=403)
        try:
            return self._post(request)
        except (Refused, UnknownFault) as refusal:
            return see(said=str(refusal))

    def _get(self, request: Request) -> Answer:
        if request.path == "/sandbox.css":
            return Answer(200, STYLES, "text/css", {"Cache-Control": "max-age=60"})
        if request.path == "/favicon.ico":
            return Answer(204)
        if request.path != "/":
            return _page("error.html", {"message": _("Nothing here.")}, status=404)
        if "btn_" in request.raw_query:
            return self._shop(request)
        return self._overview(request)

    def _post(self, request: Request) -> Answer:
        form = read_form(request)
        match [unquote(part) for part in request.path.strip("/").split("/")]:
            case ["orders"]:
                return self._place(form)
            case ["orders", reference, action] if action in self.actions:
                self.actions[action](reference, form)
                return see()
            case ["webhooks", action] if action in self.switches:
                self.switches[action]()
                return see(at="deliveries")
            case ["faults"]:
                self._put_faults(form)
                return see(at="faults")
        return _page("error.html", {"message": _("Nothing here.")}, status=404)

    # What forms do

    def _place(self, form: Form) -> Answer:
        customer = form.get("customer", "").strip()
        if customer and not links.USER_ID.fullmatch(customer):
            raise Refused(_("A customer id is ASCII without spaces, 255 at most."))
        if form.get("install"):
            self.lifecycle.install(customer=customer, store=form.get("store", ""))
            return see()
        currency = form.get("currency", "USD")
        order = self.lifecycle.place(
            customer=customer,
            store=form.get("store", ""),
            goods=_goods(form),
            discount=5_00 if form.get("discount") else 0,
            currency=currency if currency in CURRENCIES else "USD",
            pub_ref=form.get("reference", ""),
        )
        return see(placed=order.order_id)

    def _adjust(self, reference: str, form: Form) -> Transaction:
        before = self.lifecycle.find(reference)
        total = form.get("total", "")
        if total and not (total.isascii() and total.isdigit() and len(total) < 12):
            raise Refused(_("A total is a whole number of minor units."))
        wanted = int(total) if total else before.order_total * 3 // 4
        return self.lifecycle.adjust(reference, total=wanted)

    def _put_faults(self, form: Form) -> None:
        self.faults.put(
            {
                kind: {
                    "probability": _whole(form.get(f"{kind}-percent"), most=100) / 100,
                    "next": _whole(form.get(f"{kind}-next"), most=10_000),
                }
                for kind in KINDS
            }
        )

    # What is shown

    def _overview(self, request: Request) -> Answer:
        query = request.query
        orders = self.lifecycle.state.newest(most=ORDERS)
        held = {
            row["key"] for row in self.lifecycle.state.rows("SELECT key FROM holds")
        }
        deliveries = self.webhooks.newest(most=DELIVERIES)
        for delivery in deliveries:
            delivery["at"] = from_ms(delivery["created"])
        context = {
            "said": query.get("said", ""),
            "placed": query.get("placed", ""),
            "server_url": self.own_server.url,
            "customer": query.get("customer", CUSTOMER_ID),
            "stores": LIVE,
            "currencies": CURRENCIES,
            "orders": [self._order(order, held) for order in orders],
            "more": self.lifecycle.state.count() > ORDERS,
            "asked": self.own_server.can_ask,
            "deliveries": deliveries,
            "paused": self.webhooks.paused,
            "waiting": self.webhooks.waiting(),
            "receiver": self.webhooks.receiver,
            "switches": self._switches(),
        }
        return _page("overview.html", context)

    def _order(self, order: Transaction, held: set[str]) -> dict[str, Any]:
        return {
            "facts": order,
            "path": quote(order.id, safe=""),
            "store": brand_of(order.store).name,
            "total": currency_amount(order.order_total, currency=order.currency),
            "commission": currency_amount(order.commission, currency=order.currency),
            "held": order.key in held,
            "opinion": self.own_server.opinion_of(order.key),
        }

    def _switches(self) -> list[dict[str, Any]]:
        settings = self.faults.settings()
        return [
            {
                "title": title,
                "rows": [
                    {
                        "kind": kind,
                        "text": text,
                        "percent": round(settings[kind]["probability"] * 100),
                        **settings[kind],
                    }
                    for kind, text in kinds.items()
                ],
            }
            for title, kinds in ((_("API"), API), (_("Webhooks"), WEBHOOKS))
        ]

    def _shop(self, request: Request) -> Answer:
        """What follows r.bttn.io: a shop, with the link's faults on show."""
        link = links.follow(request.raw_query, organization=self.lifecycle.organization)
        goods = [
            {
                "name": one.name,
                "price": currency_amount(one.price, currency="USD"),
                "first": number == 0,
            }
            for number, one in enumerate(link.brand.goods if link.brand else [])
        ]
        status = 400 if link.faults else 200
        return _page("shop.html", {"link": link, "goods": goods}, status=status)


def _goods(form: Form) -> dict[str, int] | None:
    """Pieces by name, of a shop's page; None where any will do."""
    wanted = {
        name.removeprefix("goods-"): _whole(pieces, most=99)
        for name, pieces in form.items()
        if name.startswith("goods-")
    }
    if not wanted:
        return None
    if not any(wanted.values()):
        raise Refused(_("The basket is empty."))
    return {name: pieces for name, pieces in wanted.items() if pieces}


def _whole(text: str | None, *, most: int) -> int:
    text = (text or "").strip() or "0"
    if not (text.isascii() and text.isdigit() and int(text[:9]) <= most):
        raise Refused(_("Write whole numbers, %(most)d at most.") % {"most": most})
    return int(text)


def from_here(request: Request) -> bool:
    """Whether a form was sent by a page of ours. Scripts send neither header."""
    if request.headers.get("Sec-Fetch-Site", "").lower() in {"cross-site", "same-site"}:
        return False
    origin = request.headers.get("Origin")
    return origin is None or origin == f"http://{request.headers.get('Host')}"


def read_form(request: Request) -> dict[str, str]:
    """The last value of each field."""
    fields = parse_qs(request.body.decode("utf-8", "replace"), keep_blank_values=True)
    return {name: values[-1] for name, values in fields.items()}


def see(*, at: str = "", **said: str) -> Answer:
    """Back to the page."""
    query = f"?{urlencode(said)}" if said else ""
    anchor = f"#{at}" if at else ""
    return Answer(303, headers={**HEADERS, "Location": f"/{query}{anchor}"})


def _page(name: str, context: Mapping[str, Any], *, status: int = 200) -> Answer:
    text = render_to_string(f"sandbox/{name}", dict(context))
    return Answer(status, text.encode(), HTML, HEADERS)
