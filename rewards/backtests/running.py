"""Working on backtests: any number of processes, each a part at a time.

A part is done under a lease, and written when it is whole: whoever dies only delays
it. Whoever finds all of them finished joins them.
"""

import gc
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, wait
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from time import sleep
from typing import Any

import django
import structlog
from celery.exceptions import SoftTimeLimitExceeded
from django.db import OperationalError, connection, transaction
from django.db.models import Q
from django.db.models.functions import Now

from rewards.backtests import history
from rewards.backtests.asking import PART, cancel, percent_done, unfinished
from rewards.backtests.comparison import Comparison
from rewards.backtests.joining import join
from rewards.leases import Busy, Lease, LeaseLost, hold
from rewards.models import Backtest, BacktestPart

LOOK = 0.2  # seconds between two looks at what others do
LEASE = timedelta(minutes=1)  # a chunk takes a second; a busy machine may take many

log = structlog.get_logger(__name__)


class Stopped(Exception):
    """Staff cancelled the backtest, or another part of it failed."""


def work(*, expired: Callable[[], bool] = lambda: False) -> int:
    """Work on whatever waits, oldest first, until time is up; how many steps it took.

    ``expired`` is asked between two parts.
    """
    steps = 0
    for backtest in unfinished():
        while not expired() and work_on(backtest):
            steps += 1
    return steps


def work_on(backtest: Backtest) -> bool:
    """Do a part that nobody else does, or join them all; False where there is nothing
    to do just now.

    A program that can't be tried ends the backtest with an error.
    """
    try:
        part = _free_part(backtest)
        return _do(part) if part else join(backtest)
    except (OperationalError, SoftTimeLimitExceeded):
        raise  # no fault of the program's: the part is done again
    except Stopped:
        return False
    except Exception as error:
        log.exception("backtest_failed", backtest=backtest.pk)
        said = f"{type(error).__name__}: {error}"[:1000]
        unfinished().filter(pk=backtest.pk).update(error=said, finished_at=Now())
        return False


def run(
    backtest: Backtest, *, progressed: Callable[[int], object] = lambda percent: None
) -> None:
    """Work on one backtest, here and now, to its end.

    A long one has a process for each core. ``progressed`` is told how much is done, in
    whole per cent.
    """
    processes = min(os.cpu_count() or 1, backtest.total // PART)
    if processes > 1:
        return _work_in_processes(backtest, processes, progressed)
    with _cancelling(backtest):
        return _work_to_the_end(backtest.pk, progressed)


def _free_part(backtest: Backtest) -> BacktestPart | None:
    free = Q(held_until=None) | Q(held_until__lt=Now())
    mine = BacktestPart.objects.filter(free, backtest=backtest, finished_at=None)
    return mine.select_related("backtest__baseline", "backtest__rerun").first()


def _do(part: BacktestPart) -> bool:
    try:
        with hold(part, length=LEASE) as lease:
            part.refresh_from_db(fields=["finished_at"])
            if part.finished_at is None:
                with _without_collecting():
                    _compare(part, lease)
    except (Busy, LeaseLost):
        pass  # somebody else does it
    return True


def _compare(part: BacktestPart, lease: Lease) -> None:
    comparison, done = Comparison(part.backtest), 0
    for chunk in history.read(part, lines=comparison.asks_for_lines):
        comparison.compare(chunk)
        done += len(chunk)
        _keep(part, lease, done=done)
    _keep(part, lease, result=comparison.stored(), finished_at=datetime.now(UTC))


@contextmanager
def _without_collecting() -> Iterator[None]:
    """No search for cycles: what a part makes has none, and is thrown away as fast as
    it is made, so that looking takes as long as all the rest."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _keep(part: BacktestPart, lease: Lease, **values: Any) -> None:
    """Write how far a part is, provided that it is still ours, and still wanted."""
    with transaction.atomic():
        lease.renew()
        if not unfinished().filter(pk=part.backtest_id).exists():
            raise Stopped
        BacktestPart.objects.filter(pk=part.pk).update(**values)


def _work_to_the_end(
    id: int, progressed: Callable[[int], object] = lambda percent: None
) -> None:
    """Work on one backtest until nothing of it is left to anybody."""
    while backtest := unfinished().filter(pk=id).first():
        if not work_on(backtest):
            sleep(LOOK)  # others work on the last parts
        progressed(percent_done(backtest))


def _work_in_processes(
    backtest: Backtest, processes: int, progressed: Callable[[int], object]
) -> None:
    database = connection.settings_dict["NAME"]
    begun_anew = get_context("spawn")  # a fork would share our connection
    with (
        ProcessPoolExecutor(processes, begun_anew, django.setup) as pool,
        _cancelling(backtest),
    ):
        working = [
            pool.submit(_work_elsewhere, database, backtest.pk)
            for _ in range(processes)
        ]
        while wait(working, timeout=LOOK).not_done:
            progressed(percent_done(backtest))
        for worker in working:
            worker.result()
    progressed(100)


@contextmanager
def _cancelling(backtest: Backtest) -> Iterator[None]:
    """Whoever interrupts it wants it from nobody else either."""
    try:
        yield
    except KeyboardInterrupt:
        cancel(backtest, at=datetime.now(UTC))
        raise


def _work_elsewhere(database: str, id: int) -> None:
    """The same in a process of its own, on the very database of whoever began it."""
    connection.settings_dict["NAME"] = database
    _work_to_the_end(id)
