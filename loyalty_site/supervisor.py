"""Keeps a group of processes running together, and stops them together."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import structlog

LIBC = ctypes.CDLL(None)  # loaded before any fork
PR_SET_PDEATHSIG = 1

START_PATIENCE = 60  # seconds until a service has to be ready
STOP_PATIENCE = 12  # seconds for work in hand; above Celery's soft shutdown
LONGEST_PAUSE = 30  # seconds between two tries to restart
STEADY = 60  # a service that lived this long starts counting its failures anew

log = structlog.get_logger(__name__)


class StartFailed(Exception):
    """A service ended, or stayed silent, before it was ready for the first time."""


@dataclass(frozen=True)
class Service:
    name: str
    command: Sequence[str]
    ready: Callable[[], bool] = lambda: True
    environment: Mapping[str, str] = field(default_factory=dict)
    orphan_signal: int = signal.SIGTERM  # what it gets when the supervisor is killed


@dataclass
class Child:
    """A service's present process, and what became of the ones before it."""

    service: Service
    process: subprocess.Popen[bytes]
    started: float
    failures: int = 0
    retry_at: float | None = None


class Supervisor:
    """Starts services in order, each once the one before is ready."""

    def __init__(
        self, services: Sequence[Service], *, patience: float = STOP_PATIENCE
    ) -> None:
        self.services = services
        self.patience = patience
        self.children: list[Child] = []
        self.stopping = False

    def run(self, *, announce: Callable[[], object]) -> None:
        """Run until a signal says stop; `announce` is called once all are up."""
        with self._heeding_signals():
            try:
                for service in self.services:
                    self._start(service)
                if not self.stopping:
                    announce()
                while not self.stopping:
                    self._restart_ended()
                    time.sleep(0.1)
            finally:
                self._stop_all()

    @contextmanager
    def _heeding_signals(self) -> Iterator[None]:
        def stop(*_: object) -> None:
            self.stopping = True

        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        former = {number: signal.signal(number, stop) for number in numbers}
        try:
            yield
        finally:
            for number, handler in former.items():
                signal.signal(number, handler)

    def _start(self, service: Service) -> None:
        if self.stopping:
            return
        child = Child(service, spawn(service), started=time.monotonic())
        self.children.append(child)
        while not self.stopping and not service.ready():
            if child.process.poll() is not None:
                raise StartFailed(
                    f"{service.name} ended with {child.process.returncode}"
                )
            if time.monotonic() > child.started + START_PATIENCE:
                raise StartFailed(
                    f"{service.name} isn't ready after {START_PATIENCE} s"
                )
            time.sleep(0.1)

    def _restart_ended(self) -> None:
        for child in self.children:
            if child.process.poll() is None:
                continue
            if child.retry_at is None:
                self._plan_restart(child)
            elif time.monotonic() >= child.retry_at:
                child.process = spawn(child.service)
                child.started, child.retry_at = time.monotonic(), None

    def _plan_restart(self, child: Child) -> None:
        kill_leftovers(child.process)
        now = time.monotonic()
        child.failures = 1 if now > child.started + STEADY else child.failures + 1
        pause = min(LONGEST_PAUSE, 2 ** (child.failures - 2))
        child.retry_at = now + pause
        log.warning(
            "service ended",
            service=child.service.name,
            code=child.process.returncode,
            restart_in=pause,
        )

    def _stop_all(self) -> None:
        """Stop the first service, which the others need, last."""
        for group in (self.children[1:], self.children[:1]):
            for child in group:
                child.process.terminate()
            deadline = time.monotonic() + self.patience
            for child in group:
                with suppress(subprocess.TimeoutExpired):
                    child.process.wait(max(0, deadline - time.monotonic()))
                kill_leftovers(child.process)


def spawn(service: Service) -> subprocess.Popen[bytes]:
    """Start a process in a session of its own: Ctrl-C is for the supervisor alone."""
    return subprocess.Popen(
        service.command,
        env=os.environ | service.environment,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=lambda: die_with_parent(service.orphan_signal),
    )


def die_with_parent(with_signal: int) -> None:
    """Ask the kernel, in a child about to exec, for a signal when its parent dies."""
    if sys.platform == "linux":
        LIBC.prctl(PR_SET_PDEATHSIG, with_signal)


def kill_leftovers(process: subprocess.Popen[bytes]) -> None:
    """Kill what remains of a process and of the children it has left behind."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
