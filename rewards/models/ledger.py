"""The ledger: accounts, and the transfers between them. Only rewards.ledger writes."""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from rewards.models.members import Member
from rewards.models.program import Unit


class Account(models.Model):
    """One member's pending, available, reserved or debt, or a program account.

    ``balance`` is a cache of the transfers, in the unit's smallest step. Program
    accounts have none: a stored balance there would be one row that every
    settlement in the world has to lock.
    """

    class Kind(models.TextChoices):
        PENDING = "pending", _("pending")
        AVAILABLE = "available", _("available")
        RESERVED = "reserved", _("reserved")
        DEBT = "debt", _("debt")
        ISSUED = "issued", _("issued")

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
    """One immutable row: a positive amount moves from one account to another."""

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
    source = models.CharField(_("source"), max_length=16)
    reference = models.CharField(_("reference"), max_length=64)
    recorded_at = models.DateTimeField(_("recorded"))

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
        ]

    def __str__(self) -> str:
        return f"{self.source}:{self.reference}"
