"""Runs broker, web, worker, beat and sandbox together on one machine."""

import fcntl
import http.client
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connections

from ingestion.management.commands.sandbox import KEY_VARIABLE
from loyalty_site import broker, health
from loyalty_site.env import is_loopback
from loyalty_site.supervisor import Service, StartFailed, Supervisor
from rewards import apikeys

HOST = "127.0.0.1"
PATIENCE = 10  # seconds for what a killed predecessor left to go away


class Command(BaseCommand):
    help = (
        "Run web, worker, beat and, without CELERY_BROKER_URL, a broker; where DEMO is"
        " on, also the sandbox that BUTTON_API_URL names. Ctrl-C stops."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=settings.WEB_PORT)

    def handle(self, *, port: int, **options: Any) -> None:
        refuse_unready()
        with alone():
            refuse_taken(port)
            sandbox = self.free_sandbox_port()
            supervisor = Supervisor(services(port, sandbox=sandbox))
            connections.close_all()
            try:
                supervisor.run(announce=lambda: self.announce(port, sandbox=sandbox))
            except StartFailed as error:
                raise CommandError(f"{error}.") from error

    def free_sandbox_port(self) -> int | None:
        """Where to start the sandbox; None where another one is there already."""
        port = sandbox_port()
        if port is None or becomes_true(lambda: is_free(port)):
            return port
        self.stderr.write(f"Port {port} is taken: no sandbox is started there.")
        return None

    def announce(self, port: int, *, sandbox: int | None) -> None:
        if sandbox:
            self.stdout.write(f"\nSandbox (plays Button) on http://{HOST}:{sandbox}/")
        self.stdout.write(f"\nReady on http://{HOST}:{port}/   (Ctrl-C stops)\n")
        self.stdout.flush()


def services(port: int, *, sandbox: int | None = None) -> list[Service]:
    """Everything to run, in the order of starting."""
    embedded = broker.url(settings.DATA_DIR) == settings.CELERY_BROKER_URL
    return [
        *([broker_service()] if embedded else []),
        web_service(port),
        worker_service(),
        Service("beat", celery("beat", "--pidfile=")),
        *([sandbox_service(sandbox, web=port)] if sandbox else []),
    ]


def broker_service() -> Service:
    return Service(
        "broker",
        broker.command(settings.DATA_DIR),
        ready=lambda: broker.answers(settings.DATA_DIR),
    )


def web_service(port: int) -> Service:
    command = [sys.executable, "-m", "gunicorn", "loyalty_site.wsgi"]
    command += ["--bind", f"{HOST}:{port}", "--worker-class", "gthread"]
    command += ["--workers", "2", "--threads", "4", "--graceful-timeout", "5"]
    command += ["--no-control-socket", "--log-level", "warning"]
    command += ["--limit-request-line", "8190"]  # links to stores are long
    return Service("web", command, ready=lambda: serves(port))


def worker_service() -> Service:
    # One polls and one does the periodic work, both waiting for Button at times; what
    # comes in must not wait for them.
    command = celery("worker", "--concurrency=3")
    command += ["--without-gossip", "--without-mingle"]
    return Service(
        "worker",
        command,
        # Finish the task in hand, but not for longer than the soft shutdown allows.
        environment={"REMAP_SIGTERM": "SIGQUIT"},
        # Without its broker it may need half a minute to end; its tasks survive a kill.
        orphan_signal=signal.SIGKILL,
    )


def sandbox_port() -> int | None:
    """Where a demo expects its stand-in for Button; None where it talks to Button."""
    parts = urlsplit(settings.BUTTON_API_URL)
    wanted = settings.DEMO and is_loopback(parts.hostname or "")
    known = settings.BUTTON_API_KEY and settings.BUTTON_ORGANIZATION_ID
    return parts.port if wanted and known and settings.BUTTON_WEBHOOK_SECRETS else None


def sandbox_service(port: int, *, web: int) -> Service:
    command = [sys.executable, "manage.py", "sandbox", f"--port={port}"]
    return Service(
        "sandbox",
        command,
        ready=lambda: answers(port, "/sandbox.css"),
        environment={
            "WEB_PORT": str(web),
            KEY_VARIABLE: apikeys.renew("sandbox", at=datetime.now(UTC)),
        },
    )


def celery(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "celery", "-A", "loyalty_site", "-q", *arguments]


def serves(port: int) -> bool:
    """Any answer will do: what it says depends on ALLOWED_HOSTS."""
    return answers(port, "/healthz")


def answers(port: int, path: str) -> bool:
    client = http.client.HTTPConnection(HOST, port, timeout=2)
    try:
        client.request("GET", path)
        client.getresponse()
        return True
    except (OSError, http.client.HTTPException):
        return False
    finally:
        client.close()


def refuse_unready() -> None:
    if faults := health.find_faults():
        raise CommandError(f"{faults}: run `python manage.py migrate` first.")


@contextmanager
def alone() -> Iterator[None]:
    """Keep a second one away: two brokers would write one file."""
    with (settings.DATA_DIR / "serve.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CommandError("It is running already, on this DATA_DIR.") from None
        yield


def refuse_taken(port: int) -> None:
    if not becomes_true(lambda: is_free(port)):
        raise CommandError(f"Port {port} is taken: set WEB_PORT to another.")
    if not becomes_true(lambda: not broker.answers(settings.DATA_DIR)):
        raise CommandError(f"A broker serves {broker.socket_path(settings.DATA_DIR)}.")


def becomes_true(question: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + PATIENCE
    while not (answer := question()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return answer


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True
