"""The program: the draft that staff edit, and the editions frozen from it."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class Unit(models.Model):
    """What is counted: points, or a currency, as integers of its smallest step."""

    class Rounding(models.TextChoices):
        FLOOR = "floor", _("down")
        CEIL = "ceil", _("up")
        HALF_UP = "half_up", _("half up")
        HALF_EVEN = "half_even", _("half to even")

    code = models.CharField(
        _("code"),
        max_length=32,
        unique=True,
        help_text=_("points, or the ISO code of a currency such as USD"),
    )
    name = models.CharField(_("name of one"), max_length=80)
    name_plural = models.CharField(_("name of several"), max_length=80)
    decimals = models.PositiveSmallIntegerField(_("decimals"), default=0)
    rounding = models.CharField(
        _("rounding"), max_length=16, choices=Rounding, default=Rounding.FLOOR
    )
    value = models.JSONField(
        _("worth"),
        null=True,
        blank=True,
        help_text=_(
            'What one is worth in money: {"amount": "0.01", "currency": "USD"}'
        ),
    )
    in_draft = models.BooleanField(_("in the draft"), default=True)

    class Meta:
        verbose_name = _("unit")
        verbose_name_plural = _("units")
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(decimals__lte=6), name="unit_decimals_at_most_six"
            )
        ]

    def __str__(self) -> str:
        return self.code


class Program(models.Model):
    """The one draft's own settings. There is a single row."""

    time_zone = models.CharField(_("time zone"), max_length=64, default="UTC")

    class Meta:
        verbose_name = _("program")
        verbose_name_plural = _("program")
        constraints = [
            models.CheckConstraint(condition=Q(id=1), name="program_is_single")
        ]

    def __str__(self) -> str:
        return "Program"

    @classmethod
    def load(cls) -> "Program":
        return cls.objects.get_or_create(pk=1)[0]


class Rule(models.Model):
    """One rule of the draft. The JSON parts have the program file's own shape."""

    class Group(models.TextChoices):
        OVERRIDE = "override", _("override: the first match stands alone")
        BASE = "base", _("base: the first match wins")
        BONUS = "bonus", _("bonus: every match adds")

    key = models.SlugField(
        _("key"),
        max_length=64,
        unique=True,
        help_text=_("Stable name across editions; limits belong to it."),
    )
    position = models.PositiveIntegerField(_("position"), default=0)
    label = models.JSONField(_("label"), help_text=_("Text, or a text per language."))
    group = models.CharField(
        _("group"), max_length=16, choices=Group, default=Group.BASE
    )
    unit = models.ForeignKey(Unit, on_delete=models.PROTECT, related_name="rules")
    when = models.JSONField(_("conditions"), default=dict, blank=True)
    items = models.JSONField(_("line items"), default=dict, blank=True)
    reward = models.JSONField(_("reward"))
    limits = models.JSONField(_("limits"), default=dict, blank=True)
    expires_after_days = models.PositiveIntegerField(
        _("expires after days"), null=True, blank=True
    )
    hold_days = models.PositiveIntegerField(_("held for days"), null=True, blank=True)

    class Meta:
        verbose_name = _("rule")
        verbose_name_plural = _("rules")
        ordering = ["position", "id"]

    def __str__(self) -> str:
        return self.key


class EditionQuerySet(models.QuerySet["Edition"]):
    def standing(self) -> "EditionQuerySet":
        """The editions that count: published, and not withdrawn since."""
        return self.filter(withdrawn_at=None)


class Edition(models.Model):
    """An immutable, numbered snapshot of the whole program.

    It holds for orders attributed from ``effective_from`` on (the first edition with
    None: from the beginning of time), until the next edition's.
    """

    number = models.PositiveIntegerField(_("number"), unique=True)
    effective_from = models.DateTimeField(_("takes effect"), null=True)
    published_at = models.DateTimeField(_("published"))
    published_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    note = models.TextField(_("note"), blank=True)
    content = models.JSONField(_("content"))
    backtest = models.ForeignKey(
        "rewards.Backtest", null=True, on_delete=models.PROTECT, related_name="+"
    )
    approval = models.ForeignKey(
        "rewards.Approval", null=True, on_delete=models.PROTECT, related_name="+"
    )
    withdrawn_at = models.DateTimeField(_("withdrawn"), null=True)

    objects = EditionQuerySet.as_manager()

    class Meta:
        verbose_name = _("edition")
        verbose_name_plural = _("editions")
        ordering = ["-number"]

    def __str__(self) -> str:
        return f"Edition {self.number}"

    @property
    def retires(self) -> bool:
        """Whether it ends the program: under it nothing is earned."""
        return not self.content["rules"]
