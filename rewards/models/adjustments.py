"""What staff give and take by hand, one by one or by a file."""

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from rewards.models.leases import Leased
from rewards.models.members import Member
from rewards.models.program import Unit

WARN_DAYS = 14
ALONE = 2_000


class Terms(models.Model):
    """How balances in one unit are handled. Amounts are in its smallest step.

    A unit without a row has these defaults.
    """

    unit = models.OneToOneField(
        Unit, on_delete=models.PROTECT, related_name="terms", verbose_name=_("unit")
    )
    forgive_below = models.BigIntegerField(
        _("forgive debts up to"),
        default=0,
        validators=[MinValueValidator(0)],
        help_text=_("A debt this small is written off at once. 0 forgives none."),
    )
    alone_up_to = models.BigIntegerField(
        _("one person adjusts up to"),
        default=ALONE,
        validators=[MinValueValidator(0)],
        help_text=_(
            "What one person may give or take of a member within a day; above it, a"
            " second person approves."
        ),
    )
    warn_days = models.PositiveSmallIntegerField(
        _("warn of expiry"),
        default=WARN_DAYS,
        help_text=_("So many days ahead; 0 warns nobody."),
    )

    class Meta:
        verbose_name = _("terms of a unit")
        verbose_name_plural = _("terms of units")
        ordering = ["unit_id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(forgive_below__gte=0, alone_up_to__gte=0),
                name="terms_never_negative",
            )
        ]

    def __str__(self) -> str:
        return f"{self.unit}"

    @classmethod
    def of(cls, unit_id: int) -> "Terms":
        """The unit's own, or the defaults."""
        return cls.objects.filter(unit_id=unit_id).first() or cls(unit_id=unit_id)


class Reason(models.TextChoices):
    """Why staff change a balance."""

    GOODWILL = "goodwill", _("goodwill")
    CORRECTION = "correction", _("correction")
    COMPLAINT = "complaint", _("complaint")
    CAMPAIGN = "campaign", _("campaign")
    TRANSFERRED = "transferred", _("brought from another system")
    ABUSE = "abuse", _("abuse")
    OTHER = "other", _("other")


class Bulk(Leased):
    """A file of adjustments: checked, approved, applied once, undone by one action.

    ``digest`` is of what the file says, whatever it is called. ``sums`` are by unit,
    [how many, how much] of ``gains`` and of ``losses``; ``faults`` every bad line as
    [number, what is wrong], and a file with one has no adjustments. ``last`` is the
    last line worked, for a killed worker's successor.
    """

    class State(models.TextChoices):
        REFUSED = "refused", _("has bad lines")
        CHECKED = "checked", _("checked")
        APPLYING = "applying", _("being applied")
        APPLIED = "applied", _("applied")
        UNDOING = "undoing", _("being undone")
        UNDONE = "undone", _("undone")
        DROPPED = "dropped", _("dropped")

    name = models.CharField(_("file"), max_length=255)
    digest = models.CharField(_("checksum"), max_length=64)
    reason = models.CharField(_("reason"), max_length=16, choices=Reason)
    note = models.TextField(_("note for staff"))
    state = models.CharField(
        _("state"), max_length=16, choices=State, default=State.CHECKED
    )
    lines = models.PositiveIntegerField(_("lines"), default=0)
    sums = models.JSONField(_("sums"), default=dict)
    faults = models.JSONField(_("bad lines"), default=list)
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    asked_at = models.DateTimeField(_("asked for"))
    approved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    approved_at = models.DateTimeField(_("approved"), null=True)
    done = models.PositiveIntegerField(_("lines done"), default=0)
    failed = models.PositiveIntegerField(_("lines failed"), default=0)
    last = models.PositiveIntegerField(_("last line"), default=0)
    ended_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    ended_at = models.DateTimeField(_("dropped or undone"), null=True)
    why_ended = models.TextField(_("why"), blank=True)

    class Meta:
        verbose_name = _("bulk adjustment")
        verbose_name_plural = _("bulk adjustments")
        ordering = ["-id"]
        permissions = [("approve_bulk", _("Can approve and undo bulk adjustments"))]
        constraints = [
            models.UniqueConstraint(
                fields=["digest"],
                condition=~Q(state__in=("refused", "dropped")),
                name="bulk_once_per_content",
            ),
            models.CheckConstraint(
                condition=Q(approved_by=None) | ~Q(approved_by=F("asked_by")),
                name="bulk_approved_by_another",
            ),
            models.CheckConstraint(
                condition=Q(state__in=("refused", "checked", "dropped"))
                | Q(approved_by__isnull=False),
                name="bulk_applied_once_approved",
            ),
        ]

    def __str__(self) -> str:
        return f"Bulk {self.pk}"


class Adjustment(models.Model):
    """Points or money that staff give to a member or take away, and why.

    ``amount`` is signed, in the unit's smallest step. It moves nothing until posted.
    ``key`` makes a form that is sent twice one adjustment. ``failure`` is why a line of
    a bulk could not be posted, or not be taken back.
    """

    class State(models.TextChoices):
        WAITING = "waiting", _("waiting for approval")
        POSTED = "posted", _("posted")
        UNDONE = "undone", _("undone")
        DROPPED = "dropped", _("dropped")
        FAILED = "failed", _("failed")

    member = models.ForeignKey(
        Member, on_delete=models.PROTECT, related_name="adjustments"
    )
    unit = models.ForeignKey(Unit, on_delete=models.PROTECT, related_name="+")
    amount = models.BigIntegerField(_("amount"))
    reason = models.CharField(_("reason"), max_length=16, choices=Reason)
    note = models.TextField(_("note for staff"), blank=True)
    member_note = models.TextField(_("note for the member"), blank=True)
    expires_after_days = models.PositiveIntegerField(
        _("expires after days"), null=True, blank=True
    )
    state = models.CharField(
        _("state"), max_length=16, choices=State, default=State.WAITING
    )
    needs_approval = models.BooleanField(_("needs approval"), default=True)
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    asked_at = models.DateTimeField(_("asked for"))
    approved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    approved_at = models.DateTimeField(_("approved"), null=True)
    posted_at = models.DateTimeField(_("posted"), null=True)
    bulk = models.ForeignKey(
        Bulk, null=True, on_delete=models.PROTECT, related_name="adjustments"
    )
    line = models.PositiveIntegerField(_("line"), null=True)
    failure = models.TextField(_("why it failed"), blank=True)
    ended_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    ended_at = models.DateTimeField(_("dropped or undone"), null=True)
    why_ended = models.TextField(_("why"), blank=True)
    key = models.UUIDField(unique=True, null=True)

    class Meta:
        verbose_name = _("adjustment")
        verbose_name_plural = _("adjustments")
        ordering = ["-id"]
        permissions = [
            ("approve_adjustment", _("Can approve adjustments of others")),
        ]
        constraints = [
            models.CheckConstraint(
                condition=~Q(amount=0), name="adjustment_of_something"
            ),
            models.CheckConstraint(
                condition=Q(approved_by=None) | ~Q(approved_by=F("asked_by")),
                name="adjustment_approved_by_another",
            ),
            models.CheckConstraint(
                condition=Q(state__in=("waiting", "dropped", "failed"))
                | Q(needs_approval=False)
                | Q(approved_by__isnull=False),
                name="adjustment_posted_once_approved",
            ),
            models.UniqueConstraint(
                fields=["bulk", "line"], name="adjustment_once_per_line"
            ),
        ]
        indexes = [
            models.Index(
                fields=["id"],
                condition=Q(state="waiting", bulk=None),
                name="adjustment_waiting",
            ),
        ]

    def __str__(self) -> str:
        return f"Adjustment {self.pk}"
