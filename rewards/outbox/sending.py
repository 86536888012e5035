"""Sending what is due. A receiver that is slow or dead delays nobody else's messages.

An attempt is written down before it is made: whoever finds one without an end knows
that nobody knows what came of it. Events and mail are then sent again. A call for a
redemption never is by itself: it may have handed something over.
"""

from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic

import httpx2
import structlog
from django.db import transaction
from django.db.models import Count, Exists, OuterRef, Q
from django.db.models.functions import Now

from rewards import restrictions
from rewards.leases import Busy, Lease
from rewards.models import Attempt, Endpoint, Freeze, Message, Redemption
from rewards.outbox import recording
from rewards.outbox.answers import Answer
from rewards.outbox.delivery import client, deliver

AT_ONCE = 4  # of one receiver's messages, by all workers together or little more
THREADS = 32
LEASE = timedelta(minutes=2)  # longer than one sending can take
PATIENCE = 1  # seconds until it is looked again for what is due

log = structlog.get_logger(__name__)

Route = int | None
"""The endpoint's id, or None for mail."""


def work(*, at: datetime, expired: Callable[[], bool] = lambda: False) -> int:
    """Send what is due until nothing is, or ``expired``; how many attempts ended."""
    recording.recover(at=at)
    with client() as http, ThreadPoolExecutor(THREADS) as pool:
        return _Round(pool, http, at=at).go(expired)


@dataclass(frozen=True)
class _Sending:
    message: Message
    attempt: Attempt
    lease: Lease


class _Round:
    """One worker's round: it alone uses the database, its threads only the network."""

    def __init__(
        self, pool: ThreadPoolExecutor, http: httpx2.Client, *, at: datetime
    ) -> None:
        self._pool, self._http = pool, http
        self._at, self._began = at, monotonic()
        self._under_way: dict[Future[Answer], _Sending] = {}

    def go(self, expired: Callable[[], bool]) -> int:
        ended = 0
        while True:
            if not expired():
                self._begin()
            if not self._under_way:
                return ended
            ended += self._end()

    def _begin(self) -> None:
        """Send what is due to every receiver that has room."""
        busy = dict(
            Message.objects.filter(held_until__gt=Now())
            .values_list("endpoint")
            .annotate(Count("pk"))
        )
        for route in (None, *_active()):
            for message in _due(route, AT_ONCE - busy.get(route, 0), at=self._now()):
                if sending := _claim(message, at=self._now()):
                    job = self._pool.submit(
                        deliver, sending.message, http=self._http, at=self._now()
                    )
                    self._under_way[job] = sending

    def _end(self) -> int:
        """Record what came back within a moment; how many did."""
        done, _ = wait(self._under_way, timeout=PATIENCE, return_when=FIRST_COMPLETED)
        for job in done:
            sending = self._under_way.pop(job)
            recording.record(
                sending.message,
                _answer(job),
                attempt=sending.attempt,
                lease=sending.lease,
                at=self._now(),
            )
        return len(done)

    def _now(self) -> datetime:
        return self._at + timedelta(seconds=monotonic() - self._began)


def _active() -> list[int]:
    return list(Endpoint.objects.filter(active=True).values_list("pk", flat=True))


def not_stopped(*, at: datetime) -> Q:
    """What a frozen member redeemed is not asked for until staff have looked, nor what
    one on hold or blocked did until that ends."""
    frozen = Freeze.objects.filter(member=OuterRef("member"), lifted_at=None)
    held = restrictions.restricted(at=at).filter(pk=OuterRef("member"))
    return ~(Q(kind=Message.Kind.CALL) & (Exists(frozen) | Exists(held)))


def _due(route: Route, room: int, *, at: datetime) -> list[Message]:
    due = Message.objects.filter(
        not_stopped(at=at),
        endpoint=route,
        state=Message.State.WAITING,
        due_at__lte=at,
        held_until=None,
    )
    return list(due.order_by("due_at", "pk")[: max(room, 0)])


def _claim(message: Message, *, at: datetime) -> _Sending | None:
    """Hold a message and write down that it is about to be sent.

    None where another worker has it, or it needs sending no more.
    """
    with transaction.atomic():
        if message.redemption_id and not _still_wanted(message):
            recording.drop(message, at=at)
            return None
        lease = Lease(message, length=LEASE)
        try:
            lease.take()
        except Busy:
            return None
        message = Message.objects.select_related("endpoint").get(pk=message.pk)
        if message.state != Message.State.WAITING or message.due_at > at:
            lease.give_back()
            return None
        message.attempts += 1
        message.save(update_fields=["attempts"])
        return _Sending(message, message.log.create(began_at=at), lease)


def _still_wanted(message: Message) -> bool:
    """Whether the redemption is open. Locks it: who cancels it sees the call."""
    locked = Redemption.objects.select_for_update(no_key=True, of=("self",))
    return locked.get(messages=message.pk).status in Redemption.OPEN


def _answer(job: Future[Answer]) -> Answer:
    try:
        return job.result()
    except Exception as error:
        log.exception("message_not_sent")
        return Answer(problem=f"It failed: {type(error).__name__}.")
