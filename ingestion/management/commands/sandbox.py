"""Run a stand-in for Button on this machine."""

import os
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
KEY_VARIABLE = "SANDBOX_SERVER_KEY"  # `serve` gives it one; no setting of the server's


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
            help="where webhooks go, on this machine; default"
            f" {own_server()}/webhooks/button/",
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
            default=os.environ.get(KEY_VARIABLE, ""),
            help="a key of our server's API, to leave through it and to show what"
            f" became of an order there; by default from {KEY_VARIABLE}",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        refuse(options["host"], apart=bool(options["data"] and options["receiver"]))
        options["receiver"] = options["receiver"] or f"{own_server()}/webhooks/button/"
        refuse_elsewhere(options["receiver"])
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
            server_url=own_server(),
            server_key=options["server_key"],
        )
    except OSError as error:
        raise CommandError(f"It can't start: {error}.") from error


def own_server() -> str:
    return f"http://127.0.0.1:{settings.WEB_PORT}"


def refuse(host: str, *, apart: bool) -> None:
    """Only on this machine, and never beside a server that pays for real.

    Its webhooks are signed with our secret. ``apart``: they and its file are told to
    go elsewhere than to this server, which will do where only this machine is served.
    """
    if not is_loopback(host):
        raise CommandError(f"{host} is not this machine.", returncode=2)
    local = all(is_loopback(name.strip("[]")) for name in settings.ALLOWED_HOSTS)
    if not (settings.DEMO or settings.DEBUG or (apart and local)):
        raise CommandError(
            "It makes up orders: DEMO or DEBUG has to be on; or --data and --receiver"
            " given, where ALLOWED_HOSTS names this machine alone.",
            returncode=2,
        )
    for name in ("BUTTON_API_KEY", "BUTTON_ORGANIZATION_ID", "BUTTON_WEBHOOK_SECRETS"):
        if not getattr(settings, name):
            raise CommandError(f"{name} is not set.", returncode=2)


def refuse_elsewhere(receiver: str) -> None:
    parts = urlsplit(receiver)
    if parts.scheme != "http" or not is_loopback(parts.hostname or ""):
        raise CommandError(f"{receiver} is not on this machine.", returncode=2)


def default_port() -> int:
    """The port of BUTTON_API_URL where that is this machine."""
    parts = urlsplit(settings.BUTTON_API_URL)
    return (is_loopback(parts.hostname or "") and parts.port) or PORT


def heed_signals() -> Event:
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    return stop
