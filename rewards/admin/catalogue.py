"""The reward catalogue: what members can redeem for, and the pools of gift codes."""

from datetime import UTC, datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.decorators import action, display
from unfold.widgets import (
    UnfoldAdminFileFieldWidget,
    UnfoldAdminTextareaWidget,
)

from merchants.admin.audit import AuditedAdmin
from merchants.admin.tables import Table, TabledAdmin
from rewards.admin.backtests import DayInput
from rewards.admin.mixins import DecidingAdmin, Question, by_now
from rewards.admin.reward_form import FIELDS, FIXED, RewardForm
from rewards.admin.wording import NOTHING, badge
from rewards.models import Reward
from rewards.money import unit_amount
from rewards.redemptions import codes
from rewards.refusals import Refused

LARGEST_FILE = 1024 * 1024


class CodesForm(forms.Form):
    """Codes to add, one a line, pasted or in a file."""

    pasted = forms.CharField(
        label=gettext_lazy("Codes"),
        required=False,
        max_length=LARGEST_FILE,
        widget=UnfoldAdminTextareaWidget({"rows": 8, "autocomplete": "off"}),
        help_text=gettext_lazy("One a line. They are encrypted, and never shown here."),
    )
    file = forms.FileField(
        label=gettext_lazy("Or a file"),
        required=False,
        widget=UnfoldAdminFileFieldWidget,
        help_text=gettext_lazy("Plain text, one code a line, 1 MB at most."),
    )
    usable_until = forms.DateField(
        label=gettext_lazy("Usable until"),
        required=False,
        widget=DayInput,
        help_text=gettext_lazy("Afterwards they are given to nobody. Empty: for ever."),
    )

    def clean(self) -> dict[str, Any]:
        said = self.cleaned_data
        said["codes"] = (said.get("pasted") or "").splitlines()
        if file := said.get("file"):
            said["codes"] += self._read(file)
        if not self.errors and not any(map(str.strip, said["codes"])):
            raise forms.ValidationError(_("There are no codes in it."))
        return said

    def _read(self, file: Any) -> list[str]:
        if file.size > LARGEST_FILE:
            self.add_error("file", _("It is larger than 1 MB. Split it."))
            return []
        try:
            text: str = file.read().decode("utf-8-sig")
        except UnicodeDecodeError:
            text = "\0"
        if "\0" in text:
            self.add_error("file", _("It is no plain text in UTF-8."))
            return []
        return text.splitlines()


@admin.register(Reward)
class RewardAdmin(AuditedAdmin, DecidingAdmin, TabledAdmin):
    empty_says = gettext_lazy("There is nothing to redeem for yet. Add a reward.")
    form = RewardForm
    list_display = ("name", "kind", "price", "left", "state")
    fields = FIELDS
    actions_detail = ("add_codes",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Reward]:
        free = Count("codes", filter=Q(codes__redemption=None))
        found: QuerySet[Reward] = super().get_queryset(request)
        return found.select_related("unit").annotate(free=free)

    @display(description=gettext_lazy("costs"))
    def price(self, reward: Reward) -> str:
        least = unit_amount(reward.minimum, unit=reward.unit)
        if reward.maximum == reward.minimum:
            return least
        if reward.maximum is None:
            return _("%s or more") % least
        most = unit_amount(reward.maximum, unit=reward.unit)
        return _("%(least)s to %(most)s") % {"least": least, "most": most}

    @display(description=gettext_lazy("left"))
    def left(self, reward: Any) -> str:
        if reward.kind == Reward.Kind.GIFT_CODE:
            return str(reward.free)
        return NOTHING if reward.stock is None else str(reward.stock)

    @display(description=gettext_lazy("state"))
    def state(self, reward: Reward) -> SafeString:
        return (
            badge(_("offered"), "success") if reward.active else badge(_("not offered"))
        )

    def get_readonly_fields(
        self, request: HttpRequest, obj: Any = None
    ) -> tuple[str, ...]:
        return FIXED if obj else ()

    def save_model(
        self, request: HttpRequest, obj: Reward, form: Any, change: bool
    ) -> None:
        """What was taken of the stock meanwhile stays taken, unless staff set it."""
        if change and "stock" not in form.changed_data:
            obj.save(update_fields={*form.fields} - {"stock"})
        else:
            super().save_model(request, obj, form, change)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_tables(self, request: HttpRequest, obj: Reward) -> list[Table]:
        if obj.kind != Reward.Kind.GIFT_CODE:
            return []
        today = datetime.now(UTC).date()
        over = Q(redemption=None, usable_until__lt=today)
        counted = obj.codes.aggregate(
            free=Count("pk", filter=Q(redemption=None)),
            over=Count("pk", filter=over),
            given=Count("pk", filter=Q(redemption__isnull=False)),
        )
        rows = [
            [_("free"), str(counted["free"] - counted["over"])],
            [_("free, but no longer usable"), str(counted["over"])],
            [_("given to members"), str(counted["given"])],
        ]
        return [Table(_("Gift codes"), [_("Codes"), _("How many")], rows)]

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        reward = self.get_object(request, object_id)
        if reward is None or reward.kind != Reward.Kind.GIFT_CODE:
            return []
        return super().get_actions_detail(request, object_id)

    @action(
        description=gettext_lazy("Add codes"),
        permissions=["decide"],
        url_path="codes",
        icon="add",
    )
    def add_codes(self, request: HttpRequest, object_id: str) -> HttpResponse:
        reward = self.find(request, object_id)

        def act(said: dict[str, Any]) -> str:
            added = codes.add(
                reward,
                said["codes"],
                usable_until=said["usable_until"],
                **by_now(request),
            )
            self.log_change(request, reward, f"Added {added.new} codes")
            new = ngettext("%d code is new.", "%d codes are new.", added.new)
            known = ngettext("%d was known.", "%d were known.", added.known)
            return f"{new % added.new} {known % added.known}"

        question = Question(
            title=_("Add codes to %s") % reward,
            explanation=_(
                "A code that is there already is not added twice. There is no way to"
                " take codes out again, or to look at those that are free."
            ),
            submit=_("Add"),
            form=CodesForm,
            act=act,
            refusals=(Refused,),
        )
        return self.ask(request, reward, question)
