"""Freezes as staff see them: whose books don't add up, and letting them move again."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.decorators import action, display

from merchants.admin.tables import ReadOnlyAdmin
from rewards import freezes
from rewards.admin.decision_forms import ReasonForm
from rewards.admin.mixins import DecidingAdmin, GrowingAdmin, Question, by_now, link
from rewards.admin.wording import badge
from rewards.models import Freeze
from rewards.refusals import Refused


@admin.register(Freeze)
class FreezeAdmin(ReadOnlyAdmin, GrowingAdmin, DecidingAdmin):
    empty_says = gettext_lazy("Nothing is frozen: all books add up.")
    list_display = ("title", "subject", "check_name", "state", "frozen_at")
    list_display_links = ("title",)
    list_select_related = ("member", "purchase")
    search_fields = ("member__customer_id__exact", "purchase__order_key__exact")
    search_help_text = gettext_lazy("Customer id or order, in full")
    fields = (
        ("subject", "state"),
        "check_name",
        "frozen_at",
        ("lifted_at", "lifted_by"),
        "why_lifted",
    )
    actions_detail = ("lift",)

    @display(description=gettext_lazy("freeze"))
    def title(self, freeze: Freeze) -> str:
        return str(freeze)

    @display(description=gettext_lazy("about"))
    def subject(self, freeze: Freeze) -> SafeString | str:
        return link(freeze.member or freeze.purchase)

    @display(description=gettext_lazy("state"))
    def state(self, freeze: Freeze) -> SafeString:
        return badge(_("lifted")) if freeze.lifted_at else badge(_("frozen"), "danger")

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        freeze = self.get_object(request, object_id)
        if freeze is None or freeze.lifted_at:
            return []
        return super().get_actions_detail(request, object_id)

    @action(
        description=gettext_lazy("Lift"),
        permissions=["decide"],
        url_path="lift",
        icon="lock_open",
    )
    def lift(self, request: HttpRequest, object_id: str) -> HttpResponse:
        freeze = self.find(request, object_id)

        def act(said: dict[str, Any]) -> str:
            settled = freezes.lift(freeze, reason=said["reason"], **by_now(request))
            self.log_change(request, freeze, f"Lifted: {said['reason']}")
            return (
                ngettext(
                    "It is lifted; %d purchase that waited was settled.",
                    "It is lifted; %d purchases that waited were settled.",
                    settled,
                )
                % settled
            )

        question = Question(
            title=_("Lift the freeze of %s?") % (freeze.member or freeze.purchase),
            explanation=_(
                "Mend the books first: a freeze whose cause is still there comes back"
                " with the next check. Lifting lets the balance be used again and"
                " settles %d purchases that wait for it."
            )
            % freezes.waiting(freeze).count(),
            lines=[freeze.check_name],
            submit=_("Lift"),
            form=ReasonForm,
            act=act,
            refusals=(Refused,),
        )
        return self.ask(request, freeze, question)
