"""Purchases, the reports that shaped them, and what staff decided about them."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from merchants.models import Click, Merchant
from rewards.models.members import Member


class NetworkAccount(models.Model):
    """An account of ours at a network; orders are reported in one of them.

    ``rewarding`` is what staff decided: None until they have.
    """

    network = models.CharField(_("network"), max_length=32)
    external_id = models.CharField(_("id at the network"), max_length=255, blank=True)
    name = models.CharField(
        _("name"), max_length=255, blank=True, default="", db_default=""
    )
    currency = models.CharField(
        _("currency"), max_length=3, blank=True, default="", db_default=""
    )
    rewarding = models.BooleanField(_("rewards members"), null=True)
    first_seen_at = models.DateTimeField(_("first seen"))

    class Meta:
        verbose_name = _("network account")
        verbose_name_plural = _("network accounts")
        ordering = ["network", "external_id"]
        constraints = [
            models.UniqueConstraint(
                fields=["network", "external_id"], name="network_account_once"
            )
        ]

    def __str__(self) -> str:
        return self.external_id or f"{self.network} (no account id)"


class Purchase(models.Model):
    """The newest known state of one order in one network account.

    Amounts are minor units of their own currency. ``settlement`` is the evaluation
    whose awards are current.
    """

    class Status(models.TextChoices):
        PENDING = "pending", _("pending")
        VALIDATED = "validated", _("validated")
        DECLINED = "declined", _("declined")

    account = models.ForeignKey(NetworkAccount, on_delete=models.PROTECT)
    order_key = models.CharField(_("order"), max_length=255)
    status = models.CharField(_("status"), max_length=16, choices=Status)
    category = models.CharField(_("category"), max_length=32)
    merchant = models.ForeignKey(
        Merchant, null=True, on_delete=models.PROTECT, related_name="purchases"
    )
    member = models.ForeignKey(
        Member, null=True, on_delete=models.PROTECT, related_name="purchases"
    )
    customer_id = models.CharField(_("customer id"), max_length=512, blank=True)
    click = models.ForeignKey(
        Click, null=True, on_delete=models.PROTECT, related_name="purchases"
    )
    order_number = models.CharField(_("store's order number"), max_length=255)
    order_total = models.BigIntegerField(_("order total"))
    order_currency = models.CharField(_("order currency"), max_length=3)
    commission = models.BigIntegerField(_("commission"))
    currency = models.CharField(_("commission currency"), max_length=3)
    attributed_at = models.DateTimeField(_("ordered"))
    created_at = models.DateTimeField(_("created at the network"), null=True)
    modified_at = models.DateTimeField(_("changed at the network"))
    validated_at = models.DateTimeField(_("validated"), null=True)
    report = models.ForeignKey(
        "rewards.Report", null=True, on_delete=models.PROTECT, related_name="+"
    )
    settlement = models.ForeignKey(
        "rewards.Settlement", null=True, on_delete=models.PROTECT, related_name="+"
    )
    review = models.CharField(
        _("review"),
        max_length=400,
        blank=True,
        help_text=_("Why staff must look. While it stands, nothing moves."),
    )
    flags = models.JSONField(_("remarks"), default=list)
    twin = models.BooleanField(
        _("second"),
        default=False,
        help_text=_("Another network account had the same order before."),
    )
    pinned = models.ForeignKey(
        "rewards.Edition",
        verbose_name=_("pinned edition"),
        null=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text=_("The edition that a re-run chose, whatever holds for its time."),
    )
    due_at = models.DateTimeField(
        _("due"),
        null=True,
        help_text=_("When time alone will change what this is worth."),
    )
    first_seen_at = models.DateTimeField(_("first seen"))

    class Meta:
        verbose_name = _("purchase")
        verbose_name_plural = _("purchases")
        ordering = ["-id"]
        constraints = [
            # The order first: one look-up finds the same order in other accounts too.
            models.UniqueConstraint(
                fields=["order_key", "account"], name="purchase_once_per_account"
            ),
            # Two workers that meet one order in two accounts can't both be the first.
            models.UniqueConstraint(
                fields=["order_key"],
                condition=Q(twin=False),
                name="purchase_first_of_its_order",
            ),
        ]
        indexes = [
            models.Index(fields=["member", "-attributed_at", "-id"], name="by_member"),
            models.Index(
                fields=["customer_id"],
                condition=Q(member=None) & ~Q(customer_id=""),
                name="waiting_for_member",
            ),
            models.Index(
                fields=["order_number"],
                condition=~Q(order_number=""),
                name="by_order_number",
            ),
            models.Index(
                fields=["due_at"], condition=Q(due_at__isnull=False), name="due"
            ),
            models.Index(
                fields=["id"], condition=~Q(review=""), name="waiting_for_review"
            ),
            models.Index(fields=["account", "created_at"], name="by_creation"),
            models.Index(fields=["attributed_at"], name="by_order_time"),
            models.Index(
                fields=["merchant", "attributed_at"],
                condition=Q(status="pending"),
                name="open_by_merchant",
            ),
        ]

    def __str__(self) -> str:
        return self.order_key


class Settlement(models.Model):
    """One settling of one purchase. Its id is the settling number.

    With ``report`` it holds an evaluation: that state, under that edition, for that
    member, granted the awards attached. Without, nothing was worth evaluating
    (an older report, a review).

    ``facts`` are what the evaluation used and the report does not say: see
    ``program.facts.About``, and under ``limits`` how far limits were used up.
    ``pinned`` says that a re-run chose the edition. ``status``, ``commission`` (minor
    units of ``currency``) and ``in_review`` are of the purchase as it stood after it.
    """

    purchase = models.ForeignKey(
        Purchase, on_delete=models.PROTECT, related_name="settlements"
    )
    report = models.ForeignKey(
        "rewards.Report", null=True, on_delete=models.PROTECT, related_name="+"
    )
    edition = models.ForeignKey(
        "rewards.Edition", null=True, on_delete=models.PROTECT, related_name="+"
    )
    member = models.ForeignKey(
        Member, null=True, on_delete=models.PROTECT, related_name="+"
    )
    decision = models.ForeignKey(
        "rewards.Decision",
        null=True,
        on_delete=models.PROTECT,
        related_name="settlements",
    )
    facts = models.JSONField(_("facts"), default=dict, db_default={})
    pinned = models.BooleanField(_("pinned"), default=False, db_default=False)
    status = models.CharField(
        _("status"), max_length=16, choices=Purchase.Status, db_default=""
    )
    commission = models.BigIntegerField(_("commission"), default=0, db_default=0)
    currency = models.CharField(_("currency"), max_length=3, blank=True, db_default="")
    in_review = models.BooleanField(_("in review"), default=False, db_default=False)
    settled_at = models.DateTimeField(_("settled"))

    class Meta:
        verbose_name = _("settlement")
        verbose_name_plural = _("settlements")
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"Settlement {self.pk}"


class Award(models.Model):
    """What one rule grants in one settlement, in the unit's smallest step.

    Of a validated purchase it stays pending until ``held_until``; once available, it
    expires after so many days.
    """

    settlement = models.ForeignKey(
        Settlement, on_delete=models.PROTECT, related_name="awards"
    )
    rule = models.CharField(_("rule"), max_length=64)
    unit = models.ForeignKey("rewards.Unit", on_delete=models.PROTECT)
    wanted = models.BigIntegerField(_("wanted"))
    granted = models.BigIntegerField(_("granted"))
    why = models.CharField(_("why"), max_length=255)
    held_until = models.DateTimeField(_("held until"), null=True)
    expires_after_days = models.PositiveIntegerField(_("expires after days"), null=True)

    class Meta:
        verbose_name = _("award")
        verbose_name_plural = _("awards")
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(granted__gte=0, wanted__gte=0),
                name="award_never_negative",
            )
        ]

    def __str__(self) -> str:
        return f"{self.rule}: {self.granted}"


class Report(models.Model):
    """One distinct report of a purchase, as we understood it.

    ``content`` is the PurchaseReport without customer id and modification time, which
    have columns of their own: the first so that erasure can reach it.
    """

    class Source(models.TextChoices):
        WEBHOOK = "webhook", _("webhook")
        POLL = "poll", _("poll")
        STAFF = "staff", _("staff")

    purchase = models.ForeignKey(
        Purchase, on_delete=models.PROTECT, related_name="reports"
    )
    settlement = models.ForeignKey(
        Settlement, on_delete=models.PROTECT, related_name="reports"
    )
    transaction_id = models.CharField(_("transaction"), max_length=255, db_index=True)
    status = models.CharField(_("status"), max_length=16, choices=Purchase.Status)
    order_total = models.BigIntegerField(_("order total"))
    commission = models.BigIntegerField(_("commission"))
    customer_id = models.CharField(_("customer id"), max_length=512, blank=True)
    modified_at = models.DateTimeField(_("changed at the network"))
    confirmed = models.BigIntegerField(
        _("confirming read"),
        default=0,
        db_default=0,
        help_text=_("Number of the read that was asked for to settle a doubt."),
    )
    content = models.JSONField(_("content"))
    digest = models.BinaryField(_("digest"), max_length=24)
    source = models.CharField(_("source"), max_length=16, choices=Source)
    received_at = models.DateTimeField(_("received"))

    class Meta:
        verbose_name = _("report")
        verbose_name_plural = _("reports")
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["purchase", "digest"], name="report_once_per_purchase"
            )
        ]
        # So that erasure finds every report of a customer, whosever the order is.
        indexes = [models.Index(fields=["customer_id"], name="report_by_customer")]

    def __str__(self) -> str:
        return f"{self.transaction_id} {self.status}"


class Decision(models.Model):
    """An append-only row by which staff change what purchases are worth."""

    class Kind(models.TextChoices):
        ASSIGN = "assign", _("assigned to a member")
        RESOLVE = "resolve", _("review resolved")
        CONFIRM_ACCOUNT = "confirm_account", _("account confirmed")
        EXCLUDE_ACCOUNT = "exclude_account", _("account excluded")
        RERUN = "rerun", _("re-run under another edition")
        UNDO_RERUN = "undo_rerun", _("re-run undone")
        ERASE = "erase", _("member erased")

    kind = models.CharField(_("kind"), max_length=16, choices=Kind)
    purchase = models.ForeignKey(
        Purchase, null=True, on_delete=models.PROTECT, related_name="decisions"
    )
    account = models.ForeignKey(
        NetworkAccount, null=True, on_delete=models.PROTECT, related_name="decisions"
    )
    member = models.ForeignKey(
        Member, null=True, on_delete=models.PROTECT, related_name="+"
    )
    report = models.ForeignKey(
        Report, null=True, on_delete=models.PROTECT, related_name="+"
    )
    rerun = models.ForeignKey(
        "rewards.Rerun", null=True, on_delete=models.PROTECT, related_name="decisions"
    )
    reason = models.TextField(_("reason"))
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    decided_at = models.DateTimeField(_("decided"))

    class Meta:
        verbose_name = _("decision")
        verbose_name_plural = _("decisions")
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.get_kind_display()
