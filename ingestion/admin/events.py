"""The inbox as staff see it: what came in, what became of it, and another try."""

import json
from datetime import UTC, datetime
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import ChoicesDropdownFilter, DropdownFilter
from unfold.decorators import action, display

from ingestion.models import InboundEvent
from ingestion.replay import QUARANTINED, process_again
from merchants.admin.tables import ReadOnlyAdmin, Table, TabledAdmin
from rewards.admin.mixins import GrowingAdmin, Question, link, staff
from rewards.admin.together import Planned, Together, TogetherAdmin
from rewards.admin.wording import NOTHING, badge, when
from rewards.refusals import Refused

WAITING = "waiting"
MOST_SHOWN = 200_000
MOST_SIGHTINGS = 50
COLOURS = {
    "settled": "success",
    "review": "warning",
    "quarantined": "danger",
    "": "info",
}


class OutcomeFilter(DropdownFilter):
    title = gettext_lazy("outcome")
    parameter_name = "outcome"

    def lookups(
        self, request: HttpRequest, model_admin: ModelAdmin
    ) -> list[tuple[str, Any]]:
        return [*InboundEvent.Outcome.choices, (WAITING, gettext_lazy("waiting"))]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[InboundEvent]
    ) -> QuerySet[InboundEvent]:
        if not self.value():
            return queryset
        return queryset.filter(outcome="" if self.value() == WAITING else self.value())


@admin.register(InboundEvent)
class InboundEventAdmin(ReadOnlyAdmin, GrowingAdmin, TogetherAdmin, TabledAdmin):
    empty_says = gettext_lazy(
        "No event has come in. Point a Button webhook at /webhooks/button/, or let "
        "an account be polled."
    )
    list_display = ("title", "became", "event_type", "source", "received_at", "because")
    list_filter = (OutcomeFilter, ("source", ChoicesDropdownFilter))
    fields = (
        ("became", "of_purchase"),
        "reason",
        ("handled_at", "attempts"),
        ("received_at", "source"),
        ("event_type", "network"),
        ("delivery_id", "attempt_id"),
        "content",
    )
    actions = ("process_selected_again",)
    actions_detail = ("process_this_again",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[InboundEvent]:
        """Bodies have megabytes at times: a list doesn't load them."""
        return super().get_queryset(request).defer("body", "digest")

    @display(description=gettext_lazy("event"))
    def title(self, event: InboundEvent) -> str:
        return str(event)

    @display(description=gettext_lazy("outcome"))
    def became(self, event: InboundEvent) -> SafeString:
        return badge(_outcome(event.outcome), COLOURS.get(event.outcome, ""))

    @display(description=gettext_lazy("reason"))
    def because(self, event: InboundEvent) -> str:
        return Truncator(event.reason).chars(80)

    @display(description=gettext_lazy("purchase"))
    def of_purchase(self, event: InboundEvent) -> SafeString | str:
        return link(event.purchase)

    @display(description=gettext_lazy("body"))
    def content(self, event: InboundEvent) -> SafeString:
        text = readable(bytes(event.body))
        cut = _("\n… and more") if len(text) > MOST_SHOWN else ""
        return format_html(
            '<pre class="font-mono text-xs whitespace-pre-wrap">{}{}</pre>',
            text[:MOST_SHOWN],
            cut,
        )

    def get_tables(self, request: HttpRequest, obj: InboundEvent) -> list[Table]:
        sightings = obj.sightings.all()[:MOST_SIGHTINGS]
        rows = [
            [
                when(s.seen_at),
                s.get_source_display(),
                s.attempt_id or NOTHING,
            ]
            for s in sightings
        ]
        headers = [_("Seen"), _("Source"), _("Sender's attempt id")]
        again = Table(_("Delivered again with the same content"), headers, rows)
        return [again] if rows else []

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        event = self.get_object(request, object_id)
        if event is None or event.outcome != QUARANTINED:
            return []
        return super().get_actions_detail(request, object_id)

    @action(description=gettext_lazy("Process again"), permissions=["decide"])
    def process_selected_again(
        self, request: HttpRequest, queryset: QuerySet[InboundEvent]
    ) -> HttpResponse:
        asked = Together(
            title=_("Process these events again"),
            explanation=_(
                "Each is read and settled as if it came in now. What still is not"
                " understood goes back into quarantine."
            ),
            submit=_("Process all of them again"),
            plan=lambda events: [_planned(event) for event in events],
            act=lambda one, _said: _process_again(one.obj, request),
        )
        return self.ask_together(request, asked)

    @action(
        description=gettext_lazy("Process again"),
        permissions=["decide"],
        url_path="process-again",
        icon="replay",
    )
    def process_this_again(self, request: HttpRequest, object_id: str) -> HttpResponse:
        event = self.find(request, object_id)
        question = Question(
            title=_("Process this event again?"),
            explanation=event.reason,
            submit=_("Process again"),
            act=lambda _said: _replay(request, [event]),
        )
        return self.ask(request, event, question)


def readable(body: bytes) -> str:
    """JSON with its lines indented; anything else as the text it is."""
    try:
        text = json.dumps(json.loads(body), indent=2, ensure_ascii=False)
        return text.encode("utf-8", "replace").decode()  # no page has half a character
    except (ValueError, RecursionError):
        return body.decode("utf-8", "replace")


def _outcome(outcome: str) -> str:
    return str(InboundEvent.Outcome(outcome).label) if outcome else _("waiting")


def _planned(event: InboundEvent) -> Planned:
    if event.outcome != QUARANTINED:
        said = _("It is not in quarantine, but %s.") % _outcome(event.outcome)
        return Planned(event, said, idle=True)
    return Planned(event, event.reason, rests_on=f"{event.handled_at}")


def _process_again(event: InboundEvent, request: HttpRequest) -> str:
    """Process one again. Raises Refused where that has not settled it."""
    replayed = process_again([event], by=staff(request), at=datetime.now(UTC))
    if replayed.untouched:
        raise Refused(_("It has an outcome already: nothing was done."))
    if not event.outcome:
        raise Refused(_("It failed, and a worker tries again."))
    if event.outcome == QUARANTINED:
        raise Refused(_("It is quarantined again: %s") % event.reason)
    return _outcome(event.outcome)


def _replay(request: HttpRequest, events: list[InboundEvent]) -> str:
    """Process events again; tells what became of them, and leaves nothing to add."""
    replayed = process_again(events, by=staff(request), at=datetime.now(UTC))
    if replayed.outcomes:
        counts = ", ".join(f"{n} {_outcome(o)}" for o, n in replayed.outcomes.items())
        messages.success(request, _("Processed again: %s.") % counts)
    if n := replayed.untouched:
        said = ngettext(
            "%d event has an outcome already: nothing was done.",
            "%d events have an outcome already: nothing was done.",
            n,
        )
        messages.warning(request, said % n)
    return ""
