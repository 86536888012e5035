"""The program: the draft's units, rules and time zone."""

from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Max
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.views import ChangeList
from unfold.widgets import UnfoldAdminSelect2Widget

from rewards.admin.mixins import change_url
from rewards.admin.rule_form import CONDITIONAL, RuleForm
from rewards.admin.unit_form import UnitForm
from rewards.admin.wording import (
    badge,
    merchant_names,
    said_conditions,
    said_reward,
    text_of,
)
from rewards.models import Program, Rule, Unit

GROUP_COLOURS = {"override": "warning", "base": "info", "bonus": "success"}


@admin.register(Unit)
class UnitAdmin(ModelAdmin):
    """Units stay: what was earned is counted in them. They can leave the draft."""

    form = UnitForm
    list_display = ("code", "name_plural", "decimals", "rounding", "in_draft")
    fields = (
        *("code", "name", "name_plural", "decimals", "rounding"),
        *("worth", "worth_currency", "in_draft"),
    )

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        if self.has_change_permission(request, obj):
            return self.fields
        return (*(name for name in self.fields if "worth" not in name), "value")

    def get_readonly_fields(
        self, request: HttpRequest, obj: Any = None
    ) -> tuple[str, ...]:
        """Editions and rules name a unit by its code."""
        return ("code",) if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class RuleList(ChangeList):
    """Looks up every merchant that the rules name at once, not a query a rule."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        rules = list(self.result_list)
        names = merchant_names(id for r in rules for id in r.when.get("merchants", ()))
        for rule in rules:
            rule.names = names


@admin.register(Rule)
class RuleAdmin(ModelAdmin):
    """Rules of the draft, in order of precedence. Nothing counts until published."""

    form = RuleForm
    list_display = ("said_label", "key", "said_group", "said_gives", "said_when")
    list_select_related = ("unit",)
    # All on one page and none filtered out: dragging numbers the rows that it sees.
    list_per_page = 2000
    sortable_by = ("position",)
    ordering = ("position", "id")
    ordering_field = "position"
    hide_ordering_field = True
    compressed_fields = True
    warn_unsaved_form = True
    conditional_fields = CONDITIONAL
    fieldsets = (
        (None, {"fields": ("label_text", "translations", "key", "group", "unit")}),
        (
            gettext_lazy("Reward"),
            {"fields": ("kind", "points", "per", "whole", "percent", "of")},
        ),
        (
            gettext_lazy("Conditions, all of which must hold"),
            {
                "fields": (
                    *("merchants", "currencies", "min_order_total", "max_order_total"),
                    *("starts_at", "ends_at", "zone"),
                )
            },
        ),
    )

    @display(description=gettext_lazy("rule"))
    def said_label(self, rule: Rule) -> str:
        return text_of(rule.label)

    @display(description=gettext_lazy("group"))
    def said_group(self, rule: Rule) -> SafeString:
        return badge(rule.group, GROUP_COLOURS.get(rule.group, ""))

    @display(description=gettext_lazy("gives"))
    def said_gives(self, rule: Rule) -> str:
        return said_reward(rule.reward, rule.unit)

    @display(description=gettext_lazy("conditions"))
    def said_when(self, rule: Rule) -> str:
        ids = rule.when.get("merchants", ())
        names = getattr(rule, "names", None)
        return said_conditions(
            rule.when, merchant_names(ids) if names is None else names
        )

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return RuleList

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None or self.has_change_permission(request, obj):
            return self.fieldsets
        names = ("said_label", "key", "group", "unit", "said_gives", "said_when")
        return ((None, {"fields": names}),)

    def save_model(
        self, request: HttpRequest, obj: Rule, form: forms.Form, change: bool
    ) -> None:
        if not change:
            last = Rule.objects.aggregate(last=Max("position"))["last"]
            obj.position = 0 if last is None else last + 1
        super().save_model(request, obj, form, change)


class ProgramForm(forms.ModelForm):
    time_zone = forms.ChoiceField(
        label=gettext_lazy("Time zone"),
        choices=[(zone, zone) for zone in sorted(available_timezones())],
        widget=UnfoldAdminSelect2Widget,
    )


@admin.register(Program)
class ProgramAdmin(ModelAdmin):
    """The single row of settings that the whole draft shares."""

    form = ProgramForm
    fields = ("time_zone",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        return redirect(change_url(Program.load()))
