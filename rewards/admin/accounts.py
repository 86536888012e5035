"""Network accounts: whether orders of each reward members, as staff decide."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.decorators import action, display

from merchants.admin.tables import ReadOnlyAdmin, Table, TabledAdmin
from rewards import decisions
from rewards.admin.decision_forms import ReasonForm
from rewards.admin.mixins import (
    DecidingAdmin,
    Question,
    by_now,
)
from rewards.admin.purchase_page import decision_table
from rewards.admin.wording import badge
from rewards.models import NetworkAccount
from rewards.refusals import Refused


@admin.register(NetworkAccount)
class NetworkAccountAdmin(ReadOnlyAdmin, DecidingAdmin, TabledAdmin):
    empty_says = gettext_lazy(
        "No account is known. Each comes with its first order, and the API's are "
        "found daily."
    )
    list_display = ("title", "network", "state", "first_seen_at")
    fields = ("network", "external_id", "state", "first_seen_at")
    actions_detail = ("confirm", "leave_out")

    @display(description=gettext_lazy("account"))
    def title(self, account: NetworkAccount) -> str:
        return str(account)

    @display(description=gettext_lazy("rewards members"))
    def state(self, account: NetworkAccount) -> SafeString:
        if account.rewarding is None:
            return badge(_("nobody has decided"), "warning")
        if account.rewarding:
            return badge(_("yes"), "success")
        return badge(_("no"), "danger")

    def get_tables(self, request: HttpRequest, obj: NetworkAccount) -> list[Table]:
        decisions = decision_table(obj.decisions.all())
        return [decisions] if decisions.rows else []

    @action(
        description=gettext_lazy("Confirm"),
        permissions=["decide"],
        url_path="confirm",
        icon="check",
    )
    def confirm(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._decide(
            request,
            object_id,
            rewarding=True,
            title=_("Confirm that this account rewards members?"),
            explanation=_("Its orders that were held are settled at once."),
        )

    @action(
        description=gettext_lazy("Exclude"),
        permissions=["decide"],
        url_path="exclude",
        icon="block",
    )
    def leave_out(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._decide(
            request,
            object_id,
            rewarding=False,
            title=_("Exclude this account from rewards?"),
            explanation=_("Whatever its orders earned is taken back at once."),
        )

    def _decide(
        self, request: HttpRequest, object_id: str, *, rewarding: bool, **words: Any
    ) -> HttpResponse:
        account = self.find(request, object_id)

        def act(said: dict[str, Any]) -> str:
            settled = decisions.decide_account(
                account, rewarding=rewarding, reason=said["reason"], **by_now(request)
            )
            verb = "Confirmed" if rewarding else "Excluded"
            self.log_change(request, account, f"{verb}: {said['reason']}")
            return _n_settled(settled)

        question = Question(
            submit=_("Confirm") if rewarding else _("Exclude"),
            form=ReasonForm,
            act=act,
            refusals=(Refused,),
            **words,
        )
        return self.ask(request, account, question)


def _n_settled(n: int) -> str:
    said = ngettext("%d purchase was settled.", "%d purchases were settled.", n)
    return said % n
