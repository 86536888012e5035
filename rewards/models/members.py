"""Members: the host application's users, known by its customer id."""

from datetime import datetime

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

CUSTOMER_ID = r"^[!-.0-~]{1,255}\Z"  # printable ASCII without space or slash

valid_customer_id = RegexValidator(
    CUSTOMER_ID,
    _("A customer id has 1 to 255 printable ASCII characters, no space and no slash."),
)


class Member(models.Model):
    """One person who earns. The customer id is opaque: only the host app reads it."""

    class Status(models.TextChoices):
        ACTIVE = "active", _("active")
        HELD = "held", _("on hold")
        BLOCKED = "blocked", _("blocked")
        ERASED = "erased", _("erased")

    customer_id = models.CharField(
        _("customer id"), max_length=255, unique=True, validators=[valid_customer_id]
    )
    status = models.CharField(
        _("status"), max_length=16, choices=Status, default=Status.ACTIVE
    )
    held_until = models.DateTimeField(_("on hold until"), null=True, blank=True)
    why_restricted = models.TextField(
        _("why on hold or blocked"), blank=True, default="", db_default=""
    )
    email = models.EmailField(_("e-mail"), blank=True, db_index=True)
    locale = models.CharField(_("language"), max_length=16, blank=True)
    segments = models.JSONField(_("segments"), default=list, blank=True)
    joined_at = models.DateTimeField(_("joined"))
    secured_at = models.DateTimeField(
        _("sign-in changed"),
        null=True,
        blank=True,
        help_text=_("When the mail address or the sign-in changed last."),
    )
    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        verbose_name=_("sign-in"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="member",
    )

    class Meta:
        verbose_name = _("member")
        verbose_name_plural = _("members")
        ordering = ["-id"]
        permissions = [
            ("erase_member", _("Can erase member")),
            ("view_as_member", _("Can see the pages of a member")),
        ]

    def __str__(self) -> str:
        return self.customer_id

    def status_at(self, at: datetime) -> str:
        """The status, where a hold whose time is over is none."""
        over = self.held_until is not None and self.held_until <= at
        if self.status == self.Status.HELD and over:
            return self.Status.ACTIVE.value
        return self.status
