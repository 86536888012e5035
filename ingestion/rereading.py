"""Asking the network again about one order, because a person wants to know."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from ingestion.doubts import SECOND
from ingestion.models import Poll, Window
from rewards.models import Purchase
from rewards.refusals import Refused


def ask_again(purchase: Purchase, *, at: datetime) -> Window:
    """Have a worker read from the network what this order is now.

    The second in which the network created it is read, since that one never moves;
    where it never told it, the second of the newest change that we know. As a
    confirming read it is kept as an answer of its own, also where it says nothing new.
    Asking twice asks once. Raises Refused where nobody polls the purchase's account.
    """
    with transaction.atomic():
        polls = Poll.objects.filter(account=purchase.account_id, enabled=True)
        poll = polls.select_for_update().first()
        if poll is None:
            raise Refused(_("Its network account is not polled: switch polling on."))
        created = purchase.created_at
        start = (created or purchase.modified_at).replace(microsecond=0)
        window, _made = Window.objects.update_or_create(
            account_id=purchase.account_id,
            purpose=Window.Purpose.CONFIRM,
            by=Window.By.CREATED if created else Window.By.MODIFIED,
            start=start,
            end=start + SECOND,
            finished_at=None,
            defaults={"retry_at": None},
            create_defaults={"opened_at": at},
        )
        return window
