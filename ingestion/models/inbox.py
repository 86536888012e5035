"""The inbox: every authentic delivery, stored as received before it is understood."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from rewards.models import Purchase, Report


class InboundEvent(models.Model):
    """One delivery or polled row. It waits until it has an outcome.

    ``digest`` names the content: the same content again is a Sighting of this event.
    The sender's own ids are kept as evidence, and nothing relies on them.
    """

    class Outcome(models.TextChoices):
        SETTLED = "settled", _("settled")
        UNCHANGED = "unchanged", _("unchanged")
        IGNORED = "ignored", _("ignored")
        REVIEW = "review", _("in review")
        QUARANTINED = "quarantined", _("quarantined")

    network = models.CharField(_("network"), max_length=32)
    source = models.CharField(_("source"), max_length=16, choices=Report.Source)
    digest = models.BinaryField(_("digest"), max_length=32)
    event_type = models.CharField(_("type"), max_length=64, blank=True)
    delivery_id = models.CharField(_("sender's event id"), max_length=255, blank=True)
    attempt_id = models.CharField(_("sender's attempt id"), max_length=255, blank=True)
    body = models.BinaryField(_("body"))
    received_at = models.DateTimeField(_("received"))
    account = models.CharField(
        _("account"),
        max_length=255,
        blank=True,
        default="",
        db_default="",
        help_text=_("Whose list a polled row stood in."),
    )
    confirmed = models.BigIntegerField(
        _("confirming read"),
        default=0,
        db_default=0,
        help_text=_("Number of the read that was asked for to settle a doubt."),
    )
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    claimed_by = models.CharField(_("claimed by"), max_length=32, blank=True)
    claimed_until = models.DateTimeField(_("claimed until"), null=True)
    outcome = models.CharField(_("outcome"), max_length=16, choices=Outcome, blank=True)
    reason = models.TextField(_("reason"), blank=True)
    handled_at = models.DateTimeField(_("handled"), null=True)
    purchase = models.ForeignKey(
        Purchase, null=True, on_delete=models.PROTECT, related_name="events"
    )

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("events")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["digest", "network"], name="event_once_per_content"
            ),
            models.CheckConstraint(
                condition=Q(outcome="", handled_at=None)
                | (~Q(outcome="") & Q(handled_at__isnull=False)),
                name="event_handled_with_an_outcome",
            ),
        ]
        indexes = [
            models.Index(fields=["id"], condition=Q(outcome=""), name="inbox"),
            models.Index(
                fields=["id"],
                condition=Q(outcome="quarantined"),
                name="quarantine",
            ),
            models.Index(fields=["received_at"], name="event_by_arrival"),
        ]

    def __str__(self) -> str:
        return f"Event {self.pk}"


class Sighting(models.Model):
    """The same content, delivered once more."""

    event = models.ForeignKey(
        InboundEvent, on_delete=models.CASCADE, related_name="sightings"
    )
    source = models.CharField(_("source"), max_length=16, choices=Report.Source)
    attempt_id = models.CharField(_("sender's attempt id"), max_length=255, blank=True)
    seen_at = models.DateTimeField(_("seen"))

    class Meta:
        verbose_name = _("sighting")
        verbose_name_plural = _("sightings")
        ordering = ["-id"]
        indexes = [models.Index(fields=["seen_at"], name="sighting_by_time")]

    def __str__(self) -> str:
        return f"Sighting {self.pk}"
