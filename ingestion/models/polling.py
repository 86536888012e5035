"""How far the Transactions API has been read."""

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from rewards.models import Leased, NetworkAccount, Purchase


class Poll(Leased):
    """How one account is followed.

    ``mark`` is the greatest modification time of a window that was read to its end,
    as the network wrote it: our own clock never moves it.
    """

    account = models.OneToOneField(
        NetworkAccount, on_delete=models.PROTECT, related_name="poll"
    )
    enabled = models.BooleanField(_("polled"), default=True)
    busy_minutes = models.PositiveSmallIntegerField(
        _("minutes between polls when busy"),
        default=5,
        validators=[MinValueValidator(1)],
        help_text=_("Button advises 5 to 10."),
    )
    quiet_minutes = models.PositiveSmallIntegerField(
        _("minutes between polls when quiet"),
        default=30,
        validators=[MinValueValidator(1)],
        help_text=_("Button advises 30 to 60."),
    )
    busy_from = models.PositiveIntegerField(
        _("busy from"),
        default=1,
        help_text=_("Events of this account in the last hour that make it busy."),
    )
    mark = models.DateTimeField(_("read up to"), null=True, blank=True)
    since = models.DateTimeField(
        _("read from"),
        null=True,
        help_text=_("Where the earliest stretch began that was ever asked for."),
    )
    due_at = models.DateTimeField(_("next poll"), null=True, blank=True)
    read_at = models.DateTimeField(_("last read to the end"), null=True, blank=True)
    error = models.TextField(_("error"), blank=True)

    class Meta:
        verbose_name = _("poll")
        verbose_name_plural = _("polling")
        ordering = ["account"]

    def __str__(self) -> str:
        return str(self.account)


class Window(models.Model):
    """One stretch of an account's transactions, on its way to being read.

    ``start`` is included, ``end`` excluded; without ``end`` it reads to the newest.
    ``cursor`` is the page to go on with after an interruption. The id of a
    confirming window is the number by which what it read outranks the rest.
    """

    class Purpose(models.TextChoices):
        FOLLOW = "follow", _("follow")
        BACKFILL = "backfill", _("backfill")
        OPEN = "open", _("open orders")
        SWEEP = "sweep", _("sweep")
        CONFIRM = "confirm", _("confirm")
        TAKE_IN = "take_in", _("take in")

    class By(models.TextChoices):
        MODIFIED = "modified", _("modified")
        CREATED = "created", _("created")

    account = models.ForeignKey(
        NetworkAccount, on_delete=models.PROTECT, related_name="windows"
    )
    purpose = models.CharField(_("purpose"), max_length=16, choices=Purpose)
    by = models.CharField(_("by time"), max_length=16, choices=By, default=By.MODIFIED)
    start = models.DateTimeField(_("start"))
    end = models.DateTimeField(_("end"), null=True)
    cursor = models.TextField(_("next page"), blank=True)
    pages = models.PositiveIntegerField(_("pages"), default=0)
    rows = models.PositiveIntegerField(_("transactions"), default=0)
    news = models.PositiveIntegerField(_("unknown before"), default=0)
    newest = models.DateTimeField(_("newest modification seen"), null=True)
    read_at = models.DateTimeField(_("last page read"), null=True)
    retry_at = models.DateTimeField(_("to be tried again"), null=True)
    restarts = models.PositiveIntegerField(_("restarts"), default=0)
    note = models.TextField(_("remark"), blank=True)
    opened_at = models.DateTimeField(_("opened"))
    finished_at = models.DateTimeField(_("finished"), null=True)

    class Meta:
        verbose_name = _("polling window")
        verbose_name_plural = _("polling windows")
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(end=None) | Q(end__gt=F("start")),
                name="window_ends_after_it_starts",
            )
        ]
        indexes = [
            models.Index(
                fields=["account", "purpose"],
                condition=Q(finished_at=None),
                name="unfinished_window",
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_purpose_display()} {self.pk}"


class Doubt(models.Model):
    """A purchase about which only the network can say what holds.

    Two states of one second, or two final ones: a minute later the stretch from
    ``start`` to ``end`` is read again, and what it says outranks.
    """

    purchase = models.ForeignKey(
        Purchase, on_delete=models.PROTECT, related_name="doubts"
    )
    start = models.DateTimeField(_("start"))
    end = models.DateTimeField(_("end"))
    due_at = models.DateTimeField(_("due"))
    window = models.ForeignKey(
        Window, null=True, on_delete=models.PROTECT, related_name="doubts"
    )
    settled_at = models.DateTimeField(_("read"), null=True)

    class Meta:
        verbose_name = _("doubt")
        verbose_name_plural = _("doubts")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["purchase", "start", "end"],
                condition=Q(settled_at=None),
                name="doubt_once_at_a_time",
            )
        ]

    def __str__(self) -> str:
        return f"Doubt {self.pk}"
