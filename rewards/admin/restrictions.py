"""Putting a member on hold, blocking them, and ending either."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import action
from unfold.widgets import UnfoldAdminSplitDateTimeWidget

from rewards import restrictions
from rewards.admin.decision_forms import ReasonForm
from rewards.admin.local_times import LocalTimesForm
from rewards.admin.mixins import DecidingAdmin, Question, by_now
from rewards.admin.wording import when
from rewards.models import Member
from rewards.refusals import Refused

OFFERED: dict[str, set[str]] = {
    Member.Status.ACTIVE: {"hold", "block"},
    Member.Status.HELD: {"hold", "block", "lift"},
    Member.Status.BLOCKED: {"lift"},
}
WAITING = gettext_lazy(
    "Nothing is redeemed, handed over or paid out; what is reserved waits."
)


class HoldForm(LocalTimesForm, ReasonForm):
    """Why, and for how long."""

    times = ("until",)

    until = forms.SplitDateTimeField(
        label=gettext_lazy("Until"),
        required=False,
        widget=UnfoldAdminSplitDateTimeWidget,
        help_text=gettext_lazy("The member reads it. Empty: until it is lifted."),
    )
    field_order = ("reason", "until", "zone")

    def clean(self) -> dict[str, Any]:
        said = super().clean()
        said.pop("zone", None)
        return said


class RestrictingAdmin(DecidingAdmin):
    """A member's page, from where staff stop them, and let them go on."""

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Only what the member's status leaves to decide; the functions refuse too."""
        actions = super().get_actions_detail(request, object_id)
        member = self.get_object(request, object_id)
        status = member.status_at(by_now(request)["at"]) if member else ""
        out = {"hold", "block", "lift"} - OFFERED.get(status, set())
        return [found for found in actions if found.path not in out]

    @action(
        description=gettext_lazy("Hold"),
        permissions=["decide"],
        url_path="hold",
        icon="pause_circle",
    )
    def hold(self, request: HttpRequest, object_id: str) -> HttpResponse:
        member: Member = self.find(request, object_id)

        def act(said: dict[str, Any]) -> str:
            restrictions.hold(member, **said, **by_now(request))
            until = when(said["until"]) if said["until"] else "it is lifted"
            self.log_change(request, member, f"On hold until {until}: {said['reason']}")
            return _("%s is on hold.") % member

        question = _question(
            _("Put %s on hold?") % member,
            _("Put on hold"),
            act,
            form=HoldForm,
            lines=[
                WAITING,
                _("Orders count and earn as before. The member can read everything."),
                _("It can be lifted at any time."),
            ],
        )
        return self.ask(request, member, question)

    @action(
        description=gettext_lazy("Block"),
        permissions=["decide"],
        url_path="block",
        icon="block",
    )
    def block(self, request: HttpRequest, object_id: str) -> HttpResponse:
        member: Member = self.find(request, object_id)

        def act(said: dict[str, Any]) -> str:
            restrictions.block(member, **said, **by_now(request))
            self.log_change(request, member, f"Blocked: {said['reason']}")
            return _("%s is blocked.") % member

        question = _question(
            _("Block %s?") % member,
            _("Block"),
            act,
            lines=[
                WAITING,
                _("The member's pages stay closed, and no link leads to a store."),
                _("Orders that still arrive count and earn as before."),
                _("It can be lifted at any time."),
            ],
        )
        return self.ask(request, member, question)

    @action(
        description=gettext_lazy("Lift"),
        permissions=["decide"],
        url_path="lift",
        icon="play_circle",
    )
    def lift(self, request: HttpRequest, object_id: str) -> HttpResponse:
        member: Member = self.find(request, object_id)

        def act(said: dict[str, Any]) -> str:
            restrictions.lift(member, **said, **by_now(request))
            self.log_change(request, member, f"Lifted: {said['reason']}")
            return _("%s can redeem again.") % member

        question = _question(
            _("Let %s go on?") % member,
            _("Lift"),
            act,
            lines=[member.why_restricted, _("What was reserved goes on its way.")],
        )
        return self.ask(request, member, question)


def _question(
    title: str, submit: str, act: Callable[[dict[str, Any]], str], **more: Any
) -> Question:
    said = {"form": ReasonForm, **more}
    return Question(title=title, submit=submit, act=act, refusals=(Refused,), **said)
