"""Adjustments as staff see them: asked for, approved by another, dropped, undone."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import action, display
from unfold.enums import ActionVariant

from merchants.admin.tables import ReadOnlyAdmin, Table, TabledAdmin
from rewards import adjustments
from rewards.admin.adjustment_forms import AdjustForm
from rewards.admin.decision_forms import ReasonForm
from rewards.admin.ledger import with_accounts
from rewards.admin.mixins import (
    DecidingAdmin,
    GrowingAdmin,
    Question,
    by_now,
    link,
    staff,
)
from rewards.admin.together import Planned, Together, TogetherAdmin
from rewards.admin.wording import NOTHING, badge, transfer_table
from rewards.models import Adjustment, Member
from rewards.money import unit_amount
from rewards.refusals import Refused

COLOURS = {
    Adjustment.State.WAITING: "info",
    Adjustment.State.POSTED: "success",
    Adjustment.State.UNDONE: "warning",
    Adjustment.State.FAILED: "danger",
}
OFFERED = {
    Adjustment.State.WAITING: ("approve", "drop"),
    Adjustment.State.POSTED: ("undo",),
}
ENDED = (("ended_by", "ended_at"), "why_ended")
MAY_END = (adjustments.AUTHORING, adjustments.APPROVING)


class Waiting(admin.SimpleListFilter):
    """Those that wait for somebody's approval, found by an index of their own."""

    title = gettext_lazy("approval")
    parameter_name = "waiting"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("yes", _("Waiting for approval"))]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[Adjustment]
    ) -> QuerySet[Adjustment]:
        if self.value() != "yes":
            return queryset
        return queryset.filter(state=Adjustment.State.WAITING, bulk=None)


@admin.register(Adjustment)
class AdjustmentAdmin(ReadOnlyAdmin, GrowingAdmin, TogetherAdmin, TabledAdmin):
    empty_says = gettext_lazy(
        "Nothing was given or taken by hand. Begin on a member's page."
    )
    list_display = (
        *("title", "of_member", "said_amount", "reason", "state_said"),
        *("asked_by", "asked_at"),
    )
    list_display_links = ("title",)
    list_select_related = ("member", "unit", "asked_by")
    list_filter = (Waiting,)
    list_filter_submit = False
    search_fields = ("member__customer_id__exact",)
    search_help_text = gettext_lazy("Customer id, in full")
    fields = (
        ("of_member", "state_said"),
        ("said_amount", "lives"),
        ("reason", "of_bulk"),
        "note",
        "member_note",
        ("asked_by", "asked_at"),
        ("approved_by", "approved_at"),
        "posted_at",
    )
    actions = ("approve_selected",)
    actions_detail = ("approve", "undo", "drop")

    def get_fields(self, request: HttpRequest, obj: Adjustment | None = None) -> Any:
        ended = ENDED if obj and obj.ended_at else ()
        failed = ("failure",) if obj and obj.failure else ()
        return (*self.fields, *ended, *failed)

    def has_approve_permission(
        self, request: HttpRequest, object_id: str | None = None
    ) -> bool:
        return request.user.has_perm(adjustments.APPROVING)

    def may_decide_together(self, request: HttpRequest) -> bool:
        return self.has_approve_permission(request)

    def has_end_permission(
        self, request: HttpRequest, object_id: str | None = None
    ) -> bool:
        return any(map(request.user.has_perm, MAY_END))

    @display(description=gettext_lazy("adjustment"))
    def title(self, adjustment: Adjustment) -> str:
        return str(adjustment)

    @display(description=gettext_lazy("member"))
    def of_member(self, adjustment: Adjustment) -> SafeString | str:
        return link(adjustment.member)

    @display(description=gettext_lazy("amount"))
    def said_amount(self, adjustment: Adjustment) -> str:
        return signed(adjustment)

    @display(description=gettext_lazy("expires"))
    def lives(self, adjustment: Adjustment) -> str:
        days = adjustment.expires_after_days
        return _("%d days after it is posted") % days if days else _("never")

    @display(description=gettext_lazy("file"))
    def of_bulk(self, adjustment: Adjustment) -> SafeString | str:
        if adjustment.bulk is None:
            return NOTHING
        said = _("%(bulk)s, line %(line)d")
        numbers = {"bulk": adjustment.bulk, "line": adjustment.line}
        return link(adjustment.bulk, said % numbers)

    @display(description=gettext_lazy("state"))
    def state_said(self, adjustment: Adjustment) -> SafeString:
        state = Adjustment.State(adjustment.state)
        return badge(state.label, COLOURS.get(state, ""))

    def get_tables(self, request: HttpRequest, obj: Adjustment) -> list[Table]:
        moved = with_accounts(obj.transfers.order_by("id"))
        return [transfer_table(moved, _("What it moved"))]

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Only what the state and the person allow; the functions refuse all else."""
        one = self.get_object(request, object_id)
        offered = OFFERED.get(Adjustment.State(one.state), ()) if one else ()
        if one and one.asked_by_id == staff(request).pk:
            offered = tuple(name for name in offered if name != "approve")
        if one and one.bulk_id:
            offered = tuple(name for name in offered if name == "undo")
        actions = super().get_actions_detail(request, object_id)
        return [found for found in actions if found.path in offered]

    @action(description=gettext_lazy("Approve"), permissions=["approve"])
    def approve_selected(
        self, request: HttpRequest, queryset: QuerySet[Adjustment]
    ) -> HttpResponse:
        def act(one: Planned, _said: dict[str, Any]) -> str:
            adjustments.approve(one.obj, **by_now(request))
            self.log_change(request, one.obj, "Approved")
            return _("Approved and posted.")

        asked = Together(
            title=_("Approve of these adjustments"),
            explanation=_("Each is posted at once, and can be undone."),
            submit=_("Approve and post all of them"),
            plan=lambda found: [_planned(one, by=staff(request)) for one in found],
            act=act,
        )
        return self.ask_together(request, asked)

    @action(
        description=gettext_lazy("Approve"),
        permissions=["approve"],
        url_path="approve",
        icon="how_to_reg",
        variant=ActionVariant.PRIMARY,
    )
    def approve(self, request: HttpRequest, object_id: str) -> HttpResponse:
        one = self.find(request, object_id)

        def act(_said: dict[str, Any]) -> str:
            adjustments.approve(one, **by_now(request))
            self.log_change(request, one, "Approved")
            return _("%s is posted.") % one

        question = _question(
            _("Approve of %s?") % one,
            _("Approve and post"),
            act,
            explanation=_("It is posted at once. It can be undone."),
            lines=_told(one),
        )
        return self.ask(request, one, question)

    @action(
        description=gettext_lazy("Drop"),
        permissions=["end"],
        url_path="drop",
        icon="delete",
    )
    def drop(self, request: HttpRequest, object_id: str) -> HttpResponse:
        one = self.find(request, object_id)

        def act(said: dict[str, Any]) -> str:
            adjustments.drop(one, reason=said["reason"], **by_now(request))
            self.log_change(request, one, f"Dropped: {said['reason']}")
            return _("%s is dropped; nothing was moved.") % one

        question = _question(
            _("Drop %s?") % one,
            _("Drop"),
            act,
            explanation=_("It never moved anything, and never will."),
            lines=_told(one),
            form=ReasonForm,
        )
        return self.ask(request, one, question)

    @action(
        description=gettext_lazy("Undo"),
        permissions=["end"],
        url_path="undo",
        icon="undo",
    )
    def undo(self, request: HttpRequest, object_id: str) -> HttpResponse:
        one = self.find(request, object_id)

        def act(said: dict[str, Any]) -> str:
            adjustments.undo(one, reason=said["reason"], **by_now(request))
            self.log_change(request, one, f"Undone: {said['reason']}")
            return _("%s is undone.") % one

        question = _question(
            _("Undo %s?") % one,
            _("Undo"),
            act,
            explanation=_said_undo(one),
            lines=_told(one),
            form=ReasonForm,
        )
        return self.ask(request, one, question)


class AdjustingAdmin(DecidingAdmin):
    """A member's page, from where staff give or take."""

    actions_detail: tuple[str, ...] = ("adjust",)

    def has_adjust_permission(
        self, request: HttpRequest, object_id: str | None = None
    ) -> bool:
        return request.user.has_perm(adjustments.AUTHORING)

    @action(
        description=gettext_lazy("Adjust"),
        permissions=["adjust"],
        url_path="adjust",
        icon="exposure",
    )
    def adjust(self, request: HttpRequest, object_id: str) -> HttpResponse:
        member: Member = self.find(request, object_id)

        def act(said: dict[str, Any]) -> str:
            one = adjustments.adjust(member, **said, **by_now(request))
            self.log_change(request, member, f"{one}: {signed(one)}")
            if one.state == Adjustment.State.WAITING:
                return _("%s waits for somebody else's approval.") % one
            return _("%(one)s is posted: %(amount)s.") % {
                "one": one,
                "amount": signed(one),
            }

        question = _question(
            _("Give to %s, or take away") % member,
            _("Adjust"),
            act,
            explanation=_(
                "A small amount is posted at once; above the unit's limit a second"
                " person approves. It can be undone."
            ),
            form=AdjustForm,
        )
        return self.ask(request, member, question)


def signed(adjustment: Adjustment) -> str:
    """The amount with its sign, which says whether it gives or takes."""
    said = unit_amount(adjustment.amount, unit=adjustment.unit)
    return f"+{said}" if adjustment.amount > 0 else said


def _told(one: Adjustment) -> list[str]:
    """What staff should see again before they decide."""
    told = [f"{one.member}: {signed(one)}", one.get_reason_display(), one.note]
    asked = _("Asked for by %s") % one.asked_by
    return [*told, asked]


def _planned(one: Adjustment, *, by: User) -> Planned:
    if one.state != Adjustment.State.WAITING:
        said = _("It is %s.") % one.get_state_display()
        return Planned(one, said, idle=True)
    if one.bulk_id:
        said = _("It is part of %s: decide about that.") % one.bulk
        return Planned(one, said, idle=True)
    if by.pk in (one.asked_by_id, one.member.user_id):
        said = _("It is your own: somebody else must decide.")
        return Planned(one, said, idle=True)
    return Planned(one, "; ".join(_told(one)), rests_on=f"{one.amount}")


def _said_undo(one: Adjustment) -> str:
    if one.amount < 0:
        return _("What was taken goes back where it came from, with its own expiry.")
    return _(
        "What was given is taken back. What the member has spent of it becomes a debt,"
        " which later earnings pay."
    )


def _question(
    title: str, submit: str, act: Callable[[dict[str, Any]], str], **more: Any
) -> Question:
    return Question(title=title, submit=submit, act=act, refusals=(Refused,), **more)
