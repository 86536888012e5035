"""The program: the draft's units, rules and time zone."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy
from unfold.decorators import display
from unfold.views import ChangeList
from unfold.widgets import UnfoldAdminSelect2Widget

from merchants.admin.audit import AuditedAdmin
from rewards.admin.mixins import change_url
from rewards.admin.rule_fields import ZONES
from rewards.admin.rule_form import RuleForm, unused_key
from rewards.admin.rule_live import LiveRuleAdmin
from rewards.admin.rule_moves import ORDER, MovableRuleAdmin, last_position
from rewards.admin.rule_sections import CONDITIONAL, sections
from rewards.admin.rule_words import draft_in_words
from rewards.admin.unit_form import UnitForm
from rewards.admin.wording import badge, text_of
from rewards.models import Program, Rule, Unit

GROUP_COLOURS = {"override": "warning", "base": "info", "bonus": "success"}


@admin.register(Unit)
class UnitAdmin(AuditedAdmin):
    """Units stay: what was earned is counted in them. They can leave the draft."""

    empty_says = gettext_lazy("There are no units yet. Add points, or a currency.")
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
    """Words every rule of the draft at once, not with a query a rule."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        words = draft_in_words()
        for rule in self.result_list:
            rule.words = words[rule.key]


@admin.register(Rule)
class RuleAdmin(AuditedAdmin, LiveRuleAdmin, MovableRuleAdmin):
    """Rules of the draft, in order of precedence. Nothing counts until published."""

    empty_says = gettext_lazy(
        "The draft has no rules yet. Add one, and publish the draft."
    )
    form = RuleForm
    list_display = ("said_label", "said_unit", "said_group", "in_words", "moves")
    list_select_related = ("unit",)
    # All on one page and none filtered out: dragging numbers the rows that it sees.
    list_per_page = 2000
    sortable_by = ("position",)
    ordering = ORDER
    ordering_field = "position"
    hide_ordering_field = True
    compressed_fields = True
    warn_unsaved_form = True
    save_as = True
    conditional_fields = CONDITIONAL

    @display(description=gettext_lazy("rule"), header=True)
    def said_label(self, rule: Rule) -> tuple[str, str]:
        return text_of(rule.label), rule.key

    @display(description=gettext_lazy("in"))
    def said_unit(self, rule: Rule) -> str:
        return rule.unit.code

    @display(description=gettext_lazy("group"))
    def said_group(self, rule: Rule) -> SafeString:
        return badge(rule.group, GROUP_COLOURS.get(rule.group, ""))

    @display(description=gettext_lazy("what it does"))
    def in_words(self, rule: Rule) -> str:
        words: str | None = getattr(rule, "words", None)
        return draft_in_words()[rule.key] if words is None else words

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return RuleList

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None or self.has_change_permission(request, obj):
            return sections(request, obj)
        return ((None, {"fields": ("said_label", "key", "said_group", "in_words")}),)

    def changeform_view(
        self, request: HttpRequest, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """A rule saved as a new one gets a key of its own."""
        if "_saveasnew" in request.POST:
            said: Any = request.POST.copy()
            said["key"] = unused_key(said.get("key", ""))
            request.POST = said
        return super().changeform_view(request, *args, **kwargs)

    def save_model(
        self, request: HttpRequest, obj: Rule, form: forms.Form, change: bool
    ) -> None:
        if not change:
            obj.position = last_position()
        super().save_model(request, obj, form, change)


class ProgramForm(forms.ModelForm):
    time_zone = forms.ChoiceField(
        label=gettext_lazy("Time zone"),
        choices=ZONES,
        widget=UnfoldAdminSelect2Widget,
    )


@admin.register(Program)
class ProgramAdmin(AuditedAdmin):
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
