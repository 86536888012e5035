"""Run a stand-in for Button on this machine."""

import signal
from pathlib import Path
from threading import Event
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from ingestion.button.sandbox import Sandbox
from ingestion.button.sandbox.traffic import Traffic
from ingestion.management.commands.send_demo_webhook import is_loopback

PORT = 8010
MONTH = 120  # seconds that a finalization window of 30 days takes amid traffic
FILE = "sandbox.sqlite3"


class Command(BaseCommand):
    help = (
        "A stand-in for Button, for this machine alone: its API, signed webhooks, and"
        " a page to place, change and finish orders. SIGTERM or Ctrl-C stops it."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--port", type=int, help=f"default that of BUTTON_API_URL, else {PORT}"
        )
        parser.add_argument("--host", default="127.0.0.1", help="loopback only")
        parser.add_argument(
            "--traffic",
            type=int,
            default=0,
            metavar="N",
            help="so many made-up shoppers, who order, return and get final by"
            " themselves",
        )
        parser.add_argument(
            "--data", type=Path, help=f"its SQLite file; default {FILE} in DATA_DIR"
        )
        parser.add_argument(
            "--receiver",
            default=f"http://127.0.0.1:{settings.WEB_PORT}/webhooks/button/",
            help="where webhooks go, on this machine; default %(default)s",
        )
        parser.add_argument(
            "--hour",
            type=float,
            default=3600,
            metavar="SECONDS",
            help="how long an hour of Button's retries takes; default %(default)s",
        )
        parser.add_argument(
            "--month",
            type=float,
            metavar="SECONDS",
            help="how long a finalization window of 30 days takes; by default orders"
            f" become final only when asked, or {MONTH} s amid traffic",
        )
        parser.add_argument("--seed", type=int, default=0, help="of all chance")
        parser.add_argument(
            "--new-transactions",
            action="store_true",
            help="each change of an order has a new transaction id",
        )
        parser.add_argument(
            "--server-key",
            default="",
            help="a key of our server's API, to show what became of an order there",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        refuse(options["host"], options["receiver"], data=options["data"])
        sandbox = make_sandbox(options)
        traffic = Traffic(sandbox, shoppers=options["traffic"], seed=options["seed"])
        stop = heed_signals()
        with sandbox, traffic:
            self.stdout.write(f"Sandbox on {sandbox.url}/   (Ctrl-C stops)")
            self.stdout.flush()
            stop.wait()


def make_sandbox(options: dict[str, Any]) -> Sandbox:
    month = options["month"]
    if month is None and options["traffic"]:
        month = MONTH
    try:
        return Sandbox(
            data=options["data"] or settings.DATA_DIR / FILE,
            port=options["port"] or default_port(),
            api_key=settings.BUTTON_API_KEY,
            organization=settings.BUTTON_ORGANIZATION_ID,
            secret=settings.BUTTON_WEBHOOK_SECRETS[0],
            receiver=options["receiver"],
            hour=options["hour"],
            month=month,
            seed=options["seed"],
            new_transactions=options["new_transactions"],
            server_url=f"http://127.0.0.1:{settings.WEB_PORT}",
            server_key=options["server_key"],
        )
    except OSError as error:
        raise CommandError(f"It can't start: {error}.") from error


def refuse(host: str, receiver: str, *, data: Path | None) -> None:
    """Only on this machine, and never beside a server that pays for real."""
    if not is_loopback(host):
        raise CommandError(f"{host} is not this machine.", returncode=2)
    parts = urlsplit(receiver)
    if parts.scheme != "http" or not is_loopback(parts.hostname or ""):
        raise CommandError(f"{receiver} is not on this machine.", returncode=2)
    if not (settings.DEMO or settings.DEBUG or data):
        raise CommandError(
            "It makes up orders: DEMO or DEBUG has to be on, or --data given.",
            returncode=2,
        )
    for name in ("BUTTON_API_KEY", "BUTTON_ORGANIZATION_ID", "BUTTON_WEBHOOK_SECRETS"):
        if not getattr(settings, name):
            raise CommandError(f"{name} is not set.", returncode=2)


def default_port() -> int:
    """The port of BUTTON_API_URL where that is this machine."""
    parts = urlsplit(settings.BUTTON_API_URL)
    return (is_loopback(parts.hostname or "") and parts.port) or PORT


def heed_signals() -> Event:
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    return stop
