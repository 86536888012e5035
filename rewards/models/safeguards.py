"""What stops things: a freeze where books don't add up, a tombstone for who left."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from rewards.models.members import Member
from rewards.models.purchases import Purchase


class Freeze(models.Model):
    """An invariant is violated: nothing more is posted for what it concerns.

    A member (nothing is spent, expires or is adjusted, their purchases wait in
    review), or a purchase alone. Staff lift it.
    """

    member = models.ForeignKey(
        Member, null=True, on_delete=models.PROTECT, related_name="freezes"
    )
    purchase = models.ForeignKey(
        Purchase, null=True, on_delete=models.PROTECT, related_name="freezes"
    )
    check_name = models.CharField(_("violated"), max_length=120)
    frozen_at = models.DateTimeField(_("frozen"))
    lifted_at = models.DateTimeField(_("lifted"), null=True)
    lifted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    why_lifted = models.TextField(_("why lifted"), blank=True)

    class Meta:
        verbose_name = _("freeze")
        verbose_name_plural = _("freezes")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["member", "check_name"],
                condition=Q(lifted_at=None, member__isnull=False),
                name="freeze_once_per_member",
            ),
            models.UniqueConstraint(
                fields=["purchase", "check_name"],
                condition=Q(lifted_at=None, purchase__isnull=False),
                name="freeze_once_per_purchase",
            ),
            models.CheckConstraint(
                condition=Q(member=None, purchase__isnull=False)
                | Q(member__isnull=False, purchase=None),
                name="freeze_of_a_member_or_a_purchase",
            ),
        ]

    def __str__(self) -> str:
        return f"Freeze {self.pk}"


class Tombstone(models.Model):
    """A member who was erased. ``digest`` (keyed) is of the customer id that was
    theirs: it keeps later events about them out. ``certificate`` says what went and
    what is kept, in counts."""

    member = models.OneToOneField(
        Member, on_delete=models.PROTECT, related_name="tombstone"
    )
    digest = models.BinaryField(_("digest"), max_length=32, db_index=True)
    erased_at = models.DateTimeField(_("erased"))
    erased_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    certificate = models.JSONField(_("certificate"), default=dict)

    class Meta:
        verbose_name = _("erasure")
        verbose_name_plural = _("erasures")
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"Erasure {self.pk}"
