"""What a program would have cost: backtests, and the approvals that rest on them."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from rewards.models.leases import Leased
from rewards.models.program import Edition


class Backtest(Leased):
    """A program tried on the real history, with its later declines.

    ``digest`` names the program, so that a result counts for a draft exactly as long
    as the draft still says the same. It is compared with ``baseline``; for a re-run
    with the awards that are current. Times are of attribution, UTC. ``burns`` says
    where budgets were used up, once a first round has found that; see
    ``backtests.budgets``. Whoever joins the parts' results holds the row.
    """

    digest = models.CharField(_("digest of the program"), max_length=64, db_index=True)
    content = models.JSONField(_("program"))
    baseline = models.ForeignKey(
        Edition, null=True, on_delete=models.PROTECT, related_name="+"
    )
    rerun = models.OneToOneField(
        "rewards.Rerun", null=True, on_delete=models.CASCADE, related_name="preview"
    )
    start = models.DateTimeField(_("from"), null=True)
    end = models.DateTimeField(_("until"), null=True)
    total = models.PositiveIntegerField(_("purchases"), default=0)
    burns = models.JSONField(_("budgets used up"), default=dict)
    result = models.JSONField(_("result"), null=True)
    error = models.TextField(_("error"), blank=True)
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    asked_at = models.DateTimeField(_("asked for"))
    finished_at = models.DateTimeField(_("finished"), null=True)
    cancelled_at = models.DateTimeField(_("cancelled"), null=True)

    class Meta:
        verbose_name = _("backtest")
        verbose_name_plural = _("backtests")
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"Backtest {self.pk}"


class BacktestPart(Leased):
    """The share of a backtest that one worker does at a time: some of the members.

    Those whose ids are from ``first_member`` on, up to ``last_member``.
    """

    backtest = models.ForeignKey(
        Backtest, on_delete=models.CASCADE, related_name="parts"
    )
    number = models.PositiveSmallIntegerField(_("number"))
    first_member = models.BigIntegerField(_("first member"))
    last_member = models.BigIntegerField(_("last member"))
    done = models.PositiveIntegerField(_("purchases done"), default=0)
    result = models.JSONField(_("result"), null=True)
    finished_at = models.DateTimeField(_("finished"), null=True)

    class Meta:
        verbose_name = _("part of a backtest")
        verbose_name_plural = _("parts of backtests")
        ordering = ["backtest", "number"]
        constraints = [
            models.UniqueConstraint(
                fields=["backtest", "number"], name="backtest_part_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.backtest}, part {self.number}"


class Approval(models.Model):
    """One person asked for the draft to be approved; another one did.

    It counts for the program of this digest alone: an edit asks anew.
    """

    digest = models.CharField(_("digest of the program"), max_length=64, db_index=True)
    note = models.TextField(_("note"), blank=True)
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    asked_at = models.DateTimeField(_("asked for"))
    approved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    approved_at = models.DateTimeField(_("approved"), null=True)

    class Meta:
        verbose_name = _("approval")
        verbose_name_plural = _("approvals")
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(approved_by=None) | ~Q(approved_by=F("asked_by")),
                name="approved_by_another",
            )
        ]

    def __str__(self) -> str:
        return f"Approval {self.pk}"
