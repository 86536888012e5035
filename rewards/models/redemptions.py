"""What members spend their balance on, and how far each redemption has come."""

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from rewards.models.members import Member
from rewards.models.outbox import Endpoint
from rewards.models.program import Unit


class Reward(models.Model):
    """Something to redeem for, in one unit. Amounts are in its smallest step.

    What one redemption may cost: from ``minimum`` to ``maximum`` in steps of
    ``step``; None is without limit. A gift code has one price, so both are alike.
    """

    class Kind(models.TextChoices):
        MANUAL = "manual", _("staff or the host application hand it over")
        GIFT_CODE = "gift_code", _("a code from the pool")
        PAYOUT = "payout", _("paid out to the member")
        CALL = "call", _("a call to the host application")

    class Period(models.TextChoices):
        DAY = "day", _("a day")
        WEEK = "week", _("a week")
        MONTH = "month", _("a month")
        YEAR = "year", _("a year")
        EVER = "ever", _("ever")

    key = models.SlugField(_("key"), max_length=64, unique=True)
    name = models.CharField(_("name"), max_length=120)
    description = models.TextField(_("description"), blank=True)
    terms = models.TextField(_("terms"), blank=True)
    kind = models.CharField(_("kind"), max_length=16, choices=Kind)
    unit = models.ForeignKey(
        Unit, on_delete=models.PROTECT, related_name="rewards", verbose_name=_("unit")
    )
    minimum = models.BigIntegerField(_("at least"), validators=[MinValueValidator(1)])
    maximum = models.BigIntegerField(_("at most"), null=True, blank=True)
    step = models.BigIntegerField(
        _("in steps of"), default=1, validators=[MinValueValidator(1)]
    )
    stock = models.PositiveIntegerField(
        _("stock"),
        null=True,
        blank=True,
        help_text=_("How many are left; empty is without end. Codes are counted."),
    )
    per_member = models.PositiveIntegerField(
        _("times per member"), null=True, blank=True
    )
    per_member_period = models.CharField(
        _("within"), max_length=8, choices=Period, default=Period.EVER
    )
    approve_above = models.BigIntegerField(
        _("staff approve above"),
        null=True,
        blank=True,
        help_text=_("A redemption above this waits for staff; empty is never."),
    )
    endpoint = models.ForeignKey(
        Endpoint,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        verbose_name=_("called at"),
    )
    position = models.PositiveIntegerField(_("position"), default=0)
    active = models.BooleanField(_("offered"), default=True)

    class Meta:
        verbose_name = _("reward")
        verbose_name_plural = _("rewards")
        ordering = ["position", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(minimum__gte=1)
                & Q(step__gte=1)
                & (Q(maximum=None) | Q(maximum__gte=F("minimum"))),
                name="reward_costs_something",
            ),
            models.CheckConstraint(
                condition=~Q(kind="gift_code") | Q(maximum=F("minimum")),
                name="reward_code_has_one_price",
            ),
            models.CheckConstraint(
                condition=~Q(kind="call") | Q(endpoint__isnull=False),
                name="reward_call_goes_somewhere",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class PayoutDetails(models.Model):
    """Where a member wants to be paid. Sealed; ``hint`` is all that staff see."""

    member = models.OneToOneField(
        Member, on_delete=models.CASCADE, related_name="payout_details"
    )
    method = models.CharField(_("method"), max_length=32)
    sealed = models.BinaryField(_("details"))
    hint = models.CharField(_("hint"), max_length=32)
    changed_at = models.DateTimeField(_("changed"))

    class Meta:
        verbose_name = _("payout details")
        verbose_name_plural = _("payout details")

    def __str__(self) -> str:
        return f"{self.method} {self.hint}"


class Redemption(models.Model):
    """Part of a member's balance on its way to being spent.

    Reserved, then fulfilled or cancelled; in review while a person has to look. The
    idempotency ``key`` and what was asked with it are kept for ever. ``payout`` is
    where to pay, sealed, as it was when asked for. ``counted``: it took one of the
    reward's stock, which cancelling gives back.
    """

    class Status(models.TextChoices):
        RESERVED = "reserved", _("on its way")
        FULFILLED = "fulfilled", _("done")
        CANCELLED = "cancelled", _("cancelled")
        REVIEW = "review", _("in review")

    OPEN = (Status.RESERVED, Status.REVIEW)

    public_id = models.CharField(_("number"), max_length=32, unique=True)
    member = models.ForeignKey(
        Member, on_delete=models.PROTECT, related_name="redemptions"
    )
    reward = models.ForeignKey(
        Reward, on_delete=models.PROTECT, related_name="redemptions"
    )
    amount = models.BigIntegerField(_("amount"))
    counted = models.BooleanField(_("of the stock"), default=False, db_default=False)
    status = models.CharField(_("status"), max_length=16, choices=Status)
    why = models.CharField(_("why in review or cancelled"), max_length=255, blank=True)
    key = models.CharField(_("idempotency key"), max_length=255)
    request_digest = models.BinaryField(_("digest of the request"), max_length=32)
    asked_at = models.DateTimeField(_("asked for"))
    needs_approval = models.BooleanField(_("needs approval"), default=False)
    approved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    approved_at = models.DateTimeField(_("approved"), null=True)
    ended_at = models.DateTimeField(_("ended"), null=True)
    reference = models.CharField(
        _("reference"),
        max_length=255,
        blank=True,
        help_text=_("What whoever handed it over calls it."),
    )
    payout = models.BinaryField(_("where to pay"), null=True)
    payout_hint = models.CharField(_("paid to"), max_length=64, blank=True)
    exported_at = models.DateTimeField(_("in a payout file"), null=True)
    revealed_at = models.DateTimeField(_("code shown"), null=True)

    class Meta:
        verbose_name = _("redemption")
        verbose_name_plural = _("redemptions")
        ordering = ["-id"]
        permissions = [("export_payouts", _("Can export payouts with their details"))]
        constraints = [
            models.UniqueConstraint(
                fields=["member", "key"], name="redemption_once_per_key"
            ),
            models.CheckConstraint(
                condition=Q(amount__gt=0), name="redemption_amount_positive"
            ),
            models.CheckConstraint(
                condition=Q(status__in=("reserved", "review"), ended_at=None)
                | Q(status__in=("fulfilled", "cancelled"), ended_at__isnull=False),
                name="redemption_ended_or_open",
            ),
            models.CheckConstraint(
                condition=~Q(status__in=("reserved", "fulfilled"))
                | Q(needs_approval=False)
                | Q(approved_by__isnull=False),
                name="redemption_goes_on_once_approved",
            ),
        ]
        indexes = [
            models.Index(
                fields=["id"],
                condition=Q(status__in=("reserved", "review")),
                name="redemption_open",
            ),
            models.Index(
                fields=["member", "reward", "asked_at"], name="redemption_by_member"
            ),
        ]

    def __str__(self) -> str:
        return self.public_id


class RedemptionStep(models.Model):
    """One step of a redemption: append-only, its history for members and staff."""

    redemption = models.ForeignKey(
        Redemption, on_delete=models.PROTECT, related_name="steps"
    )
    status = models.CharField(_("status"), max_length=16, choices=Redemption.Status)
    reason = models.TextField(_("reason"), blank=True)
    taken_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    taken_at = models.DateTimeField(_("when"))

    class Meta:
        verbose_name = _("step of a redemption")
        verbose_name_plural = _("steps of redemptions")
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.redemption_id} {self.status}"


class GiftCode(models.Model):
    """One code of a reward's pool, sealed. ``digest`` (keyed) keeps a code from being
    added twice; ``hint`` is its end, which is all that staff see."""

    reward = models.ForeignKey(Reward, on_delete=models.PROTECT, related_name="codes")
    sealed = models.BinaryField(_("code"))
    digest = models.BinaryField(_("digest"), max_length=32)
    hint = models.CharField(_("ends with"), max_length=8)
    redemption = models.OneToOneField(
        Redemption, null=True, on_delete=models.PROTECT, related_name="code"
    )
    usable_until = models.DateField(_("usable until"), null=True, blank=True)
    added_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    added_at = models.DateTimeField(_("added"))

    class Meta:
        verbose_name = _("gift code")
        verbose_name_plural = _("gift codes")
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["reward", "digest"], name="gift_code_once")
        ]
        indexes = [
            models.Index(
                fields=["reward", "id"],
                condition=Q(redemption=None),
                name="gift_code_free",
            )
        ]

    def __str__(self) -> str:
        return f"…{self.hint}"
