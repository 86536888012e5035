"""Moving rules in the list without dragging: a button up and a button down."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST
from unfold.admin import ModelAdmin
from unfold.decorators import display

from rewards.admin.wording import text_of
from rewards.models import Rule

ORDER = ("unit", "position", "id")
"""Rules stand to each other in their unit alone: a unit's rules stand together."""

BUTTON = (
    '<button type="submit" formaction="{}" id="{}" aria-label="{}" title="{}"'
    ' class="border border-base-200 cursor-pointer p-1 rounded-default'
    ' hover:text-primary-600 dark:border-base-700 dark:hover:text-primary-500">'
    '<span class="material-symbols-outlined block" aria-hidden="true">{}</span>'
    "</button>"
)


class MovableRuleAdmin(ModelAdmin):
    """A list of rules whose order can be changed from the keyboard."""

    def get_urls(self) -> list[URLPattern]:
        up, down = (
            path(
                f"<path:object_id>/{way}/",
                self.admin_site.admin_view(require_POST(self.move)),
                {"by": by},
                name=f"rewards_rule_{way}",
            )
            for way, by in (("up", -1), ("down", 1))
        )
        return [up, down, *super().get_urls()]

    @display(description=gettext_lazy("order"))
    def moves(self, rule: Rule) -> SafeString:
        label = text_of(rule.label)
        return format_html(
            '<div class="flex gap-1">{}{}</div>',
            _button(rule, "up", _("Move “%s” up") % label, "arrow_upward"),
            _button(rule, "down", _("Move “%s” down") % label, "arrow_downward"),
        )

    def move(self, request: HttpRequest, object_id: str, by: int) -> HttpResponse:
        """Let a rule and its neighbour change places, and return to its button."""
        rule: Any = self.get_object(request, object_id)
        if rule is None:
            raise Http404
        if not self.has_change_permission(request, rule):
            raise PermissionDenied
        if move(rule, by=by):
            self.log_change(request, rule, "Moved")
            messages.success(request, _("“%s” was moved.") % text_of(rule.label))
        way = "up" if by < 0 else "down"
        listed = reverse("admin:rewards_rule_changelist")
        return redirect(f"{listed}#{_button_id(rule, way)}")


def last_position() -> int:
    """The place behind every rule."""
    last = Rule.objects.order_by("-position").values_list("position", flat=True).first()
    return 0 if last is None else last + 1


def move(rule: Rule, *, by: int) -> bool:
    """Let the rule and its neighbour in its unit change places.

    ``by`` is -1 for up, 1 for down. False where there is no neighbour.
    """
    with transaction.atomic():
        rules = list(Rule.objects.order_by(*ORDER).select_for_update())
        place = rules.index(rule)
        other = place + by
        if not 0 <= other < len(rules) or rules[other].unit_id != rule.unit_id:
            return False
        rules[place], rules[other] = rules[other], rules[place]
        for position, one in enumerate(rules):
            one.position = position
        Rule.objects.bulk_update(rules, ["position"])
    return True


def _button(rule: Rule, way: str, label: str, icon: str) -> SafeString:
    url = reverse(f"admin:rewards_rule_{way}", args=[rule.pk])
    return format_html(BUTTON, url, _button_id(rule, way), label, label, icon)


def _button_id(rule: Rule, way: str) -> str:
    return f"{way}-{rule.pk}"
