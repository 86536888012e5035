"""Redemptions as staff see them: what waits for them, and deciding about it."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import DropdownFilter, RelatedDropdownFilter
from unfold.decorators import action, display
from unfold.enums import ActionVariant

from merchants.admin.tables import ReadOnlyAdmin, Table, TabledAdmin
from rewards.admin import redemption_page
from rewards.admin.mixins import (
    DecidingAdmin,
    GrowingAdmin,
    Question,
    SealedAdmin,
    by_now,
    link,
)
from rewards.admin.payouts import PayoutFilesAdmin
from rewards.admin.redemption_forms import CancelForm, FulfilForm
from rewards.admin.wording import badge
from rewards.models import Redemption, Reward
from rewards.money import unit_amount
from rewards.outbox import replaying
from rewards.redemptions import codes, fulfilment, payouts
from rewards.refusals import Refused
from rewards.vault import CannotOpen

Status = Redemption.Status
COLOURS = {
    Status.RESERVED: "info",
    Status.REVIEW: "warning",
    Status.FULFILLED: "success",
    Status.CANCELLED: "",
}
LOOKED = gettext_lazy("That you looked stays in its history.")
ALL = "all"


class StatusFilter(DropdownFilter):
    """What is open, unless staff ask for more: that is what waits for somebody."""

    title = gettext_lazy("status")
    parameter_name = "status"

    def lookups(
        self, request: HttpRequest, model_admin: ModelAdmin
    ) -> list[tuple[str, Any]]:
        return [(ALL, gettext_lazy("all")), *Status.choices]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[Redemption]
    ) -> QuerySet[Redemption]:
        asked = self.value()
        if asked in Status.values:
            return queryset.filter(status=asked)
        if asked == ALL or "q" in request.GET:
            return queryset
        return queryset.filter(status__in=Redemption.OPEN)


@admin.register(Redemption)
class RedemptionAdmin(
    ReadOnlyAdmin,
    GrowingAdmin,
    PayoutFilesAdmin,
    DecidingAdmin,
    SealedAdmin,
    TabledAdmin,
):
    empty_says = gettext_lazy("Nobody waits for anything they redeemed.")
    sealed = "payout"
    list_display = (
        "public_id",
        "member",
        "reward",
        "said_amount",
        "said_status",
        "why",
    )
    list_filter = (StatusFilter, ("reward", RelatedDropdownFilter))
    list_select_related = ("member", "reward__unit")
    search_fields = ("public_id",)  # get_search_results says how
    search_help_text = gettext_lazy("Number, or customer id, in full")
    fields = (
        ("public_id", "said_status"),
        ("of_member", "of_reward", "said_amount"),
        "why",
        ("asked_at", "ended_at"),
        ("needs_approval", "approved_by", "approved_at"),
        ("reference", "payout_hint"),
        ("exported_at", "revealed_at"),
        "key",
    )
    actions_detail = (
        *("approve", "fulfil", "cancel", "ask_again"),
        *("show_code", "show_details"),
    )

    @display(description=gettext_lazy("status"))
    def said_status(self, redemption: Redemption) -> SafeString:
        status = Status(redemption.status)
        return badge(status.label, COLOURS[status])

    @display(description=gettext_lazy("amount"))
    def said_amount(self, redemption: Redemption) -> str:
        return unit_amount(redemption.amount, unit=redemption.reward.unit)

    @display(description=gettext_lazy("member"))
    def of_member(self, redemption: Redemption) -> SafeString | str:
        return link(redemption.member)

    @display(description=gettext_lazy("reward"))
    def of_reward(self, redemption: Redemption) -> SafeString | str:
        return link(redemption.reward)

    def get_tables(self, request: HttpRequest, obj: Redemption) -> list[Table]:
        return redemption_page.tables(obj)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Redemption], search_term: str
    ) -> tuple[QuerySet[Redemption], bool]:
        """By its number, or whose it is, each by its own index."""
        term = search_term.strip()
        if not term:
            return queryset, False
        numbered = queryset.filter(public_id=term)
        found = (
            numbered if numbered.exists() else queryset.filter(member__customer_id=term)
        )
        return found, False

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Only what would do something; the functions refuse all else."""
        redemption = self.get_object(request, object_id)
        offered = redemption_page.offered(redemption) if redemption else set()
        actions = super().get_actions_detail(request, object_id)
        return [found for found in actions if found.path in offered]

    @action(
        description=gettext_lazy("Approve"),
        permissions=["decide"],
        url_path="approve",
        icon="how_to_reg",
        variant=ActionVariant.PRIMARY,
    )
    def approve(self, request: HttpRequest, object_id: str) -> HttpResponse:
        redemption = self.find(request, object_id)

        def act(_said: dict[str, Any]) -> str:
            fulfilment.approve(redemption, **by_now(request))
            self.log_change(request, redemption, "Approved")
            return _("It goes on.")

        return self.ask(
            request,
            redemption,
            _question(
                _("Approve %s?") % redemption_page.said_whole(redemption),
                _("Approve"),
                act,
                explanation=redemption_page.NEXT[Reward.Kind(redemption.reward.kind)],
            ),
        )

    @action(
        description=gettext_lazy("Fulfil"),
        permissions=["decide"],
        url_path="fulfil",
        icon="check",
    )
    def fulfil(self, request: HttpRequest, object_id: str) -> HttpResponse:
        redemption = self.find(request, object_id)

        def act(said: dict[str, Any]) -> str:
            fulfilment.fulfil(
                redemption, reference=said["reference"], **by_now(request)
            )
            self.log_change(request, redemption, "Fulfilled")
            return _("It is done, and the member sees that it is.")

        return self.ask(
            request,
            redemption,
            _question(
                _("Has the member got %s?") % redemption_page.said_whole(redemption),
                _("Fulfil"),
                act,
                explanation=_("The amount is spent for good. There is no way back."),
                form=FulfilForm,
            ),
        )

    @action(
        description=gettext_lazy("Cancel"),
        permissions=["decide"],
        url_path="cancel",
        icon="block",
    )
    def cancel(self, request: HttpRequest, object_id: str) -> HttpResponse:
        redemption = self.find(request, object_id)

        def act(said: dict[str, Any]) -> str:
            fulfilment.cancel(redemption, reason=said["reason"], **by_now(request))
            self.log_change(request, redemption, f"Cancelled: {said['reason']}")
            return _("It is cancelled, and the member has the amount back.")

        return self.ask(
            request,
            redemption,
            _question(
                _("Cancel %s?") % redemption_page.said_whole(redemption),
                _("Cancel the redemption"),
                act,
                explanation=redemption_page.said_cancel(redemption),
                form=CancelForm,
            ),
        )

    @action(
        description=gettext_lazy("Ask again"),
        permissions=["decide"],
        url_path="ask_again",
        icon="replay",
    )
    def ask_again(self, request: HttpRequest, object_id: str) -> HttpResponse:
        redemption = self.find(request, object_id)

        def act(_said: dict[str, Any]) -> str:
            replaying.ask_again(redemption, **by_now(request))
            self.log_change(request, redemption, "Asked again")
            return _("The host application is asked within seconds.")

        return self.ask(
            request,
            redemption,
            _question(
                _("Ask the host application again for %s?")
                % redemption_page.said_whole(redemption),
                _("Ask again"),
                act,
                explanation=_(
                    "With the same idempotency key. If it has handed it over already,"
                    " it says so and does nothing more."
                ),
            ),
        )

    @action(
        description=gettext_lazy("Show the code"),
        permissions=["decide"],
        url_path="show_code",
        icon="visibility",
    )
    def show_code(self, request: HttpRequest, object_id: str) -> HttpResponse:
        redemption = self.find(request, object_id)

        def act(_said: dict[str, Any]) -> str:
            code = codes.show_again(redemption, **by_now(request))
            self.log_change(request, redemption, "Code shown")
            messages.warning(request, _("The code is %s.") % code)
            return ""

        question = _question(_("Show the code of %s?") % redemption, _("Show"), act)
        return self.ask(request, redemption, question)

    @action(
        description=gettext_lazy("Show where to pay"),
        permissions=["export"],
        url_path="show_details",
        icon="visibility",
    )
    def show_details(self, request: HttpRequest, object_id: str) -> HttpResponse:
        redemption = self.find(request, object_id)

        def act(_said: dict[str, Any]) -> str:
            details = payouts.show(redemption, **by_now(request))
            self.log_change(request, redemption, "Payout details shown")
            messages.warning(request, _("Pay to: %s") % details)
            return ""

        title = _("Show where to pay for %s?") % redemption
        return self.ask(request, redemption, _question(title, _("Show"), act))


def _question(
    title: str,
    submit: str,
    act: Callable[[dict[str, Any]], str],
    explanation: Any = LOOKED,
    **more: Any,
) -> Question:
    return Question(
        title=title,
        submit=submit,
        act=act,
        explanation=explanation,
        refusals=(Refused, CannotOpen),
        **more,
    )
