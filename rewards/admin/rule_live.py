"""What the rule form asks the server while a rule is typed. Nothing is written."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.request import QueryDict
from django.template.loader import render_to_string
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST
from unfold.admin import ModelAdmin

from merchants.currencies import EXPONENTS
from rewards.admin.rule_form import RuleForm
from rewards.admin.rule_preview import preview
from rewards.admin.rule_trial import NoOrder, Trial, latest, made_up, named
from rewards.admin.rule_trial_form import MADE_UP, TrialForm
from rewards.admin.rule_widgets import merchants_like
from rewards.admin.rule_words import in_words
from rewards.program import vocabulary
from rewards.program.evaluation import CompiledProgram
from rewards.program.vocabulary import ProgramError

MOST_STORES = 20
TRIAL = "trial"


class LiveRuleAdmin(ModelAdmin):
    """The rule in plain words and on one order, as it would be if it were saved."""

    change_form_before_template = "admin/rewards/rule/restated.html"
    change_form_outer_after_template = "admin/rewards/rule/trial.html"

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        own = [
            path("live/", view(require_POST(self.live)), name="rewards_rule_live"),
            path("stores/", view(require_GET(self.stores)), name="rewards_rule_stores"),
        ]
        return [*own, *super().get_urls()]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        context["trial"] = TrialForm(prefix=TRIAL)
        context["writes"] = self._writes(request)
        return super().render_change_form(request, context, *args, **kwargs)

    def live(self, request: HttpRequest) -> JsonResponse:
        """The form's rule in words, what it does to an order, and what counts how."""
        if not self._writes(request):
            raise PermissionDenied
        rule = self.get_object(request, request.GET.get("rule", ""))
        form = self.get_form(request, rule)(_complete(request.POST), instance=rule)
        context: dict[str, Any] = {"errors": _errors(form)}
        if form.is_valid():
            context = {"words": in_words(form.checked), **self._tried(request, form)}
        return JsonResponse(
            {
                "words": _rendered("words", context),
                "lines": _rendered("lines", context),
                "counted_in": _counted_in(form.cleaned_data),
            }
        )

    def stores(self, request: HttpRequest) -> JsonResponse:
        """Merchants for the autocomplete."""
        if not (self.has_view_permission(request) or self._writes(request)):
            raise PermissionDenied
        term = request.GET.get("term", "").replace("\0", "").strip()
        return JsonResponse({"results": merchants_like(term, most=MOST_STORES)})

    def _writes(self, request: HttpRequest) -> bool:
        return self.has_add_permission(request) or self.has_change_permission(request)

    def _tried(self, request: HttpRequest, form: RuleForm) -> dict[str, Any]:
        """The draft with this rule on the order that was asked for."""
        now = datetime.now(UTC)
        said = TrialForm(request.POST, prefix=TRIAL)
        if not said.is_valid():
            return {"problem": " ".join(fault for fault, _drawing in _errors(said))}
        try:
            program = vocabulary.parse(form.program_with())
            trial = _order(request, said.cleaned_data, form, now=now)
        except (ProgramError, NoOrder) as error:
            return {"problem": str(error)}
        shown = preview(program, trial.facts, own=form.rule["key"], now=now)
        return {"trial": trial, "preview": shown}


def _order(
    request: HttpRequest, said: dict[str, Any], form: RuleForm, *, now: datetime
) -> Trial:
    """The order to try; purchases are for those who may see them. Raises NoOrder."""
    if said["source"] == MADE_UP:
        return made_up(said, now=now)
    if not request.user.has_perm("rewards.view_purchase"):
        raise NoOrder(_("You may not see purchases; try a made-up order."))
    if said["order"]:
        return named(said["order"].strip())
    (rule,) = CompiledProgram(vocabulary.dump(form.checked)).rules
    return latest(rule)


def _complete(said: QueryDict) -> QueryDict:
    """What was typed, with stand-ins for names that change nothing."""
    whole = said.copy()
    for name, standin in {"label_text": _("New rule"), "key": "new-rule"}.items():
        whole[name] = whole.get(name, "").strip() or standin
    return whole


def _errors(form: Any) -> list[tuple[str, str]]:
    """Each fault with its field's label before it, and what is drawn below it."""
    found = []
    for name, faults in form.errors.items():
        for fault in faults:
            said, _newline, drawing = fault.partition("\n")
            if name in form.fields:
                said = f"{form.fields[name].label}: {said}"
            found.append((said, drawing))
    return found


def _counted_in(said: Mapping[str, Any]) -> dict[str, str]:
    """What the form's amounts are amounts of, where that is certain."""
    unit, currencies = said.get("unit"), said.get("currencies", ())
    money = currencies[0] if len(currencies) == 1 else ""
    return {
        "unit": (unit.code if unit.code in EXPONENTS else unit.name_plural)
        if unit
        else "",
        "money": money,
        "per": money if said.get("of") == "order_total" else "",
    }


def _rendered(name: str, context: dict[str, Any]) -> str:
    return render_to_string(f"admin/rewards/rule/{name}.html", context)
