"""The unit form: what is counted, checked by the vocabulary and by who holds it."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminSelect2Widget, UnfoldAdminTextInputWidget

from merchants.currencies import EXPONENTS
from rewards.models import Unit
from rewards.program import draft, vocabulary
from rewards.program.vocabulary import ProgramError

FIELDS = ("code", "name", "name_plural", "decimals", "rounding", "in_draft")


class UnitForm(forms.ModelForm):
    worth = forms.CharField(
        label=gettext_lazy("One is worth"),
        required=False,
        max_length=32,
        widget=UnfoldAdminTextInputWidget,
        help_text=gettext_lazy("For money reports, such as 0.01. Empty: not known."),
    )
    worth_currency = forms.ChoiceField(
        label=gettext_lazy("Of which currency"),
        required=False,
        choices=[("", "-"), *((code, code) for code in sorted(EXPONENTS))],
        widget=UnfoldAdminSelect2Widget,
    )

    class Meta:
        model = Unit
        fields = FIELDS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        unit = kwargs.get("instance")
        worth = (unit and unit.value) or {}
        known = {
            "worth": worth.get("amount", ""),
            "worth_currency": worth.get("currency", ""),
        }
        kwargs["initial"] = {**known, **(kwargs.get("initial") or {})}
        super().__init__(*args, **kwargs)

    def clean(self) -> dict[str, Any]:
        super().clean()
        if not self.errors:
            self.value = self._worth()
            self._check()
        return self.cleaned_data

    def save(self, commit: bool = True) -> Unit:
        self.instance.value = self.value
        return super().save(commit)

    def _worth(self) -> dict[str, str] | None:
        amount = self.cleaned_data["worth"]
        currency = self.cleaned_data["worth_currency"]
        return {"amount": amount, "currency": currency} if amount or currency else None

    def _check(self) -> None:
        """Refuse what is wrong with the unit, and what it would break in the rules."""
        try:
            if self.instance.pk:
                draft.refuse_new_decimals(self.instance, self.cleaned_data["decimals"])
        except ProgramError as error:
            self.add_error("decimals", error.lines)
            return
        before = draft.raw()
        known = set(_problems(before))
        code = self.cleaned_data.get("code") or self.instance.code
        for line in _problems(self._after(before, code)):
            if line not in known:
                self.add_error(*_blamed(line, code))

    def _after(self, program: dict[str, Any], code: str) -> dict[str, Any]:
        """The draft as it would be with this unit."""
        units = [unit for unit in program["units"] if unit["code"] != code]
        if self.cleaned_data["in_draft"]:
            names = ("name", "name_plural", "decimals", "rounding")
            said = {name: self.cleaned_data[name] for name in names}
            units.append({"code": code, **said, "value": self.value})
        return program | {"units": units}


def _problems(program: dict[str, Any]) -> list[str]:
    try:
        vocabulary.parse(program)
    except ProgramError as error:
        return error.lines
    return []


def _blamed(line: str, code: str) -> tuple[str | None, str]:
    """The field a line is about; none where it is about a rule that uses the unit."""
    said = line.removeprefix(f'unit "{code}": ')
    name, colon, problem = said.partition(": ")
    if said == line or not colon:
        return None, line
    root = {"value.amount": "worth", "value.currency": "worth_currency"}.get(name, name)
    return (
        (root, problem)
        if root in (*FIELDS, "worth", "worth_currency")
        else (None, said)
    )
