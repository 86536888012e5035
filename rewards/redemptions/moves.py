"""The ledger's side of a redemption: the same lots go to reserve, and on or back."""

from datetime import datetime

from rewards import ledger
from rewards.ledger.postings import Posting, Pot
from rewards.models import Account, Redemption, Transfer

_KIND = Account.Kind


def reserve(redemption: Redemption, *, at: datetime) -> None:
    """Set the amount aside. Raises NotEnough."""
    available, reserved = _pots(redemption)
    changes = {available: -redemption.amount, reserved: redemption.amount}
    _post(redemption, "reserve", changes, at=at)


def spend(redemption: Redemption, *, at: datetime) -> None:
    """The amount is spent for good."""
    _available, reserved = _pots(redemption)
    _post(redemption, "fulfil", {reserved: -redemption.amount}, at=at)


def give_back(redemption: Redemption, *, at: datetime) -> None:
    """The amount returns to the lots that it came from, with their expiry."""
    available, reserved = _pots(redemption)
    changes = {reserved: -redemption.amount, available: redemption.amount}
    _post(redemption, "cancel", changes, at=at)


def _pots(redemption: Redemption) -> tuple[Pot, Pot]:
    owner = redemption.member_id, redemption.reward.unit_id
    return Pot(*owner, _KIND.AVAILABLE.value), Pot(*owner, _KIND.RESERVED.value)


def _post(
    redemption: Redemption, step: str, changes: dict[Pot, int], *, at: datetime
) -> None:
    posting = Posting(
        changes,
        Transfer.Source.REDEMPTION,
        f"{redemption.pk}.{step}",  # once ever, whoever asks
        counter=_KIND.REDEEMED,
        redemption_id=redemption.pk,
        may_owe=False,
    )
    ledger.post([posting], at=at)
