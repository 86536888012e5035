"""The reward form: what it costs in people's amounts, and what its kind needs."""

from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminTextInputWidget

from rewards.models import Reward, Unit
from rewards.money import plain, typed

AMOUNTS = ("minimum", "maximum", "step", "approve_above")
FIXED = ("key", "kind", "unit")
"""Never changed once made: redemptions are counted and repeated by them."""

FIELDS = (
    *("key", "name", "description", "terms", "kind", "unit"),
    *("minimum", "maximum", "step", "approve_above"),
    *("stock", "per_member", "per_member_period", "endpoint", "position", "active"),
)


def _amount(label: Any, help_text: Any, *, required: bool = False) -> forms.CharField:
    return forms.CharField(
        label=label,
        help_text=help_text,
        required=required,
        max_length=32,
        widget=UnfoldAdminTextInputWidget,
    )


class RewardForm(forms.ModelForm):
    """Amounts are typed as people write them: 5.00 for five dollars, 500 for points."""

    minimum = _amount(
        gettext_lazy("Costs at least"),
        gettext_lazy("In the unit, such as 5.00 for USD, or 500 for points."),
        required=True,
    )
    maximum = _amount(
        gettext_lazy("Costs at most"),
        gettext_lazy("Empty: any amount. A gift code has one price."),
    )
    step = _amount(
        gettext_lazy("In steps of"), gettext_lazy("Empty: the smallest there is.")
    )
    approve_above = _amount(
        gettext_lazy("Staff approve above"),
        gettext_lazy("What costs more waits for staff. Empty: nothing does."),
    )

    class Meta:
        model = Reward
        fields = FIELDS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        reward = kwargs.get("instance")
        if reward:
            kwargs["initial"] = {**_plain(reward), **(kwargs.get("initial") or {})}
        super().__init__(*args, **kwargs)
        if "stock" in self.fields:
            # Sent along: only so is it known whether staff have changed it.
            self.fields["stock"].show_hidden_initial = True

    def clean(self) -> dict[str, Any]:
        super().clean()
        unit = self.cleaned_data.get("unit") or getattr(self.instance, "unit", None)
        if unit:
            for name in AMOUNTS:
                self._read_amount(name, unit)
        if not self.errors:
            self._check_kind(self.cleaned_data.get("kind") or self.instance.kind)
        if not self.errors:
            self._check_amounts()
        return self.cleaned_data

    def _read_amount(self, name: str, unit: Unit) -> None:
        text = self.cleaned_data.get(name)
        if text is None:
            return
        default = 1 if name == "step" else None
        try:
            steps = typed(text.strip(), unit=unit) if text.strip() else default
        except ValueError as error:
            self.add_error(name, str(error))
            return
        least = 0 if name == "approve_above" else 1
        if steps is not None and not least <= steps < 2**63:
            self.add_error(name, _("Write more than nothing."))
        self.cleaned_data[name] = steps

    def _check_kind(self, kind: str) -> None:
        """Settle what follows from the kind, and refuse what contradicts it."""
        said = self.cleaned_data
        if kind == Reward.Kind.GIFT_CODE:
            said["maximum"] = said["maximum"] or said["minimum"]
            if said["maximum"] != said["minimum"]:
                self.add_error(
                    "maximum", _("A gift code has one price: leave it empty.")
                )
            if said["stock"] is not None:
                self.add_error("stock", _("Codes are counted: leave it empty."))
        if kind == Reward.Kind.CALL and not said["endpoint"]:
            self.add_error("endpoint", _("Say where the host application is called."))
        if kind != Reward.Kind.CALL and said["endpoint"]:
            self.add_error("endpoint", _("Nothing is called for this kind."))

    def _check_amounts(self) -> None:
        least, most = self.cleaned_data["minimum"], self.cleaned_data["maximum"]
        if most is None:
            return
        if most < least:
            self.add_error("maximum", _("It can't be below the least."))
        elif (most - least) % self.cleaned_data["step"]:
            self.add_error("step", _("No number of such steps leads to the most."))


def _plain(reward: Reward) -> dict[str, str]:
    amounts = ((name, getattr(reward, name)) for name in AMOUNTS)
    return {
        name: "" if amount is None else plain(amount, unit=reward.unit)
        for name, amount in amounts
    }
