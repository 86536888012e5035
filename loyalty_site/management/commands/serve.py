"""Runs broker, web, worker and beat together on one machine."""

import fcntl
import http.client
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connections

from loyalty_site import broker, health
from loyalty_site.supervisor import Service, StartFailed, Supervisor

HOST = "127.0.0.1"
PATIENCE = 10  # seconds for what a killed predecessor left to go away


class Command(BaseCommand):
    help = (
        "Run web, worker, beat and, without CELERY_BROKER_URL, a broker. Ctrl-C stops."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=settings.WEB_PORT)

    def handle(self, *, port: int, **options: Any) -> None:
        refuse_unready()
        with alone():
            refuse_taken(port)
            supervisor = Supervisor(services(port))
            connections.close_all()
            try:
                supervisor.run(announce=lambda: self.announce(port))
            except StartFailed as error:
                raise CommandError(f"{error}.") from error

    def announce(self, port: int) -> None:
        self.stdout.write(f"\nReady on http://{HOST}:{port}/   (Ctrl-C stops)\n")
        self.stdout.flush()


def services(port: int) -> list[Service]:
    """Everything to run, in the order of starting."""
    embedded = broker.url(settings.DATA_DIR) == settings.CELERY_BROKER_URL
    return [
        *([broker_service()] if embedded else []),
        web_service(port),
        worker_service(),
        Service("beat", celery("beat", "--pidfile=")),
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
    return Service("web", command, ready=lambda: serves(port))


def worker_service() -> Service:
    # SQLite has one writer: a second process would only wait for it.
    processes = 1 if connections["default"].vendor == "sqlite" else 2
    command = celery("worker", f"--concurrency={processes}")
    command += ["--without-gossip", "--without-mingle"]
    return Service(
        "worker",
        command,
        # Finish the task in hand, but not for longer than the soft shutdown allows.
        environment={"REMAP_SIGTERM": "SIGQUIT"},
        # Without its broker it may need half a minute to end; its tasks survive a kill.
        orphan_signal=signal.SIGKILL,
    )


def celery(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "celery", "-A", "loyalty_site", "-q", *arguments]


def serves(port: int) -> bool:
    """Any answer will do: what it says depends on ALLOWED_HOSTS."""
    client = http.client.HTTPConnection(HOST, port, timeout=2)
    try:
        client.request("GET", "/healthz")
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
