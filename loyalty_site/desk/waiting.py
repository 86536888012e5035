"""What needs a person now: how much of each there is, and where to go for it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User
from django.db.models import IntegerField, QuerySet, Subquery
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from ingestion.health import standing
from ingestion.models import InboundEvent
from rewards.models import (
    Adjustment,
    Approval,
    Bulk,
    Close,
    Freeze,
    Message,
    Purchase,
    Redemption,
)

MOST = 999
"""Nobody needs to know how many more there are, and counting them all takes time."""


@dataclass(frozen=True)
class Queue:
    """Something that waits for staff: who may see it, what is in it, where it is."""

    title: Any
    advice: Any
    icon: str
    permission: str
    rows: Callable[[], QuerySet[Any]]
    address: str
    query: str = ""
    urgent: bool = False

    @property
    def url(self) -> str:
        return reverse(self.address) + self.query


@dataclass(frozen=True)
class Waiting:
    """How many wait in a queue; ``MOST`` and a plus where there are more."""

    queue: Queue
    count: int

    @property
    def said(self) -> str:
        return f"{MOST}+" if self.count > MOST else str(self.count)


QUEUES = (
    Queue(
        _("Alarms"),
        _("Each one says what to do."),
        "notifications",
        "ingestion.view_alarm",
        standing.open_alarms,
        "health",
        urgent=True,
    ),
    Queue(
        _("Frozen books"),
        _("An invariant is broken. Nothing is posted there until somebody looks."),
        "ac_unit",
        "rewards.view_freeze",
        lambda: Freeze.objects.filter(lifted_at=None),
        "admin:rewards_freeze_changelist",
        urgent=True,
    ),
    Queue(
        _("Quarantine"),
        _("Button said something that is not understood yet."),
        "inbox",
        "ingestion.view_inboundevent",
        lambda: InboundEvent.objects.filter(outcome=InboundEvent.Outcome.QUARANTINED),
        "admin:ingestion_inboundevent_changelist",
        "?outcome=quarantined",
        urgent=True,
    ),
    Queue(
        _("Purchases in review"),
        _("Nothing moves until somebody decides which state holds."),
        "gavel",
        "rewards.view_purchase",
        lambda: Purchase.objects.exclude(review=""),
        "admin:rewards_purchase_changelist",
        "?attention=review",
    ),
    Queue(
        _("Nobody's purchases"),
        _("Orders without a member. A visit may say whose they are."),
        "person_search",
        "rewards.view_purchase",
        lambda: Purchase.objects.filter(member=None),
        "admin:rewards_purchase_changelist",
        "?attention=unattributed",
    ),
    Queue(
        _("Redemptions"),
        _("To be approved, handed over, paid out or looked at."),
        "redeem",
        "rewards.view_redemption",
        lambda: Redemption.objects.filter(status__in=Redemption.OPEN),
        "admin:rewards_redemption_changelist",
    ),
    Queue(
        _("Adjustments to approve"),
        _("Above what one person may adjust. Never your own."),
        "exposure",
        "rewards.approve_adjustment",
        lambda: Adjustment.objects.filter(state=Adjustment.State.WAITING, bulk=None),
        "admin:rewards_adjustment_changelist",
        "?waiting=yes",
    ),
    Queue(
        _("Files to approve"),
        _("Bulk adjustments that are checked."),
        "upload_file",
        "rewards.approve_bulk",
        lambda: Bulk.objects.filter(state=Bulk.State.CHECKED, approved_at=None),
        "admin:rewards_bulk_changelist",
    ),
    Queue(
        _("Rules to approve"),
        _("Somebody asked for the draft to be approved."),
        "rule",
        "rewards.add_edition",
        lambda: Approval.objects.filter(approved_at=None),
        "admin:rewards_edition_changelist",
    ),
    Queue(
        _("Days to sign off"),
        _("Closed, and nobody has looked at the differences yet."),
        "event_available",
        "rewards.sign_close",
        lambda: Close.objects.filter(signed_at=None),
        "admin:rewards_close_changelist",
    ),
    Queue(
        _("Messages"),
        _("They failed for good: mend the receiver, then send them again."),
        "outbox",
        "rewards.view_message",
        lambda: Message.objects.filter(state=Message.State.FAILED),
        "admin:rewards_message_changelist",
        "?state__exact=failed",
    ),
)


class _Counted(Subquery):
    """How many rows a query has, so that many counts are one query."""

    template = "(SELECT COUNT(*) FROM (%(subquery)s) counted)"
    output_field = IntegerField()


def waiting(*, by: User) -> list[Waiting]:
    """What waits in each queue that this person may see, the empty ones too."""
    seen = [queue for queue in QUEUES if by.has_perm(queue.permission)]
    counts = [
        _Counted(queue.rows().order_by().values("pk")[: MOST + 1]) for queue in seen
    ]
    # Any table with one row would do.
    row = User.objects.filter(pk=by.pk).values_list("pk", *counts).get()
    return [Waiting(queue, count) for queue, count in zip(seen, row[1:], strict=True)]
