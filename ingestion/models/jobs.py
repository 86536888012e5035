"""Periodic work, and when each piece of it is due."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from rewards.models import Leased


class Job(Leased):
    """A piece of periodic work. Two beats that fire at once find it done or held."""

    CLOSES = "daily closes"
    ASK_NOBODY = ("alarms", "stores", CLOSES, "pruning")
    """What Button isn't asked for, and so goes on without a key."""

    name = models.CharField(_("name"), max_length=64, primary_key=True)
    due_at = models.DateTimeField(_("due"), null=True)
    finished_at = models.DateTimeField(_("finished"), null=True)
    error = models.TextField(_("error"), blank=True)

    class Meta:
        verbose_name = _("job")
        verbose_name_plural = _("jobs")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name
