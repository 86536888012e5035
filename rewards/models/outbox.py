"""The outbox: everything that leaves the database, written with what caused it."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from rewards.models.leases import Leased
from rewards.models.members import Member


class Endpoint(models.Model):
    """An address of the host application that we call.

    ``sealed`` is the secret that signs what we send, and after a space the one before,
    which signs too for a while after ``rotated_at``. ``events`` are the types it
    wants, all where empty. While it is not active, what is for it waits.
    """

    name = models.CharField(_("name"), max_length=80, unique=True)
    url = models.CharField(_("address"), max_length=500)
    sealed = models.BinaryField(_("secret"))
    events = models.JSONField(_("events"), default=list, blank=True)
    active = models.BooleanField(_("active"), default=True)
    created_at = models.DateTimeField(_("created"))
    rotated_at = models.DateTimeField(_("secret changed"), null=True)

    class Meta:
        verbose_name = _("endpoint")
        verbose_name_plural = _("endpoints")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Message(Leased):
    """Something to be sent, stored in the transaction of what it tells.

    ``key`` names the fact: one message a fact and receiver, ever. A call for a
    redemption is sent once; nobody knows what an unanswered one has done.
    """

    class Kind(models.TextChoices):
        EVENT = "event", _("event")
        CALL = "call", _("call")
        MAIL = "mail", _("mail")

    class State(models.TextChoices):
        WAITING = "waiting", _("waiting")
        SENT = "sent", _("sent")
        FAILED = "failed", _("failed")
        UNKNOWN = "unknown", _("nobody knows")
        DROPPED = "dropped", _("dropped")

    kind = models.CharField(_("kind"), max_length=8, choices=Kind)
    type = models.CharField(_("type"), max_length=64)
    key = models.CharField(_("key"), max_length=128)
    endpoint = models.ForeignKey(
        Endpoint, null=True, on_delete=models.PROTECT, related_name="messages"
    )
    member = models.ForeignKey(
        Member, null=True, on_delete=models.PROTECT, related_name="messages"
    )
    redemption = models.ForeignKey(
        "rewards.Redemption",
        null=True,
        on_delete=models.PROTECT,
        related_name="messages",
    )
    payload = models.JSONField(_("content"))
    state = models.CharField(
        _("state"), max_length=8, choices=State, default=State.WAITING
    )
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    due_at = models.DateTimeField(_("due"))
    created_at = models.DateTimeField(_("created"))
    ended_at = models.DateTimeField(_("ended"), null=True)

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("outbox")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "key", "endpoint"], name="message_once_per_endpoint"
            ),
            models.UniqueConstraint(
                fields=["kind", "key"],
                condition=Q(endpoint=None),
                name="message_once",
            ),
        ]
        indexes = [
            models.Index(
                fields=["endpoint", "due_at"],
                condition=Q(state="waiting"),
                name="message_due",
            ),
            models.Index(
                fields=["held_until"],
                condition=Q(held_until__isnull=False),
                name="message_under_way",
            ),
            models.Index(
                fields=["state", "id"],
                condition=~Q(state="sent"),
                name="message_not_sent",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.pk}"


class Attempt(models.Model):
    """One try to send a message, and what came of it."""

    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="log")
    began_at = models.DateTimeField(_("began"))
    ended_at = models.DateTimeField(_("ended"), null=True)
    status_code = models.PositiveSmallIntegerField(_("answer"), null=True)
    said = models.TextField(_("what came back"), blank=True)

    class Meta:
        verbose_name = _("attempt")
        verbose_name_plural = _("attempts")
        ordering = ["id"]

    def __str__(self) -> str:
        return f"Attempt {self.pk}"
