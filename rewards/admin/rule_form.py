"""The rule form: real fields over a draft rule's JSON, checked by the vocabulary."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from django import forms
from django.conf import settings
from django.utils.timezone import make_naive
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import (
    UnfoldAdminSelect2MultipleWidget,
    UnfoldAdminSelect2Widget,
    UnfoldAdminSelectWidget,
    UnfoldAdminSplitDateTimeWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from merchants.currencies import EXPONENTS
from merchants.models import Merchant
from rewards.models import Program, Rule, Unit
from rewards.program import draft, vocabulary
from rewards.program.vocabulary import ProgramError

KINDS = (
    ("fixed", gettext_lazy("the same for every order")),
    ("per_amount", gettext_lazy("so much per amount spent")),
    ("share", gettext_lazy("a percentage")),
)
AMOUNTS = (
    ("order_total", gettext_lazy("the order total")),
    ("commission", gettext_lazy("our commission")),
)
NEEDED = {
    "fixed": ("points",),
    "per_amount": ("points", "per", "of", "whole"),
    "share": ("percent", "of"),
}
TIMES = ("starts_at", "ends_at")
TOTALS = ("min_order_total", "max_order_total")
CONDITIONAL = {  # shown by the kind of reward; the words are Alpine's
    "points": "kind == 'fixed' || kind == 'per_amount'",
    "per": "kind == 'per_amount'",
    "whole": "kind == 'per_amount'",
    "percent": "kind == 'share'",
    "of": "kind == 'per_amount' || kind == 'share'",
}


WIDE = {"data-width": "100%"}  # not as wide as the longest choice
CONDITIONS = ("merchants", "currencies", *TIMES, *TOTALS)
OWN = settings.LANGUAGE_CODE
NAMES = {
    *("key", "group", "unit", "label_text", "kind", *CONDITIONS),
    *(name for names in NEEDED.values() for name in names),
}
WHOLE: dict[str, str | None] = {"when": None, "reward": "kind", "label": "label_text"}


class ListField(forms.MultipleChoiceField):
    """Several texts; they need not be among those offered."""

    def valid_value(self, value: str) -> bool:
        return True


class RuleForm(forms.ModelForm):
    label_text = forms.CharField(
        label=gettext_lazy("Label"),
        max_length=200,
        widget=UnfoldAdminTextInputWidget,
        help_text=gettext_lazy("What members read beside what they earned."),
    )
    translations = forms.CharField(
        label=gettext_lazy("Label in other languages"),
        required=False,
        widget=UnfoldAdminTextareaWidget({"rows": 2}),
        help_text=gettext_lazy("One a line: es: 1 punto por dólar"),
    )
    merchants = ListField(
        label=gettext_lazy("Merchants"),
        required=False,
        widget=UnfoldAdminSelect2MultipleWidget(WIDE | {"data-tags": "true"}),
        help_text=gettext_lazy(
            "Ids at the network; type one to add it, known here or not. Empty: every"
            " merchant."
        ),
    )
    currencies = forms.MultipleChoiceField(
        label=gettext_lazy("Currencies"),
        required=False,
        choices=[(code, code) for code in sorted(EXPONENTS)],
        widget=UnfoldAdminSelect2MultipleWidget({**WIDE}),
        help_text=gettext_lazy("Of the order total. Empty: every currency."),
    )
    starts_at = forms.SplitDateTimeField(
        label=gettext_lazy("From"),
        required=False,
        widget=UnfoldAdminSplitDateTimeWidget,
    )
    ends_at = forms.SplitDateTimeField(
        label=gettext_lazy("Until, not included"),
        required=False,
        widget=UnfoldAdminSplitDateTimeWidget,
    )
    zone = forms.ChoiceField(
        label=gettext_lazy("Those times are of"),
        choices=[(zone, zone) for zone in sorted(available_timezones())],
        widget=UnfoldAdminSelect2Widget({**WIDE}),
    )
    min_order_total = forms.CharField(
        label=gettext_lazy("Order total at least"),
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text=gettext_lazy("In the currency above, for example 25.00."),
    )
    max_order_total = forms.CharField(
        label=gettext_lazy("Order total at most"),
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text=gettext_lazy("In the currency above, for example 500.00."),
    )
    kind = forms.ChoiceField(
        label=gettext_lazy("Kind of reward"),
        choices=KINDS,
        widget=UnfoldAdminSelectWidget,
    )
    points = forms.CharField(
        label=gettext_lazy("Gives"),
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text=gettext_lazy(
            "Of the unit above; in a currency its major unit, 1.50."
        ),
    )
    per = forms.CharField(
        label=gettext_lazy("Per"),
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text=gettext_lazy(
            "Major units of the amount's own currency, such as 1.00."
        ),
    )
    whole = forms.BooleanField(
        label=gettext_lazy("Whole steps only"),
        required=False,
        widget=UnfoldBooleanSwitchWidget,
        help_text=gettext_lazy("On: 1.99 per 1.00 counts once. Off: in proportion."),
    )
    percent = forms.CharField(
        label=gettext_lazy("Percent"),
        required=False,
        widget=UnfoldAdminTextInputWidget({"suffix": "%"}),
    )
    of = forms.ChoiceField(
        label=gettext_lazy("Of"),
        required=False,
        choices=AMOUNTS,
        widget=UnfoldAdminSelectWidget,
    )

    class Meta:
        model = Rule
        fields = ("key", "group", "unit")

    class Media:
        css = {"all": ["rewards/admin.css"]}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        zone = Program.load().time_zone
        rule = kwargs.get("instance")
        known = shown(rule, zone=ZoneInfo(zone)) if rule else {"zone": zone}
        kwargs["initial"] = {**known, **(kwargs.get("initial") or {})}
        super().__init__(*args, **kwargs)
        fields: dict[str, Any] = self.fields
        fields["merchants"].choices = self._merchants()
        if "unit" in fields:
            fields["unit"].queryset = Unit.objects.filter(in_draft=True)

    def _merchants(self) -> list[tuple[str, str]]:
        """Known merchants, and whichever ids the rule names besides."""
        known = dict(Merchant.objects.values_list("external_id", "name"))
        named = self.initial.get("merchants", ())
        if self.is_bound:
            named = self["merchants"].data or ()
        ids = dict.fromkeys([*known, *named])
        return [(id, f"{known[id]} ({id})" if known.get(id) else id) for id in ids]

    def clean_translations(self) -> dict[str, str]:
        found = {}
        for line in self.cleaned_data["translations"].splitlines():
            language, colon, text = line.partition(":")
            if line.strip() and not (colon and text.strip()):
                raise forms.ValidationError(_("Write a language, a colon, the label."))
            if line.strip():
                found[language.strip()] = text.strip()
        return found

    def clean(self) -> dict[str, Any]:
        super().clean()
        self._place_times()
        if not self.errors:
            self.parts = stored(self.cleaned_data, before=self.instance)
            self._check()
        return self.cleaned_data

    def save(self, commit: bool = True) -> Rule:
        for name, value in self.parts.items():
            setattr(self.instance, name, value)
        return super().save(commit)

    def _place_times(self) -> None:
        """Read the times in the zone that was chosen, not in the server's."""
        zone = ZoneInfo(self.cleaned_data.get("zone") or "UTC")
        for name in TIMES:
            if at := self.cleaned_data.get(name):
                local = make_naive(at)
                placed = local.replace(tzinfo=zone)
                if (
                    placed.astimezone(UTC).astimezone(zone).replace(tzinfo=None)
                    != local
                ):
                    self.add_error(name, _("Clocks skip this time there."))
                self.cleaned_data[name] = placed

    def _check(self) -> None:
        """Let the vocabulary judge this rule, with the units that the draft has."""
        said = self.cleaned_data
        rule = {"key": said["key"], "group": said["group"], "unit": said["unit"].code}
        try:
            vocabulary.parse(draft.raw() | {"rules": [rule | self.parts]})
        except ProgramError as error:
            for line in error.lines:
                self.add_error(*blamed(line, said["key"]))


def shown(rule: Rule, *, zone: ZoneInfo) -> dict[str, Any]:
    """A stored rule as the form's values."""
    label = rule.label if isinstance(rule.label, dict) else {OWN: rule.label}
    others = [f"{name}: {text}" for name, text in label.items() if name != OWN]
    times = {
        name: datetime.fromisoformat(rule.when[name]).astimezone(zone)
        for name in TIMES
        if rule.when.get(name)
    }
    return {
        **rule.when,
        **rule.reward,
        **{name: at.replace(tzinfo=None) for name, at in times.items()},
        "zone": zone.key,
        "label_text": label.get(OWN, ""),
        "translations": "\n".join(others),
    }


def stored(said: Mapping[str, Any], *, before: Rule) -> dict[str, Any]:
    """The form's values as a rule's label, conditions and reward."""
    when = {name: said[name] for name in CONDITIONS if said[name]}
    for name in TIMES:
        if name in when:
            when[name] = _instant(when[name], (before.when or {}).get(name))
    reward = {name: said[name] for name in NEEDED[said["kind"]] if said[name]}
    label: Any = said["label_text"]
    if said["translations"] or isinstance(before.label, dict):
        label = {OWN: label, **said["translations"]}
    return {"label": label, "when": when, "reward": {"kind": said["kind"], **reward}}


def _instant(at: datetime, before: str | None) -> str:
    """The instant as text; as it was written before, where it is the same one."""
    if before and datetime.fromisoformat(before) == at:
        return before
    return at.isoformat()


def blamed(line: str, key: str) -> tuple[str | None, str]:
    """The form's field that a line of the vocabulary is about, and what it says."""
    said = line.removeprefix(f'rule "{key}": ')
    if said == line:
        return None, line
    part, _colon, problem = said.partition(": ")
    if part in ("when", "reward"):
        name, colon, rest = problem.partition(": ")
        return (name, rest) if colon and name in NAMES else (WHOLE[part], problem)
    root, _dot, rest = part.partition(".")
    name = rest.split(".")[0] if root in ("when", "reward") else root
    field = WHOLE.get(name, name)
    return (field, problem) if field in NAMES else (None, said)
