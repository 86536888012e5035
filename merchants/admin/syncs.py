"""Syncs of the catalogue: when, from where, and what each changed."""

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display

from merchants.admin.tables import ReadOnlyAdmin, Table, TabledAdmin
from merchants.models import CatalogueSync, Merchant
from merchants.wording import what_happened

MOST = 500


@admin.register(CatalogueSync)
class CatalogueSyncAdmin(ReadOnlyAdmin, TabledAdmin):
    empty_says = gettext_lazy(
        "The catalogue has not been synced yet. It is, daily, or by manage.py "
        "sync_catalogue."
    )
    list_display = ("synced_at", "source", "stores", "changed", "odd", "failed")
    list_filter = ("source",)
    list_per_page = 50
    fields = (("synced_at", "source"), ("network", "stores"), "error")

    @display(description=gettext_lazy("changes"))
    def changed(self, sync: CatalogueSync) -> int:
        return len(sync.changes)

    @display(description=gettext_lazy("remarks"))
    def odd(self, sync: CatalogueSync) -> int:
        return len(sync.remarks)

    @display(description=gettext_lazy("error"))
    def failed(self, sync: CatalogueSync) -> str:
        return Truncator(sync.error).chars(100)

    def get_tables(self, request: HttpRequest, obj: CatalogueSync) -> list[Table]:
        shown = obj.changes[:MOST]
        named = Merchant.objects.filter(
            network=obj.network, external_id__in={c["merchant"] for c in shown}
        )
        stores = {merchant.external_id: merchant for merchant in named}
        changes = [
            [_store(stores, change["merchant"]), what_happened(change)]
            for change in shown
        ]
        remarks = [[remark] for remark in obj.remarks[:MOST]]
        return [
            Table(
                _("Changes"),
                [_("Merchant"), _("What changed")],
                changes,
                note=_more(len(obj.changes)),
            ),
            Table(_("Remarks"), [_("What was odd")], remarks, _more(len(obj.remarks))),
        ]


def _store(stores: dict[str, Merchant], external_id: str) -> SafeString | str:
    if not (merchant := stores.get(external_id)):
        return external_id
    return format_html(
        '<a class="text-link" href="{}">{}</a>', page_of(merchant), merchant
    )


def page_of(merchant: Merchant) -> str:
    return reverse("admin:merchants_merchant_change", args=[merchant.pk])


def _more(there_are: int) -> str:
    return _("The first %d are shown.") % MOST if there_are > MOST else ""
