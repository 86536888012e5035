"""Purchases and network accounts, and what staff decide about them."""

from functools import partial
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import (
    AutocompleteSelectFilter,
    ChoicesDropdownFilter,
    DropdownFilter,
)
from unfold.decorators import action, display

from merchants.admin.tables import ReadOnlyAdmin, Table, TabledAdmin
from rewards import decisions, finding
from rewards.admin.decision_forms import AssignForm, ResolveForm
from rewards.admin.mixins import (
    GrowingAdmin,
    Question,
    by_now,
    change_url,
    link,
    staff,
)
from rewards.admin.purchase_page import purchase_tables
from rewards.admin.purchase_queues import PurchaseQueuesAdmin, resolved
from rewards.admin.purchase_suggestions import SuggestingAdmin, suggestion_table
from rewards.admin.purchase_timeline import timeline
from rewards.admin.receipt import receipt_page
from rewards.admin.what_if import SupposingAdmin
from rewards.admin.wording import NOTHING, badge, commission, order_total, status_badge
from rewards.models import Purchase
from rewards.refusals import Refused


class AttentionFilter(DropdownFilter):
    """What staff come for: the purchases that wait for somebody."""

    title = gettext_lazy("attention")
    parameter_name = "attention"

    def lookups(
        self, request: HttpRequest, model_admin: ModelAdmin
    ) -> list[tuple[str, Any]]:
        return [
            ("review", gettext_lazy("in review")),
            ("unattributed", gettext_lazy("nobody's")),
        ]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[Purchase]
    ) -> QuerySet[Purchase]:
        if self.value() == "review":
            return queryset.exclude(review="")
        if self.value() == "unattributed":
            return queryset.filter(member=None)
        return queryset


class PurchaseActions(SuggestingAdmin, SupposingAdmin, PurchaseQueuesAdmin):
    """What is done about purchases and has a module of its own."""


@admin.register(Purchase)
class PurchaseAdmin(ReadOnlyAdmin, GrowingAdmin, PurchaseActions, TabledAdmin):
    empty_says = gettext_lazy("No order has arrived yet.")
    list_display = (
        *("order_key", "merchant", "member", "said_status", "said_total"),
        *("in_review", "attributed_at"),
    )
    list_filter = (
        ("status", ChoicesDropdownFilter),
        AttentionFilter,
        ("merchant", AutocompleteSelectFilter),
    )
    list_select_related = ("merchant", "member")
    search_fields = ("order_key",)  # get_search_results says how
    search_help_text = gettext_lazy(
        "Order, tx- id, order number, customer id or click, in full"
    )
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("order_key", "said_status"),
                    ("of_member", "customer_id"),
                    ("of_merchant", "order_number"),
                    ("said_total", "said_commission"),
                    *("review", "remarks"),
                )
            },
        ),
        (
            gettext_lazy("Times and origin"),
            {
                "fields": (
                    ("attributed_at", "modified_at"),
                    ("validated_at", "due_at"),
                    ("first_seen_at", "account"),
                    ("category", "click"),
                ),
                "classes": ("collapse",),
            },
        ),
    )
    actions = ("assign_selected", "resolve_selected")
    actions_detail = ("assign", "assign_suggested", "resolve", "what_if")
    change_form_outer_after_template = "admin/rewards/purchase/below.html"

    @display(description=gettext_lazy("status"))
    def said_status(self, purchase: Purchase) -> SafeString:
        return status_badge(purchase)

    @display(description=gettext_lazy("order total"))
    def said_total(self, purchase: Purchase) -> str:
        return order_total(purchase)

    @display(description=gettext_lazy("commission"))
    def said_commission(self, purchase: Purchase) -> str:
        return commission(purchase)

    @display(description=gettext_lazy("review"))
    def in_review(self, purchase: Purchase) -> SafeString | str:
        return badge(_("in review"), "warning") if purchase.review else ""

    @display(description=gettext_lazy("remarks"))
    def remarks(self, purchase: Purchase) -> SafeString | str:
        return (
            format_html_join(" ", "{}", ((said,) for said in purchase.flags)) or NOTHING
        )

    @display(description=gettext_lazy("member"))
    def of_member(self, purchase: Purchase) -> SafeString | str:
        return link(purchase.member)

    @display(description=gettext_lazy("merchant"))
    def of_merchant(self, purchase: Purchase) -> SafeString | str:
        return link(purchase.merchant)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Purchase], search_term: str
    ) -> tuple[QuerySet[Purchase], bool]:
        term = search_term.strip()
        if term:
            queryset = queryset.filter(pk__in=finding.purchases(term).values("pk"))
        return queryset, False

    def get_tables(self, request: HttpRequest, obj: Purchase) -> list[Table]:
        return purchase_tables(obj)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        if purchase := kwargs.get("obj"):
            context["receipt"] = receipt_page(purchase)
            context["timeline"] = timeline(purchase, by=staff(request))
            if purchase.member_id is None:
                may = self.has_decide_permission(request)
                context["suggested"] = [suggestion_table(purchase, assigns=may)]
        return super().render_change_form(request, context, *args, **kwargs)

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        actions = super().get_actions_detail(request, object_id)
        purchase = self.get_object(request, object_id) if actions else None
        idle = set()
        if purchase is None or not purchase.review:
            idle.add("resolve")
        if purchase is None or purchase.member_id:
            idle.add("assign-suggested")
        if purchase is None or not purchase.settlement_id:
            idle.add("what-if")
        return [action for action in actions if action.path not in idle]

    @action(
        description=gettext_lazy("Assign to a member"),
        permissions=["decide"],
        url_path="assign",
        icon="person_add",
    )
    def assign(self, request: HttpRequest, object_id: str) -> HttpResponse:
        purchase = self.find(request, object_id)
        now = _("Now it belongs to %s.") % (purchase.member or _("nobody"))

        def act(said: dict[str, Any]) -> str:
            decisions.assign(
                purchase,
                member=said["member"],
                reason=said["reason"],
                **by_now(request),
            )
            self.log_change(request, purchase, f"Assigned: {said['reason']}")
            return _belongs(purchase)

        question = Question(
            title=_("Assign this purchase to a member"),
            explanation=_("What it earns moves to that member at once. %s") % now,
            submit=_("Assign"),
            form=partial(AssignForm, by=staff(request)),
            act=act,
            refusals=(Refused,),
        )
        return self.ask(request, purchase, question)

    @action(
        description=gettext_lazy("Resolve the review"),
        permissions=["decide"],
        url_path="resolve",
        icon="gavel",
    )
    def resolve(self, request: HttpRequest, object_id: str) -> HttpResponse:
        purchase = self.find(request, object_id)
        if not purchase.review:
            messages.error(request, _("This purchase is not in review."))
            return redirect(change_url(purchase))

        def act(said: dict[str, Any]) -> str:
            decisions.resolve(
                purchase,
                report=said["report"],
                reason=said["reason"],
                **by_now(request),
            )
            self.log_change(request, purchase, f"Resolved: {said['reason']}")
            return resolved(purchase)

        question = Question(
            title=_("Resolve the review"),
            explanation=purchase.review,
            submit=_("Resolve"),
            form=partial(ResolveForm, purchase=purchase),
            act=act,
            refusals=(Refused,),
        )
        return self.ask(request, purchase, question)


def _belongs(purchase: Purchase) -> str:
    if purchase.member is None:
        return _("The purchase belongs to nobody now.")
    return _("The purchase belongs to %s now.") % purchase.member
