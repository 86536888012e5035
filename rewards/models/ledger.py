"""The ledger: accounts, transfers, and lots. Only rewards.ledger writes."""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from rewards.models.members import Member
from rewards.models.program import Unit


class Account(models.Model):
    """One member's pending, available, reserved or debt, or a program account.

    ``balance`` is a cache of the transfers, in the unit's smallest step: what came in
    less what went out, and for a debt the reverse, so that it is what the member owes.
    Program accounts have none: a stored balance there would be one row that every
    settlement in the world has to lock.
    """

    class Kind(models.TextChoices):
        PENDING = "pending", _("pending")
        AVAILABLE = "available", _("available")
        RESERVED = "reserved", _("reserved")
        DEBT = "debt", _("debt")
        ISSUED = "issued", _("issued")
        REDEEMED = "redeemed", _("redeemed")
        EXPIRED = "expired", _("expired")
        ADJUSTED = "adjusted", _("adjusted")
        WRITTEN_OFF = "written_off", _("written off")

    MEMBER_KINDS = (Kind.PENDING, Kind.AVAILABLE, Kind.RESERVED, Kind.DEBT)

    member = models.ForeignKey(
        Member, null=True, on_delete=models.PROTECT, related_name="accounts"
    )
    unit = models.ForeignKey(Unit, on_delete=models.PROTECT, related_name="accounts")
    kind = models.CharField(_("kind"), max_length=16, choices=Kind)
    balance = models.BigIntegerField(_("balance"), null=True)

    class Meta:
        verbose_name = _("account")
        verbose_name_plural = _("accounts")
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["member", "unit", "kind"], name="account_once_per_member"
            ),
            models.UniqueConstraint(
                fields=["unit", "kind"],
                condition=Q(member=None),
                name="account_once_per_program",
            ),
            models.CheckConstraint(
                condition=Q(member=None, balance=None)
                | Q(member__isnull=False, balance__gte=0),
                name="account_balance_never_negative",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} #{self.pk}"


class Transfer(models.Model):
    """One immutable row: a positive amount moves from one account to another.

    ``recorded_at`` is when we wrote it; ``effective_at`` when it happened in the world
    (a store may tell us days later). Never later than recorded. Both UTC.
    """

    class Source(models.TextChoices):
        PURCHASE = "purchase", _("purchase")
        ADJUSTMENT = "adjustment", _("adjustment")
        REDEMPTION = "redemption", _("redemption")
        EXPIRY = "expiry", _("expiry")
        FORGIVENESS = "forgiveness", _("debt forgiven")
        REVIVAL = "revival", _("expiry undone")
        ERASURE = "erasure", _("member erased")

    from_account = models.ForeignKey(
        Account, on_delete=models.PROTECT, related_name="transfers_out"
    )
    to_account = models.ForeignKey(
        Account, on_delete=models.PROTECT, related_name="transfers_in"
    )
    amount = models.BigIntegerField(
        _("amount"), help_text=_("In the unit's smallest step, always positive.")
    )
    settlement = models.ForeignKey(
        "rewards.Settlement",
        null=True,
        on_delete=models.PROTECT,
        related_name="transfers",
    )
    purchase = models.ForeignKey(
        "rewards.Purchase",
        null=True,
        on_delete=models.PROTECT,
        related_name="transfers",
    )
    redemption = models.ForeignKey(
        "rewards.Redemption",
        null=True,
        on_delete=models.PROTECT,
        related_name="transfers",
    )
    adjustment = models.ForeignKey(
        "rewards.Adjustment",
        null=True,
        on_delete=models.PROTECT,
        related_name="transfers",
    )
    source = models.CharField(_("source"), max_length=16, choices=Source)
    reference = models.CharField(_("reference"), max_length=64)
    effective_at = models.DateTimeField(_("happened"))
    recorded_at = models.DateTimeField(_("recorded"), db_index=True)

    class Meta:
        verbose_name = _("transfer")
        verbose_name_plural = _("transfers")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["source", "reference"], name="transfer_once_per_reference"
            ),
            models.CheckConstraint(
                condition=Q(amount__gt=0), name="transfer_amount_positive"
            ),
            models.CheckConstraint(
                condition=~Q(from_account=F("to_account")),
                name="transfer_between_two_accounts",
            ),
            models.CheckConstraint(
                condition=Q(effective_at__lte=F("recorded_at")),
                name="transfer_recorded_once_it_happened",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.source}:{self.reference}"


class Lot(models.Model):
    """What remains of one credit to ``available``, with its expiry.

    ``transfer`` is the credit; it may make several lots. The lot belongs to the
    purchase or adjustment that gave it, whose taking back uses it first. It was given
    ``days`` to live when it became available, by the setting of that time, and is
    usable until ``expires_at``; None is for ever. Only ``remaining`` and ``warned_at``
    ever change.
    """

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="lots")
    transfer = models.ForeignKey(
        Transfer, on_delete=models.PROTECT, related_name="lots"
    )
    purchase = models.ForeignKey(
        "rewards.Purchase", null=True, on_delete=models.PROTECT, related_name="lots"
    )
    adjustment = models.ForeignKey(
        "rewards.Adjustment", null=True, on_delete=models.PROTECT, related_name="lots"
    )
    amount = models.BigIntegerField(_("amount"))
    remaining = models.BigIntegerField(_("remaining"))
    days = models.PositiveIntegerField(_("days to live"), null=True)
    expires_at = models.DateTimeField(_("expires"), null=True)
    since = models.DateTimeField(_("available since"))
    warned_at = models.DateTimeField(_("warned of expiry"), null=True)

    class Meta:
        verbose_name = _("lot")
        verbose_name_plural = _("lots")
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(amount__gt=0)
                & Q(remaining__gte=0)
                & Q(remaining__lte=F("amount")),
                name="lot_remains_between_nothing_and_all",
            ),
        ]
        indexes = [
            models.Index(
                fields=["account"], condition=Q(remaining__gt=0), name="lot_open"
            ),
            models.Index(
                fields=["expires_at"],
                condition=Q(remaining__gt=0, expires_at__isnull=False),
                name="lot_expiring",
            ),
        ]

    def __str__(self) -> str:
        return f"Lot {self.pk}"


class Draw(models.Model):
    """How much of a lot one transfer moves: out of ``available``, on from
    ``reserved``, or back to the lot. Where it went is what the transfer says."""

    lot = models.ForeignKey(Lot, on_delete=models.PROTECT, related_name="draws")
    transfer = models.ForeignKey(
        Transfer, on_delete=models.PROTECT, related_name="draws"
    )
    amount = models.BigIntegerField(_("amount"))

    class Meta:
        verbose_name = _("draw")
        verbose_name_plural = _("draws")
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(amount__gt=0), name="draw_amount_positive"
            ),
            models.UniqueConstraint(
                fields=["transfer", "lot"], name="draw_once_per_transfer"
            ),
        ]

    def __str__(self) -> str:
        return f"Draw {self.pk}"
