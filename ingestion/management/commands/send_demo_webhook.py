"""Report a made-up order over HTTP, signed, just as Button would."""

import http.client
import shlex
import urllib.request
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from ingestion.button import samples
from ingestion.button.adapter import STATUS_OF_EVENT
from ingestion.button.envelope import NETWORK
from ingestion.button.signature import sign
from rewards import demo
from rewards.models import Purchase

AGAIN = ".venv/bin/python manage.py send_demo_webhook"
LAST = "last"
TIMEOUT = 10


class Command(BaseCommand):
    help = (
        "Report a made-up order to this server's webhook, signed, in Button's format."
        " The same --order again reports that order's next state."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        statuses = sorted(STATUS_OF_EVENT.values())
        parser.add_argument("--status", choices=statuses, default="pending")
        parser.add_argument(
            "--order", help=f"an order id, or “{LAST}”; by default a new order"
        )
        parser.add_argument("--total", type=int, help="order total in cents")
        parser.add_argument("--customer", help=f"default {demo.CUSTOMER_ID}")
        parser.add_argument(
            "--url",
            default=f"http://127.0.0.1:{settings.WEB_PORT}/webhooks/button/",
            help="on this machine only; default %(default)s",
        )
        parser.add_argument(
            "--print-curl",
            action="store_true",
            help="print a ready curl command and send nothing",
        )

    def handle(self, *args: Any, url: str, print_curl: bool, **options: Any) -> None:
        refuse_elsewhere(url)
        now = datetime.now(UTC)
        order = find_order(
            options["order"],
            customer=options["customer"],
            total=options["total"],
            now=now,
        )
        body = samples.body(order, status=options["status"], at=now)
        signature = sign(body, secret=settings.BUTTON_WEBHOOK_SECRETS[0])
        curl = curl_command(url, body, signature)
        if print_curl:
            self.stdout.write(curl)
            return
        answer = post(url, body, signature)
        self.stdout.write(f"{answer} {http.client.responses.get(answer, '')}")
        self.stdout.write(f"\nThe same by curl:\n{curl}")
        if answer != 200:
            raise CommandError(f"{url} answered {answer}: the order is not stored.")
        self.stdout.write(f"\n{what_next(order.order_id)}")


def find_order(
    name: str | None, *, customer: str | None, total: int | None, now: datetime
) -> samples.SampleOrder:
    """A new order, or one reported before as it stands now. Raises CommandError."""
    known = known_order(name)
    if name == LAST and known is None:
        raise CommandError("No order of the demo member is known yet.", returncode=2)
    if total is not None and total < 0:
        raise CommandError("--total is below zero.", returncode=2)
    if known and total is None:
        total = known.order_total
    return samples.sample_order(
        known.order_key if known else name or samples.new_order_id(),
        stores=demo.STORES,
        customer_id=customer or (known and known.customer_id) or demo.CUSTOMER_ID,
        ordered_at=known.attributed_at if known else now,
        total=total,
    )


def known_order(name: str | None) -> Purchase | None:
    purchases = Purchase.objects.filter(account__network=NETWORK)
    if name == LAST:
        own = purchases.filter(member__customer_id=demo.CUSTOMER_ID)
        return own.order_by("-attributed_at", "-pk").first()
    return purchases.filter(order_key=name).first() if name else None


def refuse_elsewhere(url: str) -> None:
    """Only a demo on this machine: it makes up orders that members are paid for."""
    if not settings.DEMO:
        raise CommandError("It makes up orders: DEMO has to be on.", returncode=2)
    if not settings.BUTTON_WEBHOOK_SECRETS:
        raise CommandError("BUTTON_WEBHOOK_SECRETS is not set.", returncode=2)
    parts = urlsplit(url)
    if parts.scheme != "http" or not is_loopback(parts.hostname or ""):
        raise CommandError(f"{url} is not on this machine.", returncode=2)


def is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def post(url: str, body: bytes, signature: str) -> int:
    """The status of the answer. Raises CommandError where there is none."""
    request = urllib.request.Request(  # noqa: S310  (its scheme was checked)
        url,
        data=body,
        headers={
            "Content-Type": "application/json",
            "User-Agent": "Button Webhooks 1.0 (demo)",
            "X-Button-Signature": signature,
        },
    )
    # No proxy from the environment: it could not reach this machine's loopback.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=TIMEOUT) as answer:
            return int(answer.status)
    except HTTPError as error:
        return error.code
    except (URLError, OSError, http.client.HTTPException) as error:
        raise CommandError(f"{url} does not answer ({error}). Is it running?") from None


def curl_command(url: str, body: bytes, signature: str) -> str:
    return shlex.join(
        [
            *("curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}\\n"),
            *("-H", "Content-Type: application/json"),
            *("-H", f"X-Button-Signature: {signature}"),
            *("--data-binary", body.decode(), url),
        ]
    )


def what_next(order_id: str) -> str:
    return (
        f"Reload your activity: {order_id} is there a second later. Then try\n"
        f"  {AGAIN} --order {order_id} --total 2000\n"
        f"  {AGAIN} --order {order_id} --status validated\n"
        f"  {AGAIN} --order {order_id} --status declined"
    )
