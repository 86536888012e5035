"""The partner catalogue, and the clicks by which members leave for it."""

from typing import Any

from django.db import models
from django.db.models import Q
from django.utils.text import slugify
from django.utils.translation import gettext_lazy as _


class Merchant(models.Model):
    """A store whose orders a network reports.

    A merchant first met in an order has no name yet and is not listed; its orders
    earn by the rules all the same.
    """

    network = models.CharField(_("network"), max_length=32, default="button")
    external_id = models.CharField(
        _("id at the network"), max_length=255, help_text=_("For example org-…")
    )
    name = models.CharField(_("name"), max_length=200, blank=True)
    slug = models.SlugField(
        _("short name in addresses"),
        max_length=120,
        blank=True,
        help_text=_("Left empty, it is made from the name."),
    )
    homepage_url = models.URLField(_("home page"), max_length=500, blank=True)
    listed = models.BooleanField(
        _("listed"), default=False, help_text=_("Members see listed stores.")
    )
    created_at = models.DateTimeField(_("first seen"), auto_now_add=True)

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
        return self.name or self.external_id

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self.slug and self.name:
            self.slug = self._free_slug()
            if (fields := kwargs.get("update_fields")) is not None:
                kwargs["update_fields"] = {*fields, "slug"}
        super().save(*args, **kwargs)

    def _free_slug(self) -> str:
        """The name as a slug; where another store has it, with the id's tail."""
        slug = slugify(self.name)[:100] or slugify(self.external_id)[:100]
        if Merchant.objects.filter(slug=slug).exclude(pk=self.pk).exists():
            slug = f"{slug}-{slugify(self.external_id)[-12:]}"
        return slug


class Click(models.Model):
    """One member leaving for one store; its reference comes back on the order."""

    reference = models.CharField(_("reference"), max_length=100, unique=True)
    customer_id = models.CharField(_("customer id"), max_length=255)
    merchant = models.ForeignKey(
        Merchant, on_delete=models.PROTECT, related_name="clicks"
    )
    clicked_at = models.DateTimeField(_("clicked"))

    class Meta:
        verbose_name = _("click")
        verbose_name_plural = _("clicks")
        ordering = ["-clicked_at"]
        indexes = [models.Index(fields=["customer_id", "-clicked_at"])]

    def __str__(self) -> str:
        return self.reference
