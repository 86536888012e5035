"""The books of a day, closed: figures, who signed them off, and a seal."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from rewards.models.purchases import NetworkAccount


class Close(models.Model):
    """One day of the program's time zone, closed after its end (``until``, UTC).

    What was recorded before its end is in it, up to the newest transfer and settling
    that there were when it was drawn up; what comes later with an earlier clock is in
    the next. ``figures`` name a bucket for every minor unit of commission, by network
    account and currency; ``differences`` are from the network's own figures.
    ``digest`` seals both, every transfer of the day, and the digest of the day before.
    """

    day = models.DateField(_("day"), unique=True)
    until = models.DateTimeField(_("until"))
    drawn_up_at = models.DateTimeField(_("drawn up"))
    newest_transfer = models.BigIntegerField(_("newest transfer"))
    newest_settlement = models.BigIntegerField(_("newest settling"))
    transfers = models.PositiveIntegerField(_("transfers"))
    figures = models.JSONField(_("figures"))
    differences = models.JSONField(_("differences"), default=list)
    previous = models.CharField(_("seal of the day before"), max_length=64, blank=True)
    digest = models.CharField(_("seal"), max_length=64)
    signed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    signed_at = models.DateTimeField(_("signed off"), null=True)
    note = models.TextField(_("note"), blank=True)

    class Meta:
        verbose_name = _("daily close")
        verbose_name_plural = _("daily closes")
        ordering = ["-day"]
        permissions = [("sign_close", "Can sign off a daily close")]
        constraints = [
            models.CheckConstraint(
                condition=Q(signed_by=None, signed_at=None)
                | Q(signed_by__isnull=False, signed_at__isnull=False),
                name="close_signed_by_somebody",
            ),
        ]

    def __str__(self) -> str:
        return str(self.day)


class Remittance(models.Model):
    """Commission that the network has paid to us, in minor units of ``currency``."""

    account = models.ForeignKey(
        NetworkAccount, on_delete=models.PROTECT, related_name="remittances"
    )
    currency = models.CharField(_("currency"), max_length=3)
    amount = models.BigIntegerField(_("amount"))
    received_on = models.DateField(_("received"))
    reference = models.CharField(_("reference"), max_length=255)
    entered_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    entered_at = models.DateTimeField(_("entered"))

    class Meta:
        verbose_name = _("remittance")
        verbose_name_plural = _("remittances")
        ordering = ["-received_on", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["account", "reference"], name="remittance_once"
            ),
            models.CheckConstraint(
                condition=~Q(amount=0), name="remittance_of_something"
            ),
        ]

    def __str__(self) -> str:
        return self.reference
