"""A purchase with a fact changed: what it would earn then. Nothing is written."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import action

from merchants.admin.tables import Table
from rewards.admin.mixins import DecidingAdmin, change_url
from rewards.admin.receipt import page_of
from rewards.admin.what_if_form import WhatIfForm
from rewards.models import Edition, Purchase, Settlement, Unit
from rewards.money import unit_amount
from rewards.program.editions import Editions
from rewards.program.receipts import Receipt
from rewards.program.supposing import suppose
from rewards.settling.evaluations import facts_of


class SupposingAdmin(DecidingAdmin):
    """Purchases whose facts may be changed, to see what would come of it."""

    @action(
        description=gettext_lazy("What if …"),
        permissions=["view"],
        url_path="what-if",
        icon="science",
    )
    def what_if(self, request: HttpRequest, object_id: str) -> HttpResponse:
        purchase: Purchase = self.find(request, object_id)
        settlement = _evaluation(purchase)
        form = WhatIfForm(request.GET or None, of=facts_of(settlement))
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "original": purchase,
            "title": _("What if, for %s") % purchase,
            "form": form,
            "back": change_url(purchase),
            **(_found(purchase, settlement, form) if form.is_valid() else {}),
        }
        template = "admin/rewards/purchase/what_if.html"
        return TemplateResponse(request, template, context)


def _evaluation(purchase: Purchase) -> Settlement:
    """The evaluation whose awards are current. Raises Http404 where there is none."""
    found = Settlement.objects.select_related("report", "edition", "member")
    made = found.filter(pk=purchase.settlement_id or 0, report__isnull=False).first()
    if made is None:
        raise Http404
    return made


def _found(
    purchase: Purchase, settlement: Settlement, form: WhatIfForm
) -> dict[str, Any]:
    rewards = purchase.account.rewarding
    found = suppose(settlement, form.facts(), account_rewards=rewards)
    said = list(_said(found, settlement))
    return {
        "receipt": page_of(found, purchase, said=said, supposed=True),
        "tables": [_comparison(found, settlement)],
    }


def _said(found: Receipt, settlement: Settlement) -> Iterator[str]:
    if found.note:
        yield found.note
        return
    yield _("Under %s, which its awards were worked out by.") % settlement.edition
    yield _(
        "Limits stand as they did then; of rules that did not match, as if nobody had"
        " used them."
    )
    assert found.facts is not None  # suppose() was given them
    other = Editions.load().at(found.facts.report.attributed_at)
    if other != settlement.edition_id and not settlement.pinned:
        edition = Edition.objects.filter(pk=other or 0).first()
        yield _("For an order of that time, %s holds.") % (edition or _("no edition"))


def _comparison(found: Receipt, settlement: Settlement) -> Table:
    """What each unit has now, and what it would have."""
    now: Counter[str] = Counter()
    for code, granted in settlement.awards.values_list("unit__code", "granted"):
        now[code] += granted
    then: Counter[str] = Counter()
    for tried in found.rules:
        then[tried.unit] += tried.granted
    rows = [
        [
            unit.name_plural,
            unit_amount(now[unit.code], unit=unit),
            unit_amount(then[unit.code], unit=unit),
            unit_amount(then[unit.code] - now[unit.code], unit=unit),
        ]
        for unit in Unit.objects.filter(code__in=[*now, *then])
    ]
    headers = [_("Unit"), _("Now"), _("Then"), _("Difference")]
    note = "" if rows else _("It earns nothing now, and would earn nothing then.")
    return Table(_("What would change"), headers, rows, note)
