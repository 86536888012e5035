"""The rule form: real fields over a draft rule's JSON, checked by the vocabulary."""

from itertools import chain, count
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.utils.timezone import make_naive
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from rewards.admin import rule_fields
from rewards.admin.local_times import instant
from rewards.admin.rule_values import (
    COUNTED,
    ITEMS,
    TIMES,
    blamed,
    shown,
    steps,
    stored,
)
from rewards.models import Program, Rule, Unit
from rewards.program import draft, vocabulary
from rewards.program.vocabulary import ProgramError


class RuleForm(
    rule_fields.WhoFields,
    rule_fields.OrderFields,
    rule_fields.TimeFields,
    rule_fields.ExpressionFields,
    rule_fields.ItemFields,
    rule_fields.RewardFields,
    rule_fields.LimitFields,
    forms.ModelForm,
):
    """A rule of the draft as the sentence that it is.

    Once valid, ``rule`` has it as plain data, and ``checked`` a program of it alone.
    """

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

    class Meta:
        model = Rule
        fields = ("key", "group", "unit", "expires_after_days", "hold_days")

    class Media:
        js = ["rewards/rule_form.js"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        zone = Program.load().time_zone
        rule = kwargs.get("instance")
        self.key_before, known = "", {"zone": zone}
        if rule is not None and rule.pk is not None:
            self.key_before, known = rule.key, shown(rule, zone=ZoneInfo(zone))
        kwargs["initial"] = {**known, **(kwargs.get("initial") or {})}
        super().__init__(*args, **kwargs)
        fields: dict[str, Any] = self.fields
        if "unit" in fields:
            fields["unit"].queryset = Unit.objects.filter(in_draft=True)

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
        self._refuse_finer_amounts()
        self._refuse_what_no_rule_can_be()
        if not self.errors:
            self.parts = stored(self.cleaned_data, before=self.instance)
            self._check()
        return self.cleaned_data

    def save(self, commit: bool = True) -> Rule:
        for name, value in self.parts.items():
            setattr(self.instance, name, value)
        return super().save(commit)

    def program_with(self) -> dict[str, Any]:
        """The whole draft as it would be with this rule in its place."""
        program = draft.raw()
        rules = {rule["key"]: rule for rule in program["rules"]}
        rules[self.key_before or self.rule["key"]] = self.rule
        return program | {"rules": list(rules.values())}

    def _place_times(self) -> None:
        """Read the times in the zone that was chosen, not in the server's."""
        zone = ZoneInfo(self.cleaned_data.get("zone") or "UTC")
        for name in TIMES:
            if at := self.cleaned_data.get(name):
                try:
                    placed = instant(make_naive(at), zone=zone)
                    self.cleaned_data[name] = placed.astimezone(zone)
                except forms.ValidationError as error:
                    self.add_error(name, error)

    def _refuse_finer_amounts(self) -> None:
        unit = self.cleaned_data.get("unit")
        for name in COUNTED:
            amount = self.cleaned_data.get(name)
            if unit and amount is not None and steps(amount, unit) is None:
                said = _("%(unit)s has %(n)d decimals at most.")
                self.add_error(name, said % {"unit": unit, "n": unit.decimals})

    def _refuse_what_no_rule_can_be(self) -> None:
        """What the file allows, and nobody can have meant."""
        said = self.cleaned_data
        if said.get("kind") != "multiplier":
            return
        if said.get("group") != Rule.Group.BONUS:
            self.add_error(
                "group",
                _("A multiple of the base award comes on top of it: choose bonus."),
            )
        for name in ITEMS:
            if said.get(name):
                whole = _("A multiple is of the whole base award, not of items.")
                self.add_error(name, whole)

    def _check(self) -> None:
        """Let the vocabulary judge this rule, with the units that the draft has."""
        said = self.cleaned_data
        names = ("key", "group", "expires_after_days", "hold_days")
        own = {name: said[name] for name in names} | {"unit": said["unit"].code}
        self.rule = own | self.parts
        try:
            self.checked = vocabulary.parse(draft.raw() | {"rules": [self.rule]})
        except ProgramError as error:
            for line in error.lines:
                self.add_error(*blamed(line, said["key"]))


def unused_key(key: str) -> str:
    """The key, or where a rule has it already, the first free one numbered after it."""
    taken = set(Rule.objects.values_list("key", flat=True))
    numbered = (f"{key[:60]}-{n}" for n in count(2))
    return next(one for one in chain([key], numbered) if one not in taken)
