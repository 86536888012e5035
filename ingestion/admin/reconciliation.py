"""Comparisons with the network as staff see them, and what to do about differences."""

from datetime import UTC, datetime
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.decorators import action, display

from ingestion.admin.stretches import StretchForm
from ingestion.models import Difference, Reconciliation
from ingestion.reconciliation import begin
from merchants.admin.tables import ReadOnlyAdmin, Table, TabledAdmin
from rewards.admin.mixins import DecidingAdmin, GrowingAdmin, Question, link
from rewards.admin.wording import NOTHING, badge, when
from rewards.models import Purchase
from rewards.money import currency_amount

MOST = 200


@admin.register(Reconciliation)
class ReconciliationAdmin(ReadOnlyAdmin, GrowingAdmin, DecidingAdmin, TabledAdmin):
    empty_says = gettext_lazy(
        "Nothing has been compared yet. Compare a month with the network, or wait "
        "for the monthly one."
    )
    list_display = ("stretch", "state", "orders", "finished_at", "taken_in_at")
    fields = (
        ("stretch", "state"),
        ("orders", "began_at", "finished_at"),
        ("take_in_asked_at", "taken_in_at"),
        "error",
    )
    actions_list = ("compare",)
    actions_detail = ("take_in_what_is_missing",)

    @display(description=gettext_lazy("created"))
    def stretch(self, done: Reconciliation) -> str:
        return f"{when(done.start)} – {when(done.end)}"

    @display(description=gettext_lazy("result"))
    def state(self, done: Reconciliation) -> SafeString:
        if done.error:
            return badge(_("failed"), "danger")
        if done.finished_at is None:
            return badge(_("waiting"), "info")
        found = done.differences.count()
        if not found:
            return badge(_("no difference"), "success")
        told = ngettext("%d difference", "%d differences", found) % found
        return badge(told, "warning")

    def get_tables(self, request: HttpRequest, obj: Reconciliation) -> list[Table]:
        differences = obj.differences.select_related("account", "purchase")[:MOST]
        found = [_difference_row(difference) for difference in differences]
        return [sum_table(obj), *([_difference_table(found)] if found else [])]

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        done = self.get_object(request, object_id)
        if done is None or not _may_take_in(done):
            return []
        return super().get_actions_detail(request, object_id)

    @action(
        description=gettext_lazy("Compare"),
        permissions=["decide"],
        url_path="compare",
        icon="compare_arrows",
    )
    def compare(self, request: HttpRequest) -> HttpResponse:
        def act(said: dict[str, Any]) -> str:
            begin(start=said["start"], end=said["end"], at=datetime.now(UTC))
            return _("A worker compares within minutes: this list shows the result.")

        question = Question(
            title=_("Compare with the network"),
            explanation=_(
                "Every order created on these days is compared with Button, and the"
                " commission of each account to the cent. Nothing is changed by it."
            ),
            submit=_("Compare"),
            form=StretchForm,
            act=act,
        )
        return self.ask(request, None, question)

    @action(
        description=gettext_lazy("Take in what is missing"),
        permissions=["decide"],
        url_path="take-in",
        icon="download",
    )
    def take_in_what_is_missing(
        self, request: HttpRequest, object_id: str
    ) -> HttpResponse:
        done = self.find(request, object_id)

        def act(_said: dict[str, Any]) -> str:
            asked = Reconciliation.objects.filter(pk=done.pk, take_in_asked_at=None)
            if not asked.update(take_in_asked_at=datetime.now(UTC)):
                return ""
            self.log_change(request, done, "Asked to take in what is missing")
            return _("A worker reads these orders within minutes.")

        question = Question(
            title=_("Take in what is missing?"),
            explanation=_(
                "The days of every order that is missing or different here are read"
                " from Button again, and settled like any other report."
            ),
            submit=_("Take in"),
            act=act,
        )
        return self.ask(request, done, question)


def sum_table(done: Reconciliation) -> Table:
    """Commission by account and state, ours beside theirs."""
    headers = [_("Account"), _("State"), _("Ours"), _("Theirs"), _("Same")]
    rows = [
        [
            row["account"],
            str(Purchase.Status(row["status"]).label),
            _amount(row["our_count"], row["ours"], row["currency"]),
            _amount(row["their_count"], row["theirs"], row["currency"]),
            _same(row),
        ]
        for row in done.sums
    ]
    return Table(_("Commission, to the cent"), headers, rows)


def _same(row: dict[str, Any]) -> SafeString:
    same = (row["our_count"], row["ours"]) == (row["their_count"], row["theirs"])
    return badge(_("same"), "success") if same else badge(_("differs"), "danger")


def _amount(count: int, commission: int, currency: str) -> str:
    orders = ngettext("%d order", "%d orders", count) % count
    return f"{currency_amount(commission, currency=currency)} · {orders}"


def _difference_table(rows: list[list[Any]]) -> Table:
    headers = [_("Order"), _("Account"), _("What"), _("Here"), _("At the network")]
    note = _("The first %d.") % MOST if len(rows) == MOST else ""
    return Table(_("Differences"), headers, rows, note=note)


def _difference_row(found: Difference) -> list[Any]:
    different = found.kind == Difference.Kind.DIFFERENT
    names = list(found.ours) if different else []
    return [
        link(found.purchase, found.order_key) if found.purchase else found.order_key,
        str(found.account),
        found.get_kind_display(),
        _told(found.ours, names or list(found.ours)),
        _told(found.theirs, names or list(found.theirs)),
    ]


def _told(state: dict[str, Any], names: list[str]) -> str:
    return ", ".join(f"{name}: {state[name]}" for name in names) or NOTHING


def _may_take_in(done: Reconciliation) -> bool:
    missing = done.differences.exclude(kind=Difference.Kind.MISSING_THERE)
    return done.take_in_asked_at is None and missing.exists()
