"""Closing days that are over, each against what Button says of its orders.

The comparison is asked for first and read by the same job that reads all others; the
day is closed once it is there, or without it where Button can't be asked for a day.
"""

from collections import defaultdict
from collections.abc import Iterator
from datetime import date, datetime, timedelta

import structlog
from django.conf import settings
from django.db.models import Q

from ingestion.models import Difference, Poll, Reconciliation
from ingestion.reconciliation import begin
from rewards.closing import days
from rewards.closing.closes import draw_up
from rewards.closing.network import Answer, Listed, Place, Sum
from rewards.refusals import Refused

PATIENCE = timedelta(days=1)
AFTER_FAILURE = timedelta(hours=1)
NO_KEY = "There is no API key: Button was not asked."
NO_ACCOUNT = "No network account is polled: Button was not asked."
NO_ANSWER = "Button could not be asked for a day."

log = structlog.get_logger(__name__)


def close_days(*, at: datetime) -> list[date]:
    """Close every day whose turn has come and whose comparison is there."""
    closed = []
    for day in days.closable(at=at):
        network = network_of(day, at=at)
        if network is None:
            break
        try:
            draw_up(day, network=network, at=at)
        except Refused as refused:
            log.info("day_not_closed", day=str(day), why=str(refused))
            break
        closed.append(day)
    return closed


def answer(done: Reconciliation) -> Answer:
    """What a finished comparison says of its stretch."""
    sums: dict[Place, Sum] = defaultdict(Sum)
    for row in done.sums:
        if row["status"] != "declined":
            place = row["account"], row["currency"]
            before = sums[place]
            sums[place] = Sum(
                before.commission + row["theirs"],
                before.purchases + row["their_count"],
            )
    listed: dict[Place, list[Listed]] = defaultdict(list)
    for difference in done.differences.select_related("account", "purchase"):
        for currency, amount in _amounts(difference):
            place = difference.account.external_id, currency
            why = difference.get_kind_display()
            listed[place].append(Listed(difference.order_key, amount, why))
    return Answer(frozenset(_asked()), dict(sums), dict(listed))


def network_of(day: date, *, at: datetime) -> Answer | str | None:
    """The network's answer or why there is none; None while it is waited for.

    Asks for the comparison where nobody has.
    """
    if not settings.BUTTON_API_KEY:
        return NO_KEY
    if not _asked():
        return NO_ACCOUNT
    start, end = (days.begins(d, at=at) for d in (day, day + days.DAY))
    asked = Reconciliation.objects.filter(
        start=start, end=end, began_at__gte=end + days.SETTLES
    )
    done = asked.filter(finished_at__isnull=False, error="").order_by("-pk").first()
    if done:
        return answer(done)
    recent = Q(finished_at=None) | Q(began_at__gt=at - AFTER_FAILURE)
    if not asked.filter(recent).exists():
        begin(start=start, end=end, at=at)
    first = asked.order_by("began_at").first()
    return NO_ANSWER if first and first.began_at + PATIENCE <= at else None


def _asked() -> list[str]:
    """The accounts that every comparison is about."""
    polls = Poll.objects.filter(enabled=True)
    return list(polls.values_list("account__external_id", flat=True))


def _amounts(difference: Difference) -> Iterator[tuple[str, int]]:
    """By how many minor units of which currencies theirs is more than ours."""
    amounts: dict[str, int] = defaultdict(int)
    ours, theirs = difference.ours, difference.theirs
    if difference.kind == Difference.Kind.DIFFERENT:
        ours = theirs | ours  # it says only what differs
    if difference.kind == Difference.Kind.NOT_SETTLED:
        ours = {}
    for sign, state in ((1, theirs), (-1, ours)):
        if state and state["status"] != "declined":
            amounts[state["currency"]] += sign * state["commission"]
    return ((currency, amount) for currency, amount in amounts.items() if amount)
