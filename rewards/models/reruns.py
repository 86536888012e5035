"""Re-runs: past purchases put under another edition, on purpose."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from merchants.models import Merchant
from rewards.models.leases import Leased
from rewards.models.program import Edition


class Rerun(Leased):
    """A batch of past purchases that staff put under another edition.

    Previewed, approved, applied by workers, and undone by one action that makes the
    earlier awards current again. ``start`` and ``end`` are attribution times, UTC.
    ``failed`` counts those that could not be settled and stay as they are; the log says
    why. ``last`` is the last purchase that was settled, so that a killed worker's
    successor goes on from there.
    """

    class State(models.TextChoices):
        DRAFT = "draft", _("not applied")
        APPLYING = "applying", _("being applied")
        APPLIED = "applied", _("applied")
        UNDOING = "undoing", _("being undone")
        UNDONE = "undone", _("undone")
        DROPPED = "dropped", _("dropped")

    edition = models.ForeignKey(Edition, on_delete=models.PROTECT, related_name="+")
    start = models.DateTimeField(_("from"))
    end = models.DateTimeField(_("until"))
    merchants = models.ManyToManyField(
        Merchant, verbose_name=_("merchants"), blank=True, related_name="+"
    )
    reason = models.TextField(_("reason"))
    state = models.CharField(
        _("state"), max_length=16, choices=State, default=State.DRAFT
    )
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    asked_at = models.DateTimeField(_("asked for"))
    approved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    approved_at = models.DateTimeField(_("approved"), null=True)
    total = models.PositiveIntegerField(_("purchases"), default=0)
    done = models.PositiveIntegerField(_("purchases done"), default=0)
    failed = models.PositiveIntegerField(_("purchases that failed"), default=0)
    last = models.BigIntegerField(_("last purchase"), default=0)

    class Meta:
        verbose_name = _("re-run")
        verbose_name_plural = _("re-runs")
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(approved_by=None) | ~Q(approved_by=F("asked_by")),
                name="rerun_approved_by_another",
            ),
            models.CheckConstraint(
                condition=Q(start__lt=F("end")), name="rerun_has_a_stretch"
            ),
        ]

    def __str__(self) -> str:
        return f"Re-run {self.pk}"
