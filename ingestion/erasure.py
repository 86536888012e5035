"""Raw events of a member who is erased: the person goes, the event stays as evidence.

Its digest stays too, so that the same content is still known when it comes again.
"""

from collections.abc import Iterator, Sequence
from functools import reduce
from operator import or_
from typing import Any

from django.db.models import F, Func, IntegerField, Q, QuerySet, Value

from ingestion.button.personal import cleaned, texts
from ingestion.models import Difference, InboundEvent
from rewards.models import Member
from rewards.privacy import tombstones
from rewards.privacy.residues import Leaving, Names
from rewards.reports import Outcome

BATCH = 100


class Place(Func):
    """Where bytes begin in a column of bytes, from 1; 0 where they don't occur."""

    function = "INSTR"
    output_field = IntegerField()

    def as_postgresql(self, compiler: Any, connection: Any) -> Any:
        column, wanted = self.source_expressions
        swapped = Func(wanted, column, function="POSITION", arg_joiner=" IN ")
        return swapped.as_sql(compiler, connection)


def scrub(leaving: Leaving) -> dict[str, int]:
    """Take a member who is being erased out of everything that came in about them."""
    names, events = leaving.names, InboundEvent.objects
    own = events.filter(purchase__id__among=leaving.own)
    others = events.filter(purchase__id__among=leaving.others)
    unplaced = events.filter(purchase=None)
    changed = _rewrite(own, names)
    changed += _rewrite(_naming(others, names), names)
    changed += _rewrite(_naming(unplaced, names), names)
    for told in (own, others, unplaced):
        names.replace_in(told.exclude(reason=""), "reason")
    differences = names.replace_in(Difference.objects.all(), "ours", "theirs")
    return {"events": changed, "differences": differences}


def scrub_late(outcomes: Sequence[tuple[InboundEvent, Outcome]]) -> None:
    """Take whoever was erased before out of events that came in afterwards.

    Out of those that were kept out for it, and of those that became no purchase: what
    nobody understood may name them too. Inside the transaction that records them.
    """
    late = [(e, o) for e, o in outcomes if o.erased or o.purchase_id is None]
    told = {event.pk: texts(bytes(event.body)) for event, _ in late}
    gone = tombstones.tokens(set().union(*told.values()))
    back = set(
        Member.objects.filter(customer_id__among=gone).values_list(
            "customer_id", flat=True
        )
    )
    for event, outcome in late:
        named = told[event.pk] & gone.keys()
        for customer_id in named if outcome.erased else named - back:
            names = Names((customer_id,), gone[customer_id])
            _write(event, cleaned(bytes(event.body), names))
        if outcome.erased and not named:
            _write(event, cleaned(bytes(event.body), None))


def _naming(events: QuerySet[InboundEvent], names: Names) -> QuerySet[InboundEvent]:
    """Those in whose bodies a name occurs at all."""
    places = {
        f"place_{number}": Place(F("body"), Value(name.encode()))
        for number, name in enumerate(names.spellings)
    }
    occurs = reduce(or_, (Q(**{f"{place}__gt": 0}) for place in places))
    return events.alias(**places).filter(occurs)


def _rewrite(events: QuerySet[InboundEvent], names: Names) -> int:
    """Clean their bodies, few at a time, since they may be large; how many changed."""
    changed = 0
    for event in _few(events):
        body = cleaned(bytes(event.body), names)
        if body != bytes(event.body):
            _write(event, body)
            changed += 1
    return changed


def _write(event: InboundEvent, body: bytes) -> None:
    InboundEvent.objects.filter(pk=event.pk).update(body=body)
    event.body = body


def _few(events: QuerySet[InboundEvent]) -> Iterator[InboundEvent]:
    last = 0
    while batch := list(events.filter(pk__gt=last).order_by("pk").only("body")[:BATCH]):
        yield from batch
        last = batch[-1].pk
