"""Leases: one process at a time works on a row, and a dead one only delays it.

Times are the database's own, so clocks that differ between machines don't matter.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from time import sleep
from typing import Any
from uuid import uuid4

from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from rewards.models import Leased

LEASE = timedelta(seconds=30)


class Busy(Exception):
    """Another process holds the row."""


class LeaseLost(Exception):
    """Another process took the row over: this one was slower than its lease."""


class Lease:
    """A row held by this process; ``holder`` names it."""

    def __init__(self, row: Leased, *, length: timedelta | None = None) -> None:
        self._row = row
        self._length = length or LEASE
        self.holder = uuid4().hex

    def take(self) -> None:
        """Take the row if nobody holds it. Raises Busy."""
        free = self._rows().filter(Q(held_until=None) | Q(held_until__lt=Now()))
        if not free.update(held_by=self.holder, held_until=Now() + self._length):
            raise Busy(str(self._row))

    def renew(self) -> None:
        """Hold it for another while. Raises LeaseLost.

        In a transaction with what is written, it keeps a slow process from writing
        over its successor.
        """
        if not self._mine().update(held_until=Now() + self._length):
            raise LeaseLost(str(self._row))

    def give_back(self) -> None:
        self._mine().update(held_by="", held_until=None)

    def _mine(self) -> QuerySet[Any]:
        return self._rows().filter(held_by=self.holder)

    def _rows(self) -> QuerySet[Any]:
        return type(self._row)._default_manager.filter(pk=self._row.pk)


def wait_for(row: Leased) -> AbstractContextManager[Lease]:
    """Hold a row once whoever has it gives it back, or has died."""
    while True:
        try:
            return hold(row)
        except Busy:
            sleep(0.5)


def hold(
    row: Leased, *, length: timedelta | None = None
) -> AbstractContextManager[Lease]:
    """Hold a row while the block runs. Raises Busy.

    Work that can't renew its lease needs one as long as it may take.
    """
    lease = Lease(row, length=length)
    lease.take()
    return _held(lease)


@contextmanager
def _held(lease: Lease) -> Iterator[Lease]:
    try:
        yield lease
    finally:
        lease.give_back()
