"""Why something can't be redeemed, or a redemption not go on."""

from datetime import UTC, datetime

from django.utils.translation import gettext as _

from rewards.models import Unit
from rewards.money import unit_amount
from rewards.refusals import Refused


class NotRedeemable(Refused):
    """It can't be done now. ``code`` tells programs why; the message tells people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class InvalidAmount(ValueError):
    """No redemption of this reward can be of this amount; the message says what can."""


class KeyReused(ValueError):
    """The idempotency key named another redemption of the member before."""


def not_enough(unit: Unit, *, available: int) -> NotRedeemable:
    """The balance is too small; ``available`` is in the unit's smallest step."""
    amount = unit_amount(available, unit=unit)
    return NotRedeemable("not_enough", _("Only %s available.") % amount)


def sold_out() -> NotRedeemable:
    return NotRedeemable("sold_out", _("It is sold out."))


def held(*, until: datetime, why: str) -> NotRedeemable:
    """The hold after a change that somebody else may have made."""
    said = _("%(why)s, so nothing is redeemed until %(until)s UTC.")
    until = until.astimezone(UTC)
    return NotRedeemable(
        "held", said % {"why": why, "until": f"{until:%Y-%m-%d %H:%M}"}
    )
