"""Comparisons with the Transactions API, and what they found."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from rewards.models import Leased, NetworkAccount, Purchase


class Reconciliation(Leased):
    """One comparison of a stretch of creation dates with the network.

    ``sums`` has one entry per account, currency and status: count and commission in
    minor units, ours and theirs.
    """

    start = models.DateTimeField(_("start"))
    end = models.DateTimeField(_("end"))
    began_at = models.DateTimeField(_("began"))
    finished_at = models.DateTimeField(_("finished"), null=True)
    orders = models.PositiveIntegerField(_("orders compared"), default=0)
    sums = models.JSONField(_("sums"), default=list)
    error = models.TextField(_("error"), blank=True)
    retry_at = models.DateTimeField(_("to be tried again"), null=True)
    take_in_asked_at = models.DateTimeField(_("asked to take in"), null=True)
    taken_in_at = models.DateTimeField(_("taken in"), null=True)

    class Meta:
        verbose_name = _("reconciliation")
        verbose_name_plural = _("reconciliations")
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"Reconciliation {self.pk}"


class Difference(models.Model):
    """One order that we and the network know differently.

    ``ours`` and ``theirs`` hold the fields that differ, or nothing where one side
    does not know the order.
    """

    class Kind(models.TextChoices):
        MISSING_HERE = "missing_here", _("missing here")
        MISSING_THERE = "missing_there", _("missing at the network")
        DIFFERENT = "different", _("different")
        NOT_SETTLED = "not_settled", _("not settled here")

    reconciliation = models.ForeignKey(
        Reconciliation, on_delete=models.CASCADE, related_name="differences"
    )
    kind = models.CharField(_("kind"), max_length=16, choices=Kind)
    account = models.ForeignKey(
        NetworkAccount, on_delete=models.PROTECT, related_name="+"
    )
    order_key = models.CharField(_("order"), max_length=255)
    purchase = models.ForeignKey(
        Purchase, null=True, on_delete=models.PROTECT, related_name="+"
    )
    ours = models.JSONField(_("ours"), default=dict)
    theirs = models.JSONField(_("theirs"), default=dict)

    class Meta:
        verbose_name = _("difference")
        verbose_name_plural = _("differences")
        ordering = ["id"]

    def __str__(self) -> str:
        return self.order_key
