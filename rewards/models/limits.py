"""What has been used of limits that all members share."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from rewards.models.program import Unit


class Budget(models.Model):
    """How much one rule grants at present over all purchases, across its editions.

    In the unit's smallest step. Kept from the first edition on in which the rule has
    a budget; per-member limits are counted from the awards themselves.
    """

    rule = models.CharField(_("rule"), max_length=64)
    unit = models.ForeignKey(Unit, on_delete=models.PROTECT)
    used = models.BigIntegerField(_("used"), default=0)

    class Meta:
        verbose_name = _("budget")
        verbose_name_plural = _("budgets")
        ordering = ["rule"]
        constraints = [
            models.UniqueConstraint(fields=["rule", "unit"], name="budget_once"),
            models.CheckConstraint(
                condition=Q(used__gte=0), name="budget_never_negative"
            ),
        ]

    def __str__(self) -> str:
        return self.rule
