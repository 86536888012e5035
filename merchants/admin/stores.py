"""Stores: what the network says beside what staff say, rates, and what changed."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin import EmptyFieldListFilter
from django.db import models
from django.http import HttpRequest
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextareaWidget

from merchants import cleaning, hosts
from merchants.admin.audit import AuditedAdmin
from merchants.admin.tables import NOTHING, Table, TabledAdmin, when
from merchants.models import CatalogueSync, Merchant, Offer
from merchants.rates import rate_of, rates_at
from merchants.wording import what_happened

MOST = 50
MOST_SYNCS = 200  # that are looked through for changes of one store
BY_HAND = ("name", "homepage_url", "hosts")
SYNCED = (
    "name",
    "description",
    "homepage_url",
    "icon_url",
    "its_hosts",
    "its_categories",
    ("live", "gone_at"),
    ("reporting_days", "finalization_minutes"),
    ("coupons_allowed", "gift_cards_allowed"),
    "exclusions",
    "other_terms",
)


class HostsField(forms.CharField):
    """Host names, one a line."""

    widget = UnfoldAdminTextareaWidget

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(map(str, value)) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        return list(dict.fromkeys(self._names(value or "")))

    def has_changed(self, initial: Any, data: Any) -> bool:
        return list(initial or ()) != (data or "").split()

    def _names(self, text: str) -> Iterator[str]:
        for line in text.split():
            try:
                yield hosts.normalised(line)
            except ValueError:
                raise forms.ValidationError(
                    _("“%s” is no host name such as store.example.") % line
                ) from None


class MerchantForm(forms.ModelForm):
    hosts = HostsField(
        label=gettext_lazy("Hosts"),
        required=False,
        help_text=gettext_lazy(
            "One a line. Links may lead to these hosts and to those below them. Never"
            " name one below which anybody can have a host, such as co.uk."
        ),
    )

    def clean_homepage_url(self) -> str:
        try:
            return cleaning.web_address(
                self.cleaned_data["homepage_url"], schemes=("https:", "http:")
            )
        except ValueError:
            raise forms.ValidationError(
                _("Write an address that begins with https:// or http://.")
            ) from None


@admin.register(Merchant)
class MerchantAdmin(AuditedAdmin, TabledAdmin):
    empty_says = gettext_lazy(
        "There are no stores yet. They come with the first catalogue sync."
    )
    form = MerchantForm
    list_display = ("title", "external_id", "shown", "live", "gone_at", "freshness")
    list_filter = ("listed", "live", "listing", ("gone_at", EmptyFieldListFilter))
    list_filter_submit = True
    search_fields = ("name", "own_name", "external_id", "slug")
    search_help_text = gettext_lazy("Name, or id at the network")
    ordering = ("name", "external_id")
    formfield_overrides = {models.URLField: {"assume_scheme": "https"}}

    @display(description=gettext_lazy("name"), ordering="name")
    def title(self, merchant: Merchant) -> str:
        return str(merchant)

    @display(description=gettext_lazy("listed"), ordering="listed", boolean=True)
    def shown(self, merchant: Merchant) -> bool:
        return merchant.listed

    @display(description=gettext_lazy("synced"), ordering="synced_at")
    def freshness(self, merchant: Merchant) -> str:
        return _ago(merchant.synced_at)

    @display(description=gettext_lazy("hosts"))
    def its_hosts(self, merchant: Merchant) -> str:
        return ", ".join(merchant.hosts) or NOTHING

    @display(description=gettext_lazy("categories"))
    def its_categories(self, merchant: Merchant) -> str:
        return ", ".join(merchant.categories) or NOTHING

    def get_fieldsets(
        self, request: HttpRequest, obj: Merchant | None = None
    ) -> list[tuple[Any, dict[str, Any]]]:
        """Synced fields and staff's own apart; by hand only before the first sync."""
        synced = bool(obj and obj.synced_at)
        own = ("own_name", "own_description", "own_terms")
        identity = (("network", "external_id"), ("listing", "shown"), "slug")
        return [
            (None, {"fields": identity if obj else ("network", "external_id")}),
            (
                _("What the network says"),
                {"fields": SYNCED if synced else BY_HAND, "description": _as_of(obj)},
            ),
            (_("What is shown instead"), {"fields": own}),
        ]

    def get_readonly_fields(
        self, request: HttpRequest, obj: Merchant | None = None
    ) -> tuple[str, ...]:
        """What orders find a merchant by stays as it is, and so does what is synced."""
        if obj is None:
            return ()
        fixed = ("network", "external_id", "shown")
        return (*fixed, *_flat(SYNCED)) if obj.synced_at else fixed

    def has_delete_permission(
        self, request: HttpRequest, obj: Merchant | None = None
    ) -> bool:
        """One at a time, and only where nothing points at it; else delist it."""
        allowed = super().has_delete_permission(request, obj)
        return allowed and obj is not None and not _is_used(obj)

    def get_tables(self, request: HttpRequest, obj: Merchant) -> list[Table]:
        return [_current(obj), _past(obj), _changes(obj)]


def _ago(at: datetime | None) -> str:
    return _("%s ago") % timesince(at, depth=1) if at else NOTHING


def _as_of(merchant: Merchant | None) -> str:
    if not merchant or not merchant.synced_at:
        return _("It has said nothing yet. What stands here holds until it does.")
    said = _("As it said %(ago)s (%(when)s). What changes there changes here.")
    return said % {"ago": _ago(merchant.synced_at), "when": when(merchant.synced_at)}


def _flat(fields: tuple[Any, ...]) -> Iterator[str]:
    for field in fields:
        yield from [field] if isinstance(field, str) else field


def _current(merchant: Merchant) -> Table:
    offers = rates_at(merchant, datetime.now(UTC))[:MOST]
    rows = [[*_columns(offer), when(offer.since)] for offer in offers]
    headers = [_("Rate"), _("For"), _("Tag"), _("Since")]
    return Table(_("What it pays us now"), headers, rows)


def _past(merchant: Merchant) -> Table:
    offers = merchant.offers.exclude(until=None).order_by("-until", "-pk")[:MOST]
    rows = [[*_columns(o), when(o.since), when(o.until)] for o in offers]
    headers = [_("Rate"), _("For"), _("Tag"), _("Since"), _("Until")]
    return Table(_("What it paid us before"), headers, rows)


def _columns(offer: Offer) -> list[str]:
    return [
        rate_of(offer).amount,
        offer.label or offer.get_kind_display(),
        offer.tag or NOTHING,
    ]


def _changes(merchant: Merchant) -> Table:
    syncs = CatalogueSync.objects.filter(network=merchant.network).exclude(changes=[])
    rows = [
        [when(sync.synced_at), what_happened(change)]
        for sync in syncs.only("synced_at", "changes")[:MOST_SYNCS]
        for change in sync.changes
        if change["merchant"] == merchant.external_id
    ]
    return Table(_("Recent changes"), [_("Synced"), _("What changed")], rows[:MOST])


def _is_used(merchant: Merchant) -> bool:
    """Whether anything but its own rates points at it."""
    return any(
        relation.related_model._default_manager.filter(
            **{relation.field.name: merchant}
        ).exists()
        for relation in Merchant._meta.related_objects
        if relation.related_model is not Offer
    )
