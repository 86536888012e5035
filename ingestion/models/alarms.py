"""What staff and on-call engineers should know, and the counts behind it."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class Alarm(models.Model):
    """Something that needs a person. It ends by itself once its cause is gone;
    one that tells of a single happening ends when staff have seen it."""

    class Kind(models.TextChoices):
        NEW_ACCOUNT = "new_account", _("new account")
        CURRENCY_WITHOUT_RULE = "currency_without_rule", _("currency without a rule")
        FOREIGN_ORGANIZATION = "foreign_organization", _("foreign organization")
        FOREIGN_NEXT = "foreign_next", _("next page elsewhere")
        POLL_FAILING = "poll_failing", _("polling fails")
        JOB_FAILING = "job_failing", _("periodic work fails")
        STORE_SILENT = "store_silent", _("store silent")
        WEBHOOKS_FAILING = "webhooks_failing", _("webhooks fail")
        SIGNATURES_FAILING = "signatures_failing", _("signatures fail")
        OVERDUE = "overdue", _("orders overdue")
        DIFFERENCES = "differences", _("differences from the network")
        INBOX_STUCK = "inbox_stuck", _("events wait too long")
        BOOKS = "books", _("books do not add up")
        OUTBOX_STUCK = "outbox_stuck", _("messages wait too long")
        OUTBOX_FAILED = "outbox_failed", _("messages failed")

    kind = models.CharField(_("kind"), max_length=32, choices=Kind)
    subject = models.CharField(_("about"), max_length=255, blank=True)
    text = models.TextField(_("what is wrong"))
    raised_at = models.DateTimeField(_("raised"))
    seen_at = models.DateTimeField(_("last seen"))
    ended_at = models.DateTimeField(_("ended"), null=True)
    ended_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )

    class Meta:
        verbose_name = _("alarm")
        verbose_name_plural = _("alarms")
        ordering = ["-raised_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "subject"],
                condition=Q(ended_at=None),
                name="alarm_once_at_a_time",
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.subject}"


class Refusal(models.Model):
    """How many webhooks were answered with one status in one minute, 200 left out.

    ``genuine``: they called themselves Button's.
    """

    minute = models.DateTimeField(_("minute"))
    status = models.PositiveSmallIntegerField(_("status"))
    genuine = models.BooleanField(_("from Button by their own account"))
    count = models.PositiveIntegerField(_("count"))

    class Meta:
        verbose_name = _("refusal")
        verbose_name_plural = _("refusals")
        ordering = ["-minute"]
        constraints = [
            models.UniqueConstraint(
                fields=["minute", "status", "genuine"], name="refusal_counted_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.status} × {self.count}"
