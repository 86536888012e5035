"""The partner catalogue, and the clicks by which members leave for it."""

from typing import Any

from django.db import models
from django.db.models import Case, Q, Value, When
from django.utils.text import slugify
from django.utils.translation import gettext_lazy as _

_LISTED = Q(listing="always") | Q(listing="auto", live=True, gone_at=None)


class Merchant(models.Model):
    """A store whose orders a network reports.

    What the network says of it is synced, and never edited here; staff's own words
    stand beside it and win. A merchant first met in an order has no name yet and is
    not listed; its orders earn by the rules all the same.
    """

    class Listing(models.TextChoices):
        AUTO = "auto", _("as the network says")
        ALWAYS = "always", _("always")
        NEVER = "never", _("never")

    network = models.CharField(_("network"), max_length=32, default="button")
    external_id = models.CharField(
        _("id at the network"), max_length=255, help_text=_("For example org-…")
    )
    slug = models.SlugField(
        _("short name in addresses"),
        max_length=120,
        blank=True,
        help_text=_("Left empty, it is made from the name."),
    )
    created_at = models.DateTimeField(_("first seen"), auto_now_add=True)

    # What the network says.
    name = models.CharField(_("name"), max_length=200, blank=True)
    description = models.TextField(
        _("description"), blank=True, default="", db_default=""
    )
    homepage_url = models.URLField(_("home page"), max_length=500, blank=True)
    icon_url = models.URLField(
        _("logo"), max_length=500, blank=True, default="", db_default=""
    )
    hosts = models.JSONField(
        _("hosts"),
        default=list,
        db_default=[],
        blank=True,
        help_text=_("Links may lead to these hosts and to those below them."),
    )
    categories = models.JSONField(
        _("categories"), default=list, db_default=[], blank=True
    )
    live = models.BooleanField(
        _("live at the network"), default=False, db_default=False
    )
    reporting_days = models.PositiveIntegerField(
        _("days until orders are reported"), null=True, blank=True
    )
    finalization_minutes = models.PositiveIntegerField(
        _("minutes until orders are final"), null=True, blank=True
    )
    coupons_allowed = models.BooleanField(_("coupons allowed"), null=True, blank=True)
    gift_cards_allowed = models.BooleanField(
        _("gift cards allowed"), null=True, blank=True
    )
    exclusions = models.TextField(
        _("exclusions"), blank=True, default="", db_default=""
    )
    other_terms = models.TextField(
        _("other terms"), blank=True, default="", db_default=""
    )
    synced_at = models.DateTimeField(_("synced"), null=True, blank=True)
    gone_at = models.DateTimeField(_("gone from the network"), null=True, blank=True)

    # What staff say.
    own_name = models.CharField(
        _("name shown instead"), max_length=200, blank=True, default="", db_default=""
    )
    own_description = models.TextField(
        _("description shown instead"), blank=True, default="", db_default=""
    )
    own_terms = models.TextField(
        _("our notes on its terms"), blank=True, default="", db_default=""
    )
    listing = models.CharField(
        _("shown to members"),
        max_length=8,
        choices=Listing,
        default=Listing.AUTO,
        db_default=Listing.AUTO.value,
    )

    listed = models.GeneratedField(
        expression=Case(When(_LISTED, then=Value(True)), default=Value(False)),
        output_field=models.BooleanField(_("listed")),
        db_persist=True,
        verbose_name=_("listed"),
    )

    class Meta:
        verbose_name = _("merchant")
        verbose_name_plural = _("merchants")
        ordering = ["name", "external_id"]
        constraints = [
            models.UniqueConstraint(
                fields=["network", "external_id"], name="merchant_once_per_network"
            ),
            models.UniqueConstraint(
                fields=["slug"], condition=~Q(slug=""), name="merchant_slug_once"
            ),
        ]

    def __str__(self) -> str:
        return self.own_name or self.name or self.external_id

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self.slug and (self.own_name or self.name):
            self.slug = self._free_slug()
            if (fields := kwargs.get("update_fields")) is not None:
                kwargs["update_fields"] = {*fields, "slug"}
        super().save(*args, **kwargs)

    def _free_slug(self) -> str:
        """The name as a slug; where another store has it, with the id's tail."""
        slug = slugify(str(self))[:100] or slugify(self.external_id)[:100]
        if Merchant.objects.filter(slug=slug).exclude(pk=self.pk).exists():
            slug = f"{slug}-{slugify(self.external_id)[-12:]}"
        return slug


class Offer(models.Model):
    """What a store pays us for an order, from one instant until another.

    Either ``percent`` of the order (a decimal string, "4.5" is 4.5 %) or ``fixed``
    minor units of ``currency``. A rate that changes ends its row and starts a new
    one, so what held on a day can be told later.
    """

    class Kind(models.TextChoices):
        DEFAULT = "default", _("everything else")
        CATEGORY = "category", _("category")
        PRODUCT = "product", _("product")
        EXCLUSION = "exclusion", _("earns nothing")

    merchant = models.ForeignKey(
        Merchant, on_delete=models.CASCADE, related_name="offers"
    )
    external_id = models.CharField(_("id at the network"), max_length=255)
    kind = models.CharField(_("kind"), max_length=16, choices=Kind)
    label = models.CharField(_("what it is for"), max_length=400, blank=True)
    tag = models.CharField(_("tag"), max_length=100, blank=True)
    percent = models.CharField(_("percent"), max_length=32, blank=True)
    fixed = models.BigIntegerField(_("fixed amount"), null=True)
    currency = models.CharField(_("currency"), max_length=3, blank=True)
    rank = models.PositiveIntegerField(_("rank"), null=True)
    since = models.DateTimeField(_("since"))
    until = models.DateTimeField(_("until"), null=True)

    class Meta:
        verbose_name = _("offer")
        verbose_name_plural = _("offers")
        ordering = ["merchant", "rank", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["merchant", "external_id"],
                condition=Q(until=None),
                name="offer_holds_once",
            ),
            models.CheckConstraint(
                condition=(~Q(percent="") & Q(fixed=None))
                | (Q(percent="") & Q(fixed__isnull=False) & ~Q(currency="")),
                name="offer_is_percent_or_fixed",
            ),
        ]

    def __str__(self) -> str:
        return self.label or self.external_id


class CatalogueSync(models.Model):
    """One sync of the catalogue with a network, and what it changed."""

    network = models.CharField(_("network"), max_length=32)
    synced_at = models.DateTimeField(_("synced"))
    source = models.CharField(_("source"), max_length=32)
    stores = models.PositiveIntegerField(_("stores"), default=0)
    changes = models.JSONField(_("changes"), default=list)
    remarks = models.JSONField(_("remarks"), default=list)
    error = models.TextField(_("error"), blank=True)

    class Meta:
        verbose_name = _("catalogue sync")
        verbose_name_plural = _("catalogue syncs")
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"Sync {self.pk}"


class TrackingHost(models.Model):
    """A host of an affiliate network that links may lead to, whatever the store."""

    host = models.CharField(
        _("host"),
        max_length=253,
        unique=True,
        help_text=_("Links may lead to this host and to those below it."),
    )
    note = models.CharField(_("note"), max_length=200, blank=True)

    class Meta:
        verbose_name = _("tracking host")
        verbose_name_plural = _("tracking hosts")
        ordering = ["host"]

    def __str__(self) -> str:
        return self.host


class Click(models.Model):
    """One member leaving for one store; its reference comes back on the order.

    ``shown`` is what the store page promised at that moment: rates and terms.
    ``own_reference`` is what the host application wants to find it by.
    """

    reference = models.CharField(_("reference"), max_length=100, unique=True)
    customer_id = models.CharField(_("customer id"), max_length=255)
    merchant = models.ForeignKey(
        Merchant, on_delete=models.PROTECT, related_name="clicks"
    )
    clicked_at = models.DateTimeField(_("clicked"))
    destination = models.TextField(
        _("destination"), blank=True, default="", db_default=""
    )
    own_reference = models.CharField(
        _("host application's reference"),
        max_length=255,
        blank=True,
        default="",
        db_default="",
    )
    shown = models.JSONField(_("what was promised"), default=dict, db_default={})

    class Meta:
        verbose_name = _("click")
        verbose_name_plural = _("clicks")
        ordering = ["-clicked_at"]
        indexes = [
            models.Index(fields=["customer_id", "-clicked_at"]),
            models.Index(fields=["merchant", "clicked_at"], name="click_by_store"),
            models.Index(
                fields=["own_reference"],
                condition=~Q(own_reference=""),
                name="click_by_own_reference",
            ),
        ]

    def __str__(self) -> str:
        return self.reference
