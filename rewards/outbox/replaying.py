"""What staff may do about a message: send it again, or never."""

from datetime import datetime

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.utils.translation import gettext as _

from rewards.models import Message, Redemption
from rewards.outbox import recording
from rewards.redemptions import fulfilment
from rewards.refusals import Refused

State = Message.State


def send_again(message: Message, *, at: datetime) -> None:
    """Send it now, as itself: same id, same key, same content. Raises Refused."""
    if not message.payload:
        raise Refused(_("Its content was erased with the member."))
    if message.redemption and message.redemption.status not in Redemption.OPEN:
        raise Refused(_("The redemption has ended."))
    free = Message.objects.filter(pk=message.pk, held_until=None)
    if not free.update(state=State.WAITING, attempts=0, due_at=at, ended_at=None):
        raise Refused(_("It is being sent at this moment."))


def ask_again(redemption: Redemption, *, by: AbstractBaseUser, at: datetime) -> None:
    """Make the call of which nobody knows what it did again, with the same key.

    Raises Refused.
    """
    with transaction.atomic():
        reason = _("The host application is asked again.")
        fulfilment.resume(redemption, by=by, reason=reason, at=at)
        call = redemption.messages.filter(kind=Message.Kind.CALL).first()
        if call is None or call.state == State.WAITING:
            raise Refused(_("There is no call that could be made again."))
        send_again(call, at=at)


def drop(message: Message, *, at: datetime) -> None:
    """Never send it. Raises Refused."""
    if message.kind == Message.Kind.CALL:
        raise Refused(_("Cancel the redemption instead: its call is then dropped."))
    if not recording.drop(message, at=at):
        raise Refused(_("It was sent, or is being sent at this moment."))
