"""The outbox: what was sent, what waits, what failed, and sending it again."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from django.contrib import admin
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import action, display

from merchants.admin.tables import ReadOnlyAdmin, Table, TabledAdmin
from rewards.admin.mixins import GrowingAdmin, Question, link
from rewards.admin.together import Planned, Together, TogetherAdmin
from rewards.admin.wording import NOTHING, badge, when
from rewards.models import Member, Message, Redemption
from rewards.outbox import replaying
from rewards.refusals import Refused

State = Message.State
COLOURS = {
    State.WAITING: "info",
    State.SENT: "success",
    State.FAILED: "danger",
    State.UNKNOWN: "warning",
}
OFFERED = {
    State.WAITING: ("again", "drop"),
    State.SENT: ("again",),
    State.FAILED: ("again", "drop"),
    State.DROPPED: ("again",),
}
"""A call of which nobody knows is decided about at its redemption."""


@admin.register(Message)
class MessageAdmin(ReadOnlyAdmin, GrowingAdmin, TogetherAdmin, TabledAdmin):
    empty_says = gettext_lazy("Nothing was to be sent yet.")
    list_display = ("title", "said_state", "endpoint", "attempts", "due_at")
    list_display_links = ("title",)
    list_filter = (
        ("state", ChoicesDropdownFilter),
        ("kind", ChoicesDropdownFilter),
        ("endpoint", RelatedDropdownFilter),
    )
    list_select_related = ("endpoint",)
    search_fields = ("key",)  # get_search_results says how
    search_help_text = gettext_lazy("Customer id, or number of a redemption, in full")
    fields = (
        ("type", "said_state"),
        ("of_endpoint", "of_member", "of_redemption"),
        ("attempts", "due_at"),
        ("created_at", "ended_at"),
        "content",
    )
    actions = ("send_selected_again",)
    actions_detail = ("again", "drop")

    @display(description=gettext_lazy("message"))
    def title(self, message: Message) -> str:
        return f"{message.type} #{message.pk}"

    @display(description=gettext_lazy("state"))
    def said_state(self, message: Message) -> SafeString:
        return state_badge(message)

    @display(description=gettext_lazy("endpoint"))
    def of_endpoint(self, message: Message) -> SafeString | str:
        return link(message.endpoint)

    @display(description=gettext_lazy("about"))
    def of_member(self, message: Message) -> SafeString | str:
        return link(message.member)

    @display(description=gettext_lazy("redemption"))
    def of_redemption(self, message: Message) -> SafeString | str:
        return link(message.redemption)

    @display(description=gettext_lazy("content"))
    def content(self, message: Message) -> SafeString:
        text = json.dumps(message.payload, indent=2, ensure_ascii=False)
        return format_html('<pre class="text-xs whitespace-pre-wrap">{}</pre>', text)

    def get_tables(self, request: HttpRequest, obj: Message) -> list[Table]:
        headers = [_("Began"), _("Ended"), _("Answer"), _("What came back")]
        rows = [
            [
                when(attempt.began_at),
                when(attempt.ended_at),
                str(attempt.status_code or NOTHING),
                attempt.said,
            ]
            for attempt in obj.log.all()
        ]
        return [Table(_("Attempts"), headers, rows)]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Message], search_term: str
    ) -> tuple[QuerySet[Message], bool]:
        """By whom or what it is about, each by its own index."""
        term = search_term.strip()
        if not term:
            return queryset, False
        redemption = Redemption.objects.filter(public_id=term).first()
        if redemption:
            return queryset.filter(redemption=redemption), False
        member = Member.objects.filter(customer_id=term).first()
        return queryset.filter(member=member) if member else queryset.none(), False

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        message = self.get_object(request, object_id)
        offered = OFFERED.get(State(message.state), ()) if message else ()
        if message and message.kind == Message.Kind.CALL:
            offered = ()
        actions = super().get_actions_detail(request, object_id)
        return [found for found in actions if found.path in offered]

    @action(description=gettext_lazy("Send again"), permissions=["decide"])
    def send_selected_again(
        self, request: HttpRequest, queryset: QuerySet[Message]
    ) -> HttpResponse:
        def act(one: Planned, _said: dict[str, Any]) -> str:
            with transaction.atomic():
                locked = Message.objects.select_for_update(no_key=True)
                message = locked.get(pk=one.obj.pk)
                if message.state != one.rests_on:
                    raise Refused(_("It is %s.") % message.get_state_display())
                self._send_again(request, message)
            return _("It is due now, and sent within seconds.")

        asked = Together(
            title=_("Send these messages again"),
            explanation=_(
                "As they are, under the same ids: a receiver that has one already can"
                " tell, and should do nothing."
            ),
            submit=_("Send all of them again"),
            plan=lambda found: [_planned(message) for message in found],
            act=act,
        )
        return self.ask_together(request, asked)

    @action(
        description=gettext_lazy("Send again"),
        permissions=["decide"],
        url_path="again",
        icon="replay",
    )
    def again(self, request: HttpRequest, object_id: str) -> HttpResponse:
        message = self.find(request, object_id)

        def act(_said: dict[str, Any]) -> str:
            self._send_again(request, message)
            return _("It is due now, and sent within seconds.")

        question = Question(
            title=_("Send %s again?") % self.title(message),
            explanation=_(
                "As it is, under the same id: a receiver that has it already can tell,"
                " and should do nothing."
            ),
            submit=_("Send again"),
            act=act,
            refusals=(Refused,),
        )
        return self.ask(request, message, question)

    @action(
        description=gettext_lazy("Drop"),
        permissions=["decide"],
        url_path="drop",
        icon="delete",
    )
    def drop(self, request: HttpRequest, object_id: str) -> HttpResponse:
        message = self.find(request, object_id)

        def act(_said: dict[str, Any]) -> str:
            replaying.drop(message, at=datetime.now(UTC))
            self.log_change(request, message, "Dropped")
            return _("It will not be sent.")

        question = Question(
            title=_("Drop %s?") % self.title(message),
            explanation=_("It is never sent, unless you send it again."),
            submit=_("Drop"),
            act=act,
            refusals=(Refused,),
        )
        return self.ask(request, message, question)

    def _send_again(self, request: HttpRequest, message: Message) -> None:
        """Raises Refused."""
        if message.kind == Message.Kind.CALL:
            raise Refused(_("Decide about it at its redemption."))
        replaying.send_again(message, at=datetime.now(UTC))
        self.log_change(request, message, "Sent again")


def _planned(message: Message) -> Planned:
    state = message.get_state_display()
    if message.kind == Message.Kind.CALL:
        said = _("Decide about it at its redemption.")
        return Planned(message, said, idle=True)
    if message.state == State.WAITING:
        return Planned(message, _("It is %s.") % state, idle=True)
    to = message.endpoint or _("mail")
    words = {"type": message.type, "state": state, "to": to}
    said = _("%(type)s to %(to)s, which is %(state)s, is sent again.") % words
    return Planned(message, said, rests_on=message.state)


def state_badge(message: Message) -> SafeString:
    state = State(message.state)
    return badge(state.label, COLOURS.get(state, ""))


def message_table(
    found: Iterable[Message], title: Any, *, more: str = "", note: str = ""
) -> Table:
    headers = [_("Message"), _("State"), _("Endpoint"), _("Attempts"), _("Written")]
    rows = [
        [
            link(message, f"{message.type} #{message.pk}"),
            state_badge(message),
            str(message.endpoint or _("mail")),
            str(message.attempts),
            when(message.created_at),
        ]
        for message in found
    ]
    return Table(title, headers, rows, note=note, more=more if rows else "")
