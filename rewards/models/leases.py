"""Rows that one process at a time may work on."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Leased(models.Model):
    """A row that one process at a time may work on, by the database's clock."""

    held_by = models.CharField(_("held by"), max_length=32, blank=True)
    held_until = models.DateTimeField(_("held until"), null=True, blank=True)

    class Meta:
        abstract = True
