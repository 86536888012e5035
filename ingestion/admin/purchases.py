"""What a purchase's page says of how we heard of it, with links to what came in."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.contrib.auth.models import User
from django.db.models import Count, Min
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ingestion.models import InboundEvent, Sighting
from rewards.admin.mixins import change_url
from rewards.admin.purchase_past import MOST, Heard, register
from rewards.admin.wording import when
from rewards.models import Purchase, Report


class _Again(NamedTuple):
    """The same content by one route: first when, and how often in all."""

    source: str
    first: datetime
    times: int


def heard(purchase: Purchase, by: User) -> Iterator[Heard]:
    """Every message about a purchase, oldest first, each route once."""
    own = InboundEvent.objects.filter(purchase=purchase).defer("body", "digest")
    events = list(own.order_by("-pk")[:MOST])[::-1]
    again = _seen_again([event.pk for event in events])
    visible = by.has_perm("ingestion.view_inboundevent")
    for event in events:
        yield Heard(
            event.received_at,
            event.handled_at,
            event.source,
            event.get_outcome_display(),
            str(event),
            change_url(event) if visible else "",
            [_told(one) for one in again.get(event.pk, ())],
        )


def _seen_again(events: Sequence[int]) -> Mapping[int, list[_Again]]:
    rows: Any = Sighting.objects.filter(event__in=events).order_by()
    sums = rows.values_list("event_id", "source").annotate(
        first=Min("seen_at"), times=Count("pk")
    )
    found: defaultdict[int, list[_Again]] = defaultdict(list)
    for event, *again in sorted(sums, key=lambda row: row[2]):
        found[event].append(_Again(*again))
    return found


def _told(again: _Again) -> str:
    words = {"source": Report.Source(again.source).label, "at": when(again.first)}
    if (more := again.times - 1) == 0:
        return _("again by %(source)s, %(at)s") % words
    times = ngettext("%d time more", "%d times more", more) % more
    words["times"] = times
    return _("again by %(source)s, %(at)s and %(times)s") % words


register(heard)
